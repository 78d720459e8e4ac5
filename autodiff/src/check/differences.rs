//! Central differences that know their own noise.

/// Steps of a sweep: 2⁻³, 2⁻⁴, … of the direction.
const STEPS: usize = 14;
const LARGEST: f64 = 0.125;
/// The smallest steps, whose differences are noise alone.
const FINEST: usize = 4;
/// Columns of the extrapolation: each removes one more even power of the step.
const COLUMNS: usize = 5;
/// Points of the noise estimate on either side, and their distance: so small that fourth
/// differences of what is smooth vanish, so large that rounding errors are drawn afresh.
const SIDE: usize = 4;
const SPACING: f64 = 1.0 / (1 << 20) as f64;
/// A second spacing: values on a grid may repeat their errors at the first.
const OTHER: f64 = 0.618 * SPACING;
/// Where noise is measured once more: about a point where all terms are 0 it grows with the step.
const FAR: f64 = 0.0625;

/// A derivative with a bound of its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) slope: f64,
    pub(super) error: f64,
}

/// Why the steps do not tell a slope.
#[derive(Clone, Debug)]
pub(super) enum Untold {
    /// There are two: from the left and from the right, with a bound of their errors.
    Kink { sides: [f64; 2], error: f64 },
    /// In words.
    Because(String),
}

impl From<Untold> for String {
    fn from(untold: Untold) -> Self {
        match untold {
            Untold::Kink { sides: [l, r], .. } => {
                format!("a kink, with slopes {l:.1e} and {r:.1e}")
            }
            Untold::Because(reason) => reason,
        }
    }
}

/// A slope that neighbouring steps agree on.
#[derive(Clone, Copy)]
struct Plateau {
    slope: f64,
    error: f64,
    step: f64,
}

/// A function of one number `t`, with values in ℝⁿ, evaluated around 0.
pub(super) struct Around {
    centre: Vec<f64>,
    /// Values at −step and at step, for each step.
    pairs: Vec<[Vec<f64>; 2]>,
    noise: Vec<f64>,
    /// Noise at [`FAR`].
    far: Vec<f64>,
    epsilon: f64,
}

impl Around {
    /// Evaluates `f`, which writes `n` values computed with numbers `epsilon` apart at 1.
    pub(super) fn new(n: usize, epsilon: f64, mut f: impl FnMut(f64, &mut [f64])) -> Self {
        let near = Self::near(n, epsilon, &mut f);
        let mut at = at(n, f);
        let pairs = (0..STEPS).map(|i| [at(-step(i)), at(step(i))]).collect();
        let far = noise_about(FAR, OTHER, n, &mut at);
        Around { pairs, far, ..near }
    }

    /// The points that tell the noise, and no others.
    pub(super) fn near(n: usize, epsilon: f64, f: impl FnMut(f64, &mut [f64])) -> Self {
        let mut at = at(n, f);
        let centre = at(0.0);
        let noise = noise_about(0.0, SPACING, n, &mut at);
        let other = noise_about(0.0, OTHER, n, &mut at);
        let noise = noise.iter().zip(other).map(|(a, b)| a.max(b)).collect();
        Around {
            centre,
            pairs: Vec::new(),
            noise,
            far: Vec::new(),
            epsilon,
        }
    }

    /// The size of rounding errors in component `k`: as measured, and at least that of storing the
    /// value and its arguments, which moves it by `arguments` units of roundoff.
    pub(super) fn noise(&self, k: usize, arguments: f64) -> f64 {
        self.noise[k].max(self.epsilon * (self.centre[k].abs() + arguments))
    }

