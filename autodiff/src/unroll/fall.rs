//! How fast a cotangent falls on the way back.

use crate::kernels::{dot_f64, norm};
use crate::real::Real;

/// Looks at the norm of the cotangent after each step back: how many steps it takes to halve.
///
/// Where the steps have come near a fixed point this is how fast they contract: what is left of the
/// way is about the last step times [`longest`](Fall::longest) / ln 2.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fall {
    /// Below this the rest is taken for rounding.
    floor: f64,
    /// The norm where the present halving began, and the steps since.
    level: f64,
    steps: usize,
    longest: f64,
    /// The latest norm.
    latest: f64,
    /// That of all steps so far, summed.
    sum: f64,
}

impl Fall {
    /// Begins at a cotangent of the last state.
    pub(super) fn start<T: Real>(&mut self, cotangent: &[T]) {
        let size = size(cotangent);
        *self = Fall {
            floor: T::EPSILON.sqrt() * size,
            level: size,
            latest: size,
            sum: size,
            ..Fall::default()
        };
    }

    /// The cotangent one step further back.
    pub(super) fn look<T: Real>(&mut self, cotangent: &[T]) {
        if self.latest <= self.floor {
            return;
        }
        self.steps += 1;
        self.latest = size(cotangent);
        self.sum += self.latest;
        if self.latest <= 0.5 * self.level || self.latest <= self.floor {
            self.longest = self.longest.max(self.halving());
            (self.level, self.steps) = (self.latest, 0);
        }
    }

    /// The latest norm as a part of the sum of all of them.
    pub(super) fn share(&self) -> f64 {
        if self.latest <= self.floor {
            0.0
        } else {
            self.latest / self.sum
        }
    }

    /// Steps that halve the norm, by those since the level was reached; infinite where it has not
    /// fallen.
    fn halving(&self) -> f64 {
        let fallen = (self.level / self.latest).log2();
        if self.steps == 0 {
            0.0
        } else if fallen > 0.0 {
            self.steps as f64 / fallen
        } else {
            f64::INFINITY
        }
    }

    /// The most steps that it took to halve, down to the root of the precision; infinite where it
    /// stood still or grew at last, and NaN where it was not finite.
    pub(super) fn longest(&self) -> f64 {
        if self.latest.is_nan() {
            return f64::NAN;
        }
        // An interval that has not come to its end counts if it is longer than those that have.
        if self.steps as f64 > self.longest {
            self.longest.max(self.halving())
        } else {
            self.longest
        }
    }
}

/// The Euclidean norm. Squares of a precision's range mostly fit in `f64`; where they do not, the
/// scaled norm is taken.
fn size<T: Real>(v: &[T]) -> f64 {
    let squares = dot_f64(v, v);
    if squares > 1e-250 && squares < 1e250 {
        squares.sqrt()
    } else {
        norm(v).f64()
    }
}

/// ‖a − b‖.
pub(super) fn distance<T: Real>(a: &[T], b: &[T]) -> f64 {
    let apart = || a.iter().zip(b).map(|(a, b)| (*a - *b).f64());
    let largest = apart().fold(0.0f64, |m, d| if d.abs() <= m { m } else { d.abs() });
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest * apart().map(|d| (d / largest).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(norms: &[f64]) -> f64 {
        let mut fall = Fall::default();
        fall.start(&[norms[0]]);
        norms[1..].iter().for_each(|n| fall.look(&[*n]));
        fall.longest()
    }

    #[test]
    fn a_constant_rate_gives_its_halving() {
        for q in [0.3, 0.5, 0.9, 0.999] {
            let norms: Vec<f64> = (0..3000).map(|k| f64::powi(q, k)).collect();
            let want = 0.5f64.ln() / f64::ln(q);
            assert!(
                (of(&norms) / want - 1.0).abs() < 0.02,
                "{q}: {}",
                of(&norms)
            );
            // The same with too few steps to halve, and far from 1.
            assert!((of(&norms[..3]) / want - 1.0).abs() < 1e-12);
            let tiny: Vec<f64> = norms.iter().map(|n| 1e-200 * n).collect();
            assert_eq!(of(&tiny[..3]), of(&norms[..3]));
        }
    }

    #[test]
    fn the_slowest_part_counts_and_what_is_below_rounding_does_not() {
        let two = |k: i32| f64::powi(0.1, k) + 1e-3 * f64::powi(0.99, k);
        let norms: Vec<f64> = (0..400).map(two).collect();
        assert!((of(&norms) / 69.0 - 1.0).abs() < 0.05, "{}", of(&norms));
        let noise = |k: i32| f64::powi(0.5, k) + 1e-17;
        let norms: Vec<f64> = (0..400).map(noise).collect();
        assert!((of(&norms) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn what_stands_still_or_grows_never_halves() {
        assert_eq!(of(&[1.0, 1.0, 1.0]), f64::INFINITY);
        assert_eq!(of(&[1.0, 1.9, 4.0]), f64::INFINITY);
        assert_eq!(of(&[1.0, 0.2, 0.3, 0.3]), f64::INFINITY);
        assert_eq!(of(&[1.0, 0.0]), 0.0);
        assert_eq!(of(&[0.0, 0.0]), 0.0);
        assert_eq!(of(&[1.0]), 0.0);
        assert!(of(&[1.0, f64::NAN]).is_nan());
    }
}
