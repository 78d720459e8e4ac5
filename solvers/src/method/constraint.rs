//! Sets of numbers that a variable is kept in.

use autodiff::Real;
use autodiff::kernels::dot;

use crate::part::{above, threshold};

/// A closed convex set of numbers: the outer variable's, to which a method projects it, or the lower
/// level's, as a [`Part`](crate::Part) of the problem (`Part::from`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Constraint {
    /// Every point: nothing is projected.
    #[default]
    None,
    /// Every entry in `low ..= high`; either may be infinite.
    Box {
        /// Lower bound of every entry.
        low: f64,
        /// Upper bound of every entry.
        high: f64,
    },
    /// The probability simplex: no entry negative, their sum 1.
    ///
    /// Reference: J. Duchi et al., Efficient projections onto the l1-ball for learning in high
    /// dimensions, ICML 2008, section 3.
    Simplex,
    /// The Euclidean ball about 0.
    Ball {
        /// Its radius r; positive.
        radius: f64,
    },
}

impl Constraint {
    /// Replaces `v` by the nearest point of the set. NaN stays NaN.
    ///
    /// # Example
    /// ```
    /// use solvers::Constraint;
    ///
    /// let mut v: [f64; 3] = [0.5, 0.9, -3.0];
    /// Constraint::Simplex.project(&mut v);
    /// assert!((v[0] - 0.3).abs() < 1e-15 && (v[1] - 0.7).abs() < 1e-15 && v[2] == 0.0);
    /// ```
    pub fn project<T: Real>(self, v: &mut [T]) {
        match self {
            Constraint::None => {}
            Constraint::Box { low, high } => {
                let (low, high) = (T::of(low), T::of(high));
                // Not `clamp`, which panics on NaN bounds; a NaN entry stays one and is reported.
                for v in v {
                    if *v < low {
                        *v = low;
                    } else if *v > high {
                        *v = high;
                    }
                }
            }
            Constraint::Simplex => {
                let tau = threshold(v);
                for v in v {
                    *v = above(*v, tau);
                }
            }
            Constraint::Ball { radius } => {
                let (radius, squared) = (T::of(radius), dot(v, v));
                // NaN is not taken for a point inside.
                if squared > radius * radius || !squared.is_finite() {
                    let share = radius / squared.sqrt();
                    for v in v {
                        *v *= share;
                    }
                }
            }
        }
    }

    /// The reason why this is no set, if it is none.
    pub(crate) fn complaint(self) -> Option<String> {
        match self {
            Constraint::Box { low, high } if low.is_nan() || high.is_nan() || low > high => Some(
                format!("bounds {low} to {high}: expected the lower one first"),
            ),
            Constraint::Box { low, high } if low == f64::INFINITY || high == f64::NEG_INFINITY => {
                Some(format!(
                    "bounds {low} to {high}: expected a finite number between them"
                ))
            }
            Constraint::Ball { radius } if !(radius.is_finite() && radius > 0.0) => {
                Some(format!("radius {radius}: expected a positive number"))
            }
            _ => None,
        }
    }
}

/// Bounds of every entry, or none.
impl From<Option<(f64, f64)>> for Constraint {
    fn from(bounds: Option<(f64, f64)>) -> Self {
        match bounds {
            Some((low, high)) => Constraint::Box { low, high },
            None => Constraint::None,
        }
    }
}