    /// The derivative of component `k` at 0, or why the steps do not tell it.
    pub(super) fn slope(&self, k: usize, arguments: f64) -> Result<Difference, Untold> {
        if !self.centre[k].is_finite() {
            let reason = format!("the value is {}", self.centre[k]);
            return Err(Untold::Because(reason));
        }
        let noise = self.noise(k, arguments);
        if let Some(kink) = self.kink(k, noise) {
            return Err(kink);
        }
        let rows = self.rows(k, noise);
        let mut best: Option<Plateau> = None;
        // A plateau: three neighbouring steps that tell the same.
        let lost = STEPS - rows.len();
        for (i, window) in rows.windows(3).enumerate() {
            let [before, here, after] = [window[0], window[1], window[2]];
            let error = (here.slope - before.slope)
                .abs()
                .max((here.slope - after.slope).abs())
                .max(here.error);
            if error.is_finite() && best.is_none_or(|b| error < b.error) {
                best = Some(Plateau {
                    slope: here.slope,
                    error,
                    step: step(lost + i + 1),
                });
            }
        }
        let Some(best) = best else {
            let reason = "the function is not finite at enough steps".to_owned();
            return Err(Untold::Because(reason));
        };
        // Where truncation is long gone, what the smallest steps differ by is noise: if there is
        // more of it than was measured, there was more at every step.
        let finest = rows.iter().rev().zip((0..STEPS).rev()).take(FINEST);
        let apart = finest.map(|(row, i)| (row.slope - best.slope).abs() * step(i));
        let unseen = apart.fold(0.0, f64::max) / best.step;
        Ok(Difference {
            slope: best.slope,
            error: best.error.max(unseen),
        })
    }

    /// The best extrapolation at each step (Richardson's scheme; the error is read from how far
    /// neighbours in the tableau disagree, as in C. Ridders, Accurate computation of F′(x) and
    /// F′(x)F″(x), Advances in Engineering Software 4(2), 1982, and from the noise).
    fn rows(&self, k: usize, noise: f64) -> Vec<Difference> {
        let (mut rows, mut before): (Vec<Difference>, Vec<f64>) = (Vec::new(), Vec::new());
        for (i, [minus, plus]) in self.pairs.iter().enumerate() {
            let first = (plus[k] - minus[k]) / (2.0 * step(i));
            if !first.is_finite() {
                // Outside the domain: only what is nearer counts.
                (rows, before) = (Vec::new(), Vec::new());
                continue;
            }
            // Each column's weights add up to less than 2 in absolute value.
            let far = self.far[k] * (step(i) / FAR).min(1.0);
            let rounding = 4.0 * (noise + far) / step(i);
            let mut row = vec![first];
            let mut best = Difference {
                slope: first,
                error: f64::INFINITY,
            };
            for j in 1..=before.len().min(COLUMNS) {
                let weight = 4f64.powi(j as i32);
                let next = (weight * row[j - 1] - before[j - 1]) / (weight - 1.0);
                let apart = (next - row[j - 1]).abs().max((next - before[j - 1]).abs());
                if apart + rounding < best.error {
                    best = Difference {
                        slope: next,
                        error: apart + rounding,
                    };
                }
                row.push(next);
            }
            rows.push(best);
            before = row;
        }
        rows
    }

    /// The slopes from either side, if they differ: the second difference then shrinks like the
    /// step, not like its square.
    fn kink(&self, k: usize, noise: f64) -> Option<Untold> {
        let mut jumps = Vec::new();
        for (i, [minus, plus]) in self.pairs.iter().enumerate() {
            let bend = (plus[k] - self.centre[k]) + (minus[k] - self.centre[k]);
            if bend.abs() > 40.0 * noise {
                jumps.push((i, bend / step(i)));
            }
        }
        let [.., a, b, c] = jumps[..] else {
            return None;
        };
        let stays = |p: f64, q: f64| q / p > 0.8;
        let smallest = c.0 + 1 == self.pairs.len() || c.0 == a.0 + 2;
        (smallest && stays(a.1, b.1) && stays(b.1, c.1)).then(|| self.sides(k, noise))
    }

    /// The slopes from either side, extrapolated from neighbouring steps: at those that agree best
    /// with the ones before, as the noise measured about a kink is too large for the smallest.
    fn sides(&self, k: usize, noise: f64) -> Untold {
        let slopes = self.pairs.iter().enumerate().map(|(i, [minus, plus])| {
            let rises = [self.centre[k] - minus[k], plus[k] - self.centre[k]];
            rises.map(|rise| rise / step(i))
        });
        let slopes: Vec<[f64; 2]> = slopes.collect();
        let beyond = |i: usize| [0, 1].map(|side| 2.0 * slopes[i][side] - slopes[i - 1][side]);
        let tried = (2..slopes.len()).map(|i| {
            let (before, sides) = (beyond(i - 1), beyond(i));
            let apart = [0, 1].map(|side| (sides[side] - before[side]).abs());
            let error = apart[0].max(apart[1]) + 8.0 * noise / step(i);
            Untold::Kink { sides, error }
        });
        let error = |untold: &Untold| match untold {
            Untold::Kink { error, .. } if error.is_finite() => *error,
            _ => f64::INFINITY,
        };
        let best = tried.min_by(|a, b| error(a).total_cmp(&error(b)));
        best.expect("more steps than two")
    }
}

