//! What a step is judged by.

/// Growth of a step whose effect the errors hide: the reference's.
const HIDDEN: f64 = 0.95;
/// Growth of a step whose effect rounding hides: an L that is far too large comes back.
const SHORT: f64 = 0.5;
/// The most that L falls by after a step, and rises by after one that was taken back.
const RANGE: (f64, f64) = (10.0, 100.0);

/// A step d along a hypergradient p, and where it led.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    /// pᵀd: what F was to change by.
    pub(super) slope: f64,
    /// ‖d‖.
    pub(super) moved: f64,
    /// What F did change by.
    pub(super) rise: f64,
    /// How much of that the accuracies explain.
    pub(super) error: f64,
    /// How much of it rounding does.
    pub(super) rounding: f64,
    /// Whether x is held to a set.
    pub(super) bounded: bool,
}

/// What follows from a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    /// Whether the step is kept.
    pub(super) stays: bool,
    /// The next L.
    pub(super) smoothness: f64,
    /// Whether later accuracies are halved.
    pub(super) sharpen: bool,
}

impl Trial {
    /// Judges a step that was made with this L.
    pub(super) fn judge(self, l: f64) -> Verdict {
        let squared = self.moved * self.moved;
        let bent = self.rise - self.slope;
        let verdict = |stays, smoothness: f64, sharpen| Verdict {
            stays,
            smoothness: smoothness.clamp(f64::MIN_POSITIVE, f64::MAX),
            sharpen,
        };
        // No number is that small, or a bound held it, which says nothing.
        if squared == 0.0 {
            return verdict(true, if self.bounded { l } else { SHORT * l }, false);
        }
        // Of F along d, as far as the two values tell.
        let curvature = 2.0 * bent / squared;
        // Written so that a NaN is taken back.
        let stays = bent <= 0.5 * l * squared + self.error + self.rounding;
        if !stays {
            let longest = RANGE.1 * l;
            let next = if curvature.is_finite() {
                curvature.clamp(2.0 * l, longest.max(2.0 * l))
            } else {
                longest
            };
            return verdict(false, next, true);
        }
        let promised = -0.5 * self.slope;
        if self.rounding >= promised {
            verdict(true, SHORT * l, false)
        } else if self.error >= promised {
            verdict(true, HIDDEN * l, true)
        } else {
            verdict(true, curvature.clamp(l / RANGE.0, l), false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step of p/L on ½cx² from x = 1.
    fn on_quadratic(c: f64, l: f64) -> Trial {
        let moved = c / l;
        Trial {
            slope: -c * moved,
            moved,
            rise: 0.5 * c * ((1.0 - moved).powi(2) - 1.0),
            error: 0.0,
            rounding: 0.0,
            bounded: false,
        }
    }

    #[test]
    fn steps_up_to_one_over_the_curvature_stay_and_longer_ones_do_not() {
        for c in [1e-9, 1.0, 1e9] {
            for (l, stays, next) in [
                (0.5, false, 1.0),
                (0.999, false, 1.998),
                (1e-4, false, 1e-2),
                (1.001, true, 1.0),
                (5.0, true, 1.0),
                (1e4, true, 1e3),
            ] {
                let verdict = on_quadratic(c, l * c).judge(l * c);
                assert_eq!(verdict.stays, stays, "{l}");
                let off = verdict.smoothness / (next * c) - 1.0;
                assert!(off.abs() < 1e-6, "{l}: {off}");
            }
        }
    }

    #[test]
    fn what_the_errors_hide_is_sharpened_and_what_is_no_number_taken_back() {
        let plain = on_quadratic(1.0, 2.0);
        let hidden = Trial {
            error: 1.0,
            ..plain
        };
        assert_eq!(
            hidden.judge(2.0),
            Verdict {
                stays: true,
                smoothness: 1.9,
                sharpen: true
            }
        );
        let blocked = Trial {
            moved: 0.0,
            slope: 0.0,
            bounded: true,
            ..plain
        };
        assert_eq!(blocked.judge(2.0).smoothness, 2.0);
        let tiny = Trial {
            bounded: false,
            ..blocked
        };
        assert_eq!(tiny.judge(2.0).smoothness, 1.0);
        for rise in [f64::NAN, f64::INFINITY] {
            let verdict = Trial { rise, ..plain }.judge(2.0);
            assert!(!verdict.stays && verdict.smoothness == 200.0);
        }
    }
}
