//! The lower level of implicit differentiation: how it is solved, gone on with and judged.

use autodiff::Real;
use autodiff::unroll::Memory;

use crate::accuracy::{Curvature, LOST, TOLD, solved};
use crate::inner::{InnerStep, NEWTON_LIMIT, StepLength, Trend, newton};
use crate::{Bilevel, Status, Workspace, default_tolerance};

use super::super::session::residual;
use super::Aid;
use super::vectors::Vectors;

/// How the lower level is solved before it is differentiated implicitly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LowerSolve {
    /// By Newton's method, each step from conjugate gradients.
    Newton {
        /// Ends at `‖∇_y g‖ ≤ tolerance`. If `None`, at the precision's default, and then goes on
        /// until y is within 1e-7 of its own size (3e-4 in `f32`) of the solution, as far as the
        /// smallest curvature that was met can tell.
        tolerance: Option<f64>,
        /// The most iterations; 200 if `None`.
        limit: Option<usize>,
    },
    /// By exactly the steps that [`Itd`](crate::Itd) unrolls, so that the two can be compared at
    /// one iterate.
    Steps {
        /// Number of steps.
        depth: usize,
        /// The kind of step.
        inner: InnerStep,
        /// Its length.
        length: StepLength,
    },
}

impl Default for LowerSolve {
    /// Newton's method to the precision's default, in at most 200 iterations.
    fn default() -> Self {
        LowerSolve::Newton {
            tolerance: None,
            limit: None,
        }
    }
}

/// What the lower level left behind.
pub(super) struct Lower {
    /// ‖∇_y g‖ where it started, if it took steps, and where it ended.
    pub(super) before: f64,
    pub(super) residual: f64,
    pub(super) iterations: usize,
    pub(super) step: Option<f64>,
    pub(super) curvature: Curvature,
    pub(super) trend: Trend,
    /// Whether going on has come to its end.
    pub(super) stalled: bool,
}

/// The steps on the lower level are not differentiated.
pub(super) const NOTHING: Memory = Memory::Truncated { steps: 0 };

impl<L> Aid<L> {
    pub(super) fn solve_lower<T: Real>(
        &self,
        problem: &Bilevel<T>,
        x: &[T],
        work: &mut Workspace<T>,
        vectors: &mut Vectors<T>,
    ) -> Lower {
        let Vectors {
            y,
            first,
            found,
            spare,
            cg,
            ..
        } = vectors;
        match self.lower {
            LowerSolve::Newton {
                tolerance: given,
                limit,
            } => {
                let least = if self.rounding {
                    f64::MIN_POSITIVE
                } else {
                    default_tolerance::<T>()
                };
                let tolerance = given.unwrap_or(least);
                let until = (tolerance, limit.unwrap_or(NEWTON_LIMIT));
                let mut trend = Trend::default();
                let minimum = newton(&mut work.lower, x, y, until, spare, cg, &mut trend);
                Lower {
                    before: f64::INFINITY,
                    residual: minimum.residual,
                    iterations: minimum.iterations,
                    step: None,
                    curvature: minimum.curvature,
                    trend,
                    stalled: false,
                }
            }
            LowerSolve::Steps {
                depth,
                inner,
                length,
            } => {
                let length = inner.length(length).resolve(&mut work.lower, x, y, found);
                let before = residual(&mut work.lower, x, y);
                let key = format!("itd {inner:?} {length:e}");
                let mut steps = work.take(&key, || inner.record(problem.lower(), length));
                let last = steps.forward(x, first, depth, NOTHING);
                y.copy_from_slice(&last[..problem.dim_y()]);
                work.put(key, steps);
                let after = residual(&mut work.lower, x, y);
                Lower {
                    before,
                    residual: after,
                    iterations: depth,
                    step: Some(length),
                    curvature: Curvature::new(),
                    trend: Trend::default(),
                    stalled: false,
                }
            }
        }
    }

    /// Brings y nearer to a solution that it is a relative `distance` off, where nobody has said
    /// how near it should be. Whether y is another one.
    pub(super) fn go_on<T: Real>(
        &self,
        x: &[T],
        work: &mut Workspace<T>,
        vectors: &mut Vectors<T>,
        lower: &mut Lower,
        distance: f64,
    ) -> bool {
        let LowerSolve::Newton {
            tolerance: None,
            limit,
        } = self.lower
        else {
            return false;
        };
        let left = limit
            .unwrap_or(NEWTON_LIMIT)
            .saturating_sub(lower.iterations);
        // Written so that a NaN, or no curvature, ends it.
        if !(distance > solved::<T>() && distance.is_finite()) || left == 0 || lower.stalled {
            return false;
        }
        let wanted = lower.residual * (0.1 * solved::<T>() / distance);
        let Vectors { y, spare, cg, .. } = vectors;
        let until = (wanted, left);
        let minimum = newton(&mut work.lower, x, y, until, spare, cg, &mut lower.trend);
        let moved = minimum.residual < lower.residual;
        lower.stalled = !(minimum.residual < 0.5 * lower.residual);
        lower.residual = minimum.residual;
        lower.iterations += minimum.iterations;
        lower.curvature = minimum.curvature;
        if !moved {
            // The linear system's own products again.
            work.lower.second(&[None, Some(&vectors.v)]);
        }
        moved
    }

    /// That Newton's method has come to its limit before its tolerance: more iterations may do.
    pub(super) fn short<T: Real>(&self, lower: &Lower) -> Option<Status> {
        let LowerSolve::Newton { tolerance, limit } = self.lower else {
            return None;
        };
        let tolerance = tolerance.unwrap_or(default_tolerance::<T>());
        let residual = lower.residual;
        let spent = lower.iterations >= limit.unwrap_or(NEWTON_LIMIT) && residual > tolerance;
        spent.then_some(Status::LowerNotConverged {
            residual,
            tolerance,
        })
    }

    /// What a lower level left at this relative `distance` is, and what is to be said of it.
    pub(super) fn judge<T: Real>(&self, lower: &Lower, distance: f64) -> (Status, Option<String>) {
        let (before, residual) = (lower.before, lower.residual);
        let off = |allowed: f64| Status::LowerInaccurate { distance, allowed };
        let warning = |from: f64| {
            (distance > from).then(|| {
                format!(
                    "y is off the lower level's solution by some {distance:.1e} of its size \
                     (‖∇_y g‖ = {residual:.1e}): solve it further"
                )
            })
        };
        // Written so that a NaN is no success.
        match self.lower {
            LowerSolve::Newton {
                tolerance: Some(tolerance),
                ..
            } => {
                if !(residual <= tolerance) {
                    let short = Status::LowerNotConverged {
                        residual,
                        tolerance,
                    };
                    (short, None)
                } else if !(distance <= LOST) {
                    (off(LOST), None)
                } else {
                    (Status::Converged, warning(tolerance.max(solved::<T>())))
                }
            }
            _ if distance <= solved::<T>() => (Status::Converged, None),
            LowerSolve::Newton { .. } => {
                let short = self.short::<T>(lower);
                (short.unwrap_or(off(solved::<T>())), None)
            }
            LowerSolve::Steps { .. } if !(residual <= before) => {
                let after = residual;
                (Status::LowerDiverged { before, after }, None)
            }
            LowerSolve::Steps { .. } if !(distance <= LOST) => (off(LOST), None),
            LowerSolve::Steps { .. } => (Status::Stepped, warning(TOLD)),
        }
    }
}
