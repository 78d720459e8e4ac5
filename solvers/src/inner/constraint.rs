//! Sets that a variable is kept in.

use autodiff::kernels::dot;
use autodiff::{Real, Var};

use super::simplex::{SimplexProjection, above, threshold};

/// A closed convex set that an iterate is projected to: the outer variable by a method, the inner
/// one by its steps.
///
/// The projections of a step are recorded operations, so every strategy that unrolls the step
/// differentiates them. They are differentiable almost everywhere; what is returned at a kink
/// stands with each set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Constraint {
    /// Every point: nothing is projected.
    #[default]
    None,
    /// Every entry in `low ..= high`; either may be infinite.
    ///
    /// The derivative keeps an entry strictly inside, and loses one strictly outside. At a bound
    /// itself it is ½, as that of [`Var::max`].
    Box {
        /// Lower bound of every entry.
        low: f64,
        /// Upper bound of every entry.
        high: f64,
    },
    /// The probability simplex: no entry negative, their sum 1.
    ///
    /// The derivative is the projection to the face of the entries that stay positive: it takes
    /// the mean over them off. An entry that becomes 0 exactly counts as one that does not.
    ///
    /// Reference: J. Duchi et al., Efficient projections onto the l1-ball for learning in high
    /// dimensions, ICML 2008, section 3.
    Simplex,
    /// The Euclidean ball about 0.
    ///
    /// The derivative outside is `r/‖v‖ (I − v vᵀ/‖v‖²)`, inside I; on the sphere itself the mean
    /// of the two.
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

    /// The nearest point of the set as an operation.
    pub(crate) fn record<T: Real>(self, v: Var<'_, T>) -> Var<'_, T> {
        match self {
            Constraint::None => v,
            Constraint::Box { low, high } => {
                let above = match low {
                    f64::NEG_INFINITY => v,
                    low => v.max(v.scalar(T::of(low))),
                };
                match high {
                    f64::INFINITY => above,
                    high => above.min(v.scalar(T::of(high))),
                }
            }
            Constraint::Simplex => v.fused(SimplexProjection, &[]),
            Constraint::Ball { radius } => {
                // The root of the larger square: ‖v‖ itself has no derivative at 0.
                let radius = T::of(radius);
                let squared = v.norm_squared().max(v.scalar(radius * radius));
                v * (v.scalar(radius) / squared.sqrt())
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
