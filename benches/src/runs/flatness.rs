//! Whether a positive quantity is flat in n: all of its means are looked at.

use super::spread::Spread;

/// The power of n that is told from none: a distance that falls like 1/√n for one like 1/n.
const POWER: f64 = 0.5;
/// The factor that a mean may be off the level by, whatever the errors say.
const FACTOR: f64 = std::f64::consts::SQRT_2;
/// Standard errors that explain a deviation.
const ERRORS: f64 = 3.0;

/// A line through means over n, in logarithms, and the mean that disagrees most with a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flatness {
    /// The power of n that fits best.
    pub slope: f64,
    /// Its standard error, from those of the means.
    pub error: f64,
    /// The level that fits best.
    pub level: f64,
    /// n, and the mean there, that is farthest from the level in its factor.
    pub farthest: (usize, Spread),
    /// Whether some mean is off the level by more than a factor of √2 and more than three errors.
    pub off: bool,
}

impl Flatness {
    /// Of two or more means over different n, each weighted by its error relative to itself.
    pub fn of(means: &[(usize, Spread)]) -> Option<Self> {
        let mut n: Vec<usize> = means.iter().map(|m| m.0).collect();
        n.sort_unstable();
        n.dedup();
        if n.len() < 2 {
            return None;
        }
        let relative = |s: &Spread| s.error / s.mean;
        let weight = |s: &Spread| relative(s).powi(-2);
        let total: f64 = means.iter().map(|(_, s)| weight(s)).sum();
        let mean = |of: &dyn Fn(usize, &Spread) -> f64| {
            let terms = means.iter().map(|(n, s)| weight(s) * of(*n, s));
            terms.sum::<f64>() / total
        };
        let log = |n: usize| (n as f64).ln();
        let (x, y) = (mean(&|n, _| log(n)), mean(&|_, s| s.mean.ln()));
        let variance = mean(&|n, _| (log(n) - x).powi(2));
        let slope = mean(&|n, s| (log(n) - x) * s.mean.ln()) / variance;
        let off = |s: &Spread| (s.mean.ln() - y).abs();
        let farthest = means.iter().max_by(|a, b| off(&a.1).total_cmp(&off(&b.1)));
        let stray = |s: &Spread| !(off(s) <= FACTOR.ln().max(ERRORS * relative(s)));
        Some(Flatness {
            slope,
            error: (total * variance).powf(-0.5),
            level: y.exp(),
            farthest: *farthest?,
            off: means.iter().any(|(_, s)| stray(s)),
        })
    }

    /// Whether the means are flat: their power of n is below ½ by two standard errors, and none is
    /// off the level. Of a single seed, which has no error, it is not said.
    pub fn holds(&self) -> bool {
        self.slope.abs() + 2.0 * self.error < POWER && !self.off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(mean: f64, error: f64) -> Spread {
        Spread {
            mean,
            deviation: 5.0 * error,
            error,
        }
    }

    fn holds(means: [f64; 4], error: f64) -> bool {
        let n = [25, 50, 100, 200];
        let points: Vec<_> = n
            .iter()
            .zip(means)
            .map(|(n, m)| (*n, spread(m, error * m)))
            .collect();
        Flatness::of(&points).expect("four of them").holds()
    }

    #[test]
    fn levels_are_told_from_powers_and_from_humps() {
        assert!(holds([2.0, 2.1, 1.9, 2.0], 0.05));
        // Like √n, and like n.
        assert!(!holds([1.0, 1.41, 2.0, 2.83], 0.05));
        assert!(!holds([1.0, 2.0, 4.0, 8.0], 0.05));
        // Both ends agree, the middle does not.
        assert!(!holds([1.0, 4.0, 4.0, 1.0], 0.05));
        assert!(!holds([1.0, 0.3, 1.0, 1.0], 0.05));
        // Too few seeds to tell, or one.
        assert!(!holds([2.0, 2.1, 1.9, 2.0], 0.6));
        assert!(!holds([2.0, 2.0, 2.0, 2.0], f64::NAN));
        assert_eq!(Flatness::of(&[(5, spread(1.0, 0.1)); 2]), None);
    }

    #[test]
    fn the_line_is_that_of_the_points() {
        let power = |n: usize| {
            (
                n,
                spread((n as f64).powf(-0.25), 0.1 * (n as f64).powf(-0.25)),
            )
        };
        let fit = Flatness::of(&[10, 40, 160].map(power)).expect("three");
        assert!((fit.slope + 0.25).abs() < 1e-12, "{fit:?}");
        // σ²/Σ(ln n − mean)², the ends being ln 4 from the middle.
        let error = 0.1 / (2.0f64.sqrt() * 4.0f64.ln());
        assert!((fit.error - error).abs() < 1e-12, "{fit:?}");
    }
}
