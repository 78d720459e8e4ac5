//! Rates of Taylor remainders, down to where rounding takes over.

use super::trial::{PERTURBATION, Place, Rung, Trial, Verdict};

/// Steps ½, ¼, … of the direction.
const STEPS: usize = 34;
/// Remainders count from this many times the noise on.
const FLOOR: f64 = 50.0;
/// How far the two last rates may be below the order.
const SETTLED: f64 = 0.2;

/// What of Taylor's formula is known along a direction v: the value, g·v and v·Hv.
pub(super) struct Terms {
    pub(super) value: f64,
    pub(super) slope: f64,
    pub(super) bend: Option<f64>,
    /// Of the terms of the first derivative, at least Σ|gᵢvᵢ|, and of the second.
    pub(super) sizes: [f64; 2],
    /// Rounding errors of the function about the point.
    pub(super) noise: f64,
    /// Twice the unit roundoff of the function's numbers.
    pub(super) epsilon: f64,
}

impl Terms {
    /// Rounding errors of a remainder at a step: those about the point, and those of terms that
    /// grow with the step: about a point where the function is 0 there are no others.
    fn noise_at(&self, t: f64, value: f64) -> f64 {
        let [first, second] = self.sizes;
        self.noise + self.epsilon * (value.abs() + t * first + t * t * second)
    }
}

/// What is left at a step, with the noise in it.
struct Remainder {
    step: f64,
    size: f64,
    noise: f64,
}

/// The rates of `f(t) − f(0)`, `… − t g·v` and `… − ½ t² v·Hv`, which are 1, 2 and 3 for a smooth
/// function with these derivatives, and one less where a derivative is wrong.
///
/// A remainder that is nothing but rounding passes where a relative error of [`PERTURBATION`] would
/// have stood out.
pub(super) fn trials(terms: &Terms, number: usize, mut f: impl FnMut(f64) -> f64) -> Vec<Trial> {
    let values: Vec<(f64, f64)> = (1..=STEPS)
        .map(|i| 0.5f64.powi(i as i32))
        .map(|t| (t, f(t)))
        .filter(|(_, v)| v.is_finite())
        .collect();
    let orders = [
        ("value", Some((0.0, 0.0))),
        ("gradient", Some((terms.slope, 0.0))),
        ("product", terms.bend.map(|bend| (terms.slope, bend))),
    ];
    let orders = orders.into_iter().zip(1..);
    let known = orders.filter_map(|((check, known), order)| Some((check, known?, order)));
    known
        .map(|(check, (slope, bend), order)| {
            let remainder = |(t, v): &(f64, f64)| {
                let rest = (v - terms.value) - t * slope - 0.5 * t * t * bend;
                Remainder {
                    step: *t,
                    size: rest.abs(),
                    noise: terms.noise_at(*t, *v),
                }
            };
            let all: Vec<Remainder> = values.iter().map(remainder).collect();
            // What an error of the last term would leave, at most.
            let last = match order {
                1 => |_: f64, terms: &Terms| terms.value.abs(),
                2 => |t: f64, terms: &Terms| t * terms.slope.abs(),
                _ => |t: f64, terms: &Terms| 0.5 * t * t * terms.bend.unwrap_or(0.0).abs(),
            };
            let (rate, verdict) = rate(&all, f64::from(order), |t| last(t, terms));
            Trial {
                check,
                rung: Rung::Taylor,
                expected: f64::from(order),
                got: rate,
                tolerance: SETTLED,
                size: 1.0,
                verdict,
                place: Place::direction(number),
            }
        })
        .collect()
}

fn rate(all: &[Remainder], order: f64, last: impl Fn(f64) -> f64) -> (f64, Verdict) {
    if all.is_empty() {
        let reason = "the function is finite at no step".to_owned();
        return (f64::NAN, Verdict::Unchecked(reason));
    }
    let end = all.iter().rposition(|r| r.size > FLOOR * r.noise);
    let above = end.map_or(&[][..], |end| &all[..=end]);
    let [.., a, b, c] = above else {
        let largest = &all[0];
        if order > 1.0 && FLOOR * largest.noise <= 0.4 * PERTURBATION * last(largest.step) {
            return (order, Verdict::Pass);
        }
        let reason = "fewer than three remainders stand out from rounding".to_owned();
        return (f64::NAN, Verdict::Unchecked(reason));
    };
    let rates = [(a.size / b.size).log2(), (b.size / c.size).log2()];
    let [_, second] = rates;
    if rates.iter().all(|r| *r >= order - SETTLED) {
        return (second, Verdict::Pass);
    }
    // Where two terms of the remainder cancel, rates pass through every number: three in a row
    // at a lower order are one, if what is left is more than rounding makes of the last term.
    if let [.., z, a, b, c] = above
        && order > 1.0
    {
        let rates = [z.size / a.size, a.size / b.size, b.size / c.size].map(f64::log2);
        let lower = rates[2].round();
        let settled = rates.iter().all(|r| (r - lower).abs() < SETTLED / 2.0);
        if settled && (0.0..order).contains(&lower) && c.size > 1e-9 * last(c.step) {
            // A wrong term fades into rounding; a jump of the function is there or is not.
            let next = all.get(above.len());
            if next.is_some_and(|r| c.size * 0.5f64.powf(lower) > 2.0 * FLOOR * r.noise) {
                let reason = "the function jumps near the point".to_owned();
                return (second, Verdict::Unchecked(reason));
            }
            return (second, Verdict::Mismatch);
        }
    }
    (
        second,
        Verdict::Unchecked("the rates have not settled".into()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_no_wrong_derivative() {
        let terms = Terms {
            value: 1.0,
            slope: 1.0,
            bend: Some(1.0),
            sizes: [1.0, 1.0],
            noise: f64::EPSILON,
            epsilon: f64::EPSILON,
        };
        let jumps = |t: f64| t.exp() + f64::from(t > 1e-9);
        let verdicts = trials(&terms, 0, jumps).into_iter().map(|t| t.verdict);
        assert!(verdicts.skip(1).all(|v| v.name() == "unchecked"));
        let wrong = Terms {
            slope: 1.001,
            ..terms
        };
        let verdicts = trials(&wrong, 0, f64::exp).into_iter().map(|t| t.verdict);
        assert!(verdicts.skip(1).all(|v| v == Verdict::Mismatch));
    }
}
