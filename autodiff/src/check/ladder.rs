//! The rungs that ask a function for nothing but values: differences and Taylor remainders; and
//! the identities of a Hessian's products.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::differences::{Around, Difference, Untold};
use super::function::Function;
use super::taylor::{self, Terms};
use super::trial::{Place, Rung, Trial, Verdict};
use super::{Check, DIFFERENCES};

/// A point with scales, directions and a sample of entries.
pub(super) struct Frame<'a> {
    pub(super) check: &'a Check,
    pub(super) x: &'a [f64],
    /// How far each entry may be moved.
    pub(super) scales: Vec<f64>,
    pub(super) directions: Vec<Vec<f64>>,
    /// The entries that are looked at one by one.
    pub(super) entries: Vec<usize>,
    /// What the terms of the first and the second derivative along the scales come to in absolute
    /// value, where that is known: rounding of them is left where they cancel.
    pub(super) terms: [f64; 2],
}

impl<'a> Frame<'a> {
    pub(super) fn new(check: &'a Check, x: &'a [f64]) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(check.seed);
        let largest = x.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let typical = if largest > 0.0 && largest.is_finite() {
            largest
        } else {
            1.0
        };
        let scales: Vec<f64> = x
            .iter()
            .map(|v| match v.abs() {
                0.0 => typical.min(1.0),
                v => v.max(typical / 1024.0).min(f64::MAX),
            })
            .collect();
        // At least two: identities tie one to another.
        let directions = (0..check.directions.max(2))
            .map(|_| {
                let draw = |s: &f64| {
                    let size = rng.random_range(0.5..1.0);
                    s * if rng.random() { size } else { -size }
                };
                scales.iter().map(draw).collect()
            })
            .collect();
        let mut entries: Vec<usize> = (0..x.len()).collect();
        if entries.len() > check.entries {
            for i in 0..check.entries {
                entries.swap(i, rng.random_range(i..x.len()));
            }
            entries.truncate(check.entries);
            entries.sort_unstable();
        }
        Frame {
            check,
            x,
            scales,
            directions,
            entries,
            terms: [0.0; 2],
        }
    }

    pub(super) fn shifted(&self, t: f64, v: &[f64]) -> Vec<f64> {
        self.x.iter().zip(v).map(|(x, v)| x + t * v).collect()
    }

    /// The most that an entry of a derivative makes of the point's own scale: rounding of terms
    /// like it may be all that is left of a derivative that cancels.
    fn largest(&self, derivative: &[f64]) -> f64 {
        let sizes = derivative.iter().zip(&self.scales).map(|(d, s)| d * s);
        sizes.fold(0.0, |m, d| m.max(d.abs()))
    }

    /// How far a derivative may be from one by differences.
    fn tolerance(&self, error: f64) -> f64 {
        DIFFERENCES * self.check.factor * error
    }

    /// Central differences of values along the entries, and along the directions where not every
    /// entry is looked at.
    pub(super) fn gradient_differences(
        &self,
        f: &mut impl Function,
        gradient: &[f64],
    ) -> Vec<Trial> {
        let (check, rung) = ("gradient", Rung::Differences);
        let value = f.value(self.x).abs();
        let size = match self.largest(gradient) {
            0.0 => value.max(f64::MIN_POSITIVE),
            size => size,
        };
        let floor = f.epsilon() * (value + self.largest(gradient) + self.terms[0]);
        let mut trials = Vec::new();
        for &i in &self.entries {
            let place = Place::entry(f.entry(i));
            let (got, scale) = (gradient[i], self.scales[i]);
            let mut v = vec![0.0; self.x.len()];
            v[i] = scale;
            trials.push(match self.slope(f, &v, (got * self.x[i]).abs()) {
                Ok(d) => {
                    let size = if got == 0.0 { size / scale } else { got.abs() };
                    let floor = floor.max(unscaled(f.epsilon(), value, d.slope));
                    let tolerance = self.tolerance((d.error + floor) / scale);
                    Trial::compare(check, rung, [d.slope / scale, got], tolerance, size, place)
                }
                Err(untold) => self.untold((check, got), untold, scale, floor, place),
            });
        }
        if self.entries.len() < self.x.len() {
            for (number, v) in self.directions.iter().enumerate() {
                let mut trial = self.along(f, gradient, v, number);
                if trial.verdict == Verdict::Mismatch {
                    let found = self.locate(f, gradient, v, 0..v.len());
                    trial.place.entry = found.map(|i| f.entry(i));
                }
                trials.push(trial);
            }
        }
        trials
    }

    fn slope(
        &self,
        f: &mut impl Function,
        v: &[f64],
        arguments: f64,
    ) -> Result<Difference, Untold> {
        let sweep = Around::new(1, f.epsilon(), |t, out| {
            out[0] = f.value(&self.shifted(t, v))
        });
        sweep.slope(0, arguments)
    }

    /// The gradient's product with a direction against the slope along it.
    fn along(&self, f: &mut impl Function, gradient: &[f64], v: &[f64], number: usize) -> Trial {
        let (check, rung) = ("gradient", Rung::Differences);
        let (got, terms) = dot(gradient, v);
        let place = Place::direction(number);
        match self.slope(f, v, dot(gradient, self.x).1) {
            Ok(d) => {
                let tolerance = self.tolerance(d.error + f.epsilon() * terms);
                // That of one of the terms: an error in a single entry is to be seen.
                let size = terms / v.iter().filter(|v| **v != 0.0).count().max(1) as f64;
                Trial::compare(check, rung, [d.slope, got], tolerance, size, place)
            }
            Err(untold) => self.untold((check, got), untold, 1.0, f.epsilon() * terms, place),
        }
    }

    /// What a derivative is held to where differences along `scale` tell no slope.
    fn untold(
        &self,
        (check, got): (&'static str, f64),
        untold: Untold,
        scale: f64,
        floor: f64,
        place: Place,
    ) -> Trial {
        let rung = Rung::Differences;
        match untold {
            Untold::Kink { sides, error } => {
                let (sides, tolerance) = (sides.map(|s| s / scale), (error + floor) / scale);
                Trial::at_kink(check, rung, sides, got, self.tolerance(tolerance), place)
            }
            Untold::Because(reason) => Trial::unchecked(check, rung, got, reason, place),
        }
    }

    /// The entry that a mismatch along `v` comes from, by halving.
    fn locate(
        &self,
        f: &mut impl Function,
        gradient: &[f64],
        v: &[f64],
        range: std::ops::Range<usize>,
    ) -> Option<usize> {
        if range.len() == 1 {
            return Some(range.start);
        }
        let middle = range.start + range.len() / 2;
        for half in [range.start..middle, middle..range.end] {
            let mut part = vec![0.0; v.len()];
            part[half.clone()].copy_from_slice(&v[half.clone()]);
            if self.along(f, gradient, &part, 0).verdict == Verdict::Mismatch {
                return self.locate(f, gradient, v, half);
            }
        }
        None
    }

    /// Central differences of gradients along the directions, entry by entry.
    pub(super) fn product_differences(
        &self,
        f: &mut impl Function,
        products: &[Vec<f64>],
    ) -> Vec<Trial> {
        let (check, rung, n) = ("product", Rung::Differences, self.x.len());
        let value = f.value(self.x).abs();
        let mut trials = Vec::new();
        let known = self.directions.iter().zip(products);
        for (number, (v, product)) in known.take(self.check.directions).enumerate() {
            let size = product.iter().fold(0.0f64, |m, p| m.max(p.abs()));
            let sweep = Around::new(n, f.epsilon(), |t, out| {
                out.copy_from_slice(&f.gradient(&self.shifted(t, v)));
            });
            let gradient = f.gradient(self.x);
            let all = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
            let terms = value + self.largest(&gradient) + self.largest(product);
            let terms = terms + self.terms[0] + self.terms[1];
            let floor = f.epsilon() * terms;
            for (i, got) in product.iter().copied().enumerate() {
                let place = Place::entry(f.entry(i)).along(number);
                trials.push(match sweep.slope(i, got.abs()) {
                    Ok(d) => {
                        let size = match got {
                            0.0 if size > 0.0 => size,
                            0.0 => all.max(f64::MIN_POSITIVE),
                            got => got.abs(),
                        };
                        let floor = floor.max(unscaled(f.epsilon(), all, d.slope));
                        let tolerance = self.tolerance(d.error + floor / self.scales[i]);
                        Trial::compare(check, rung, [d.slope, got], tolerance, size, place)
                    }
                    Err(untold) => {
                        let floor = floor / self.scales[i];
                        self.untold((check, got), untold, 1.0, floor, place)
                    }
                });
            }
        }
        trials
    }

    /// Taylor remainders along the directions. Where entries are at a `kink`, each direction is
    /// looked at for one.
    pub(super) fn taylor(
        &self,
        f: &mut impl Function,
        gradient: &[f64],
        products: Option<&[Vec<f64>]>,
        kink: bool,
    ) -> Vec<Trial> {
        let mut trials = Vec::new();
        for (number, v) in self
            .directions
            .iter()
            .take(self.check.directions)
            .enumerate()
        {
            let sweep = Around::near(1, f.epsilon(), |t, out| {
                out[0] = f.value(&self.shifted(t, v))
            });
            let (slope, size) = dot(gradient, v);
            let terms = Terms {
                value: f.value(self.x),
                slope,
                sizes: [size.max(self.terms[0]), self.terms[1].max(1.0)],
                epsilon: f.epsilon(),
                bend: products.map(|p| dot(&p[number], v).0),
                noise: sweep.noise(0, dot(gradient, self.x).1),
            };
            let mut along = taylor::trials(&terms, number, |t| f.value(&self.shifted(t, v)));
            let wrong = |t: &Trial| t.verdict == Verdict::Mismatch;
            if kink || along.iter().any(wrong) {
                self.forgive(f, v, [slope, terms.bend.unwrap_or(0.0)], &mut along);
            }
            trials.extend(along);
        }
        trials
    }

    /// Takes back what remainders along `v` say of derivatives that are at a kink: of the function,
    /// or of its slope.
    fn forgive(
        &self,
        f: &mut impl Function,
        v: &[f64],
        [slope, bend]: [f64; 2],
        trials: &mut [Trial],
    ) {
        let place = || Place::default();
        let at_kink = |own: Result<Difference, Untold>, got| {
            let kink = own.err().filter(|u| matches!(u, Untold::Kink { .. }))?;
            let floor = f64::EPSILON * f64::abs(got);
            let verdict = self.untold(("", got), kink, 1.0, floor, place()).verdict;
            matches!(verdict, Verdict::Kink(_)).then_some(verdict)
        };
        let first = at_kink(self.slope(f, v, 0.0), slope);
        let second = || {
            let sweep = Around::new(1, f.epsilon(), |t, out| {
                out[0] = dot(&f.gradient(&self.shifted(t, v)), v).0;
            });
            at_kink(sweep.slope(0, 0.0), bend)
        };
        let has_product = trials.iter().any(|t| t.check == "product");
        let second = first.clone().or_else(|| has_product.then(second).flatten());
        for trial in trials {
            let kink = match trial.check {
                "gradient" => &first,
                "product" => &second,
                _ => &None,
            };
            if let Some(kink) = kink {
                trial.verdict = kink.clone();
            }
        }
    }

    /// Symmetry and linearity of a Hessian's products, to their own noise.
    pub(super) fn product_identities(
        &self,
        f: &mut impl Function,
        products: &[Vec<f64>],
    ) -> Vec<Trial> {
        let rung = Rung::Identities;
        let n = self.x.len() as f64;
        let [v, w] = [&self.directions[0], &self.directions[1]];
        let (hv, hw) = (&products[0], &products[1]);
        let mut noise = |u: &[f64], v: &[f64]| {
            let mut size = 0.0;
            let sweep = Around::near(1, f.epsilon(), |t, out| {
                let product = f.product(&self.shifted(t, v), v).unwrap_or_default();
                (out[0], size) = dot(u, &product);
            });
            sweep.noise(0, n * size)
        };
        let (noise_v, noise_w) = (noise(w, v), noise(v, w));
        let ((left, p), (right, q)) = (dot(w, hv), dot(v, hw));
        let place = || Place::direction(0);
        let tolerance = self.tolerance(noise_v + noise_w);
        let symmetric = Trial::compare(
            "⟨w,Hv⟩ = ⟨v,Hw⟩",
            rung,
            [right, left],
            tolerance,
            p + q,
            place(),
        );
        // A power of two, so that the direction itself is not rounded by it.
        let joint: Vec<f64> = v.iter().zip(w).map(|(v, w)| v - 2.0 * w).collect();
        let product = f.product(self.x, &joint).unwrap_or_default();
        let ((got, size), own) = (dot(v, &product), dot(v, hv));
        let expected = own.0 - 2.0 * right;
        let tolerance =
            self.tolerance(noise_v + 4.0 * noise_w + f.epsilon() * n * (size + own.1 + 2.0 * q));
        let linear = Trial::compare(
            "H(v−2w) = Hv − 2Hw",
            rung,
            [expected, got],
            tolerance,
            size + own.1 + 2.0 * q,
            place(),
        );
        vec![symmetric, linear]
    }
}

/// Rounding of what is 0 at the point and at every step, which shows no scale: of terms of order
/// one.
fn unscaled(epsilon: f64, value: f64, slope: f64) -> f64 {
    match value == 0.0 && slope == 0.0 {
        true => epsilon,
        false => 0.0,
    }
}

/// `Σ aᵢ bᵢ` and `Σ |aᵢ bᵢ|`.
pub(super) fn dot(a: &[f64], b: &[f64]) -> (f64, f64) {
    a.iter().zip(b).fold((0.0, 0.0), |(sum, size), (a, b)| {
        (sum + a * b, size + (a * b).abs())
    })
}