/// The function's values in vectors of their own.
fn at(n: usize, mut f: impl FnMut(f64, &mut [f64])) -> impl FnMut(f64) -> Vec<f64> {
    move |t| {
        let mut out = vec![0.0; n];
        f(t, &mut out);
        out
    }
}

/// The noise of each of `n` values about `t`.
fn noise_about(t: f64, spacing: f64, n: usize, at: &mut impl FnMut(f64) -> Vec<f64>) -> Vec<f64> {
    let place = |i| t + (i as f64 - SIDE as f64) * spacing;
    let near: Vec<Vec<f64>> = (0..=2 * SIDE).map(|i| at(place(i))).collect();
    let of = |k: usize| noise(&near.iter().map(|v| v[k]).collect::<Vec<f64>>());
    (0..n).map(of).collect()
}

fn step(i: usize) -> f64 {
    LARGEST / (1u64 << i) as f64
}

/// The standard deviation of the rounding errors of equally spaced values, from their fourth to
/// sixth differences (J. Moré and S. Wild, Estimating computational noise, SIAM Journal on
/// Scientific Computing 33(3), 2011); the largest of the three, as there are few values.
fn noise(values: &[f64]) -> f64 {
    let mut differences = values.to_vec();
    let (mut factor, mut largest) = (1.0, 0.0f64);
    for k in 1..=6 {
        differences = differences.windows(2).map(|w| w[1] - w[0]).collect();
        // (k!)² / (2k)!
        factor *= f64::from(k * k) / f64::from((2 * k) * (2 * k - 1));
        if k >= 4 {
            let squares: f64 = differences.iter().map(|d| d * d).sum();
            largest = largest.max((factor * squares / differences.len() as f64).sqrt());
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(f: impl Fn(f64) -> f64) -> Around {
        Around::new(1, f64::EPSILON, |t, out| out[0] = f(t))
    }

    #[test]
    fn slopes_are_right_and_their_errors_honest() {
        type Case = (fn(f64) -> f64, f64);
        let functions: [Case; 5] = [
            (|t| (1.0 + t).exp(), 1f64.exp()),
            (|t| (300.0 * t).sin(), 300.0),
            (|t| (0.01 + t).ln(), 100.0),
            (|t| 1e6 + t, 1.0),
            (|t| t * t, 0.0),
        ];
        for (f, want) in functions {
            let got = sweep(f).slope(0, 1.0).expect("smooth");
            assert!((got.slope - want).abs() <= got.error, "{got:?} for {want}");
            assert!(got.error < 1e-8 * (1.0 + want.abs()), "{got:?} for {want}");
        }
    }

    #[test]
    fn noise_is_seen() {
        // Rounded to multiples of 1e-7.
        let rough = sweep(|t| ((1.0 + t).exp() * 1e7).round() / 1e7);
        assert!((1e-8..1e-6).contains(&rough.noise(0, 0.0)));
        let got = rough.slope(0, 0.0).expect("a slope");
        assert!(got.error > 1e-7, "{got:?}");
        assert!((got.slope - 1f64.exp()).abs() <= 3.0 * got.error);
    }

    #[test]
    fn a_kink_has_no_slope() {
        let kink = sweep(|t| (t.abs() + t).exp()).slope(0, 0.0);
        let Err(Untold::Kink { sides, error }) = kink else {
            panic!("{kink:?}");
        };
        assert!(error < 1e-3, "{error}");
        assert!((sides[0] - 0.0).abs() <= error && (sides[1] - 2.0).abs() <= error);
        assert!(sweep(|_| f64::NAN).slope(0, 0.0).is_err());
        assert!(sweep(|t| (t * t + 1e-2).sqrt()).slope(0, 0.0).is_ok());
    }
}
