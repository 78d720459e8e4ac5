//! A step that was tried, and what its bounds say.

use super::Maid;

/// The most that a length changes by from one trial to the next.
const RANGE: f64 = 100.0;

/// A step of a length α along −z.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) length: f64,
    /// `α‖z‖²`: what F is to fall by, to first order.
    pub(super) slope: f64,
    /// What F rose by; NaN where it could not be had.
    pub(super) rise: f64,
    /// How far F is from φ at both ends together.
    pub(super) error: f64,
    /// What rounding changes F by.
    pub(super) rounding: f64,
}

impl Trial {
    /// Whether φ falls enough, by the bounds.
    pub(super) fn falls(self) -> bool {
        self.rise + self.error + Maid::DECREASE * self.slope <= 0.0
    }

    /// Whether φ does not, by the bounds: no accuracy would change that.
    pub(super) fn is_too_long(self) -> bool {
        let least = self.rise - self.error + Maid::DECREASE * self.slope;
        // What is not finite lies beyond what F or the constants can take.
        !(least <= self.rounding || self.slope <= self.rounding)
    }

    /// Whether the errors are most of what F was to fall by, and of what it did.
    pub(super) fn is_hidden(self) -> bool {
        let bent = self.rise + self.slope;
        self.error + self.rounding > 0.5 * self.slope.max(bent)
    }

    /// One over the curvature met, from a hundredth of this length to a hundred times it; ten times
    /// it where the step is too short to tell.
    pub(super) fn ideal(self) -> f64 {
        let bent = self.rise + self.slope;
        let (least, most) = (self.length / RANGE, self.length * RANGE);
        if !bent.is_finite() || self.error.is_nan() {
            return least;
        }
        if self.is_hidden() {
            return 10.0 * self.length;
        }
        self.over(bent).clamp(least, most)
    }

    /// One over the largest curvature that the bounds allow.
    pub(super) fn longest_safe(self) -> f64 {
        self.over(self.rise + self.slope + self.error)
    }

    /// One over the curvature at which F is `bent` above its tangent.
    fn over(self, bent: f64) -> f64 {
        if bent > 0.0 {
            0.5 * self.length * self.slope / bent
        } else {
            f64::INFINITY
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step of this length on ½cx² from x = 1, F known to `error`.
    fn on_quadratic(c: f64, length: f64, error: f64) -> Trial {
        let end = 1.0 - length * c;
        Trial {
            length,
            slope: length * c * c,
            rise: 0.5 * c * (end * end - 1.0),
            error,
            rounding: 0.0,
        }
    }

    #[test]
    fn the_curvature_is_found_from_far_below_and_above() {
        for c in [1e-8, 1.0, 1e8] {
            for far in [1e-7, 1e-3, 1.0, 1e3, 1e7] {
                let mut length = far / c;
                (0..6).for_each(|_| length = on_quadratic(c, length, 0.0).ideal());
                assert!((length * c - 1.0).abs() < 1e-6, "{c} {far}: {length}");
            }
        }
    }

    #[test]
    fn steps_are_judged_by_bounds_on_both_sides() {
        let (short, long) = (on_quadratic(1.0, 1.0, 0.1), on_quadratic(1.0, 3.0, 0.1));
        assert!(short.falls() && !short.is_too_long());
        assert!(!long.falls() && long.is_too_long());
        let hidden = on_quadratic(1.0, 3.0, 10.0);
        assert!(!hidden.falls() && !hidden.is_too_long());
        let nothing = Trial {
            rise: f64::NAN,
            ..short
        };
        assert!(!nothing.falls() && nothing.is_too_long() && nothing.ideal() == 0.01);
    }
}
