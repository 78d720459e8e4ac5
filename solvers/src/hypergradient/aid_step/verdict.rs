//! What the end of the steps and the linear system's solution are worth.

use autodiff::Real;

use crate::Status;
use crate::hypergradient::Strategy;

use super::{AidStep, Settling};

/// Where the steps, or the iterations of a map, have ended.
pub(super) struct End {
    /// The residual of the lower level where they started, and here.
    pub(super) before: f64,
    pub(super) after: f64,
    /// How far the fixed point is, as a part of y's size.
    pub(super) distance: f64,
    /// Whether the tolerance is met, as far as one was given: the default is within reach of rounding.
    pub(super) met: bool,
    /// Whether they went away from the fixed point.
    pub(super) diverged: bool,
    /// Whether more of them could come nearer.
    pub(super) unfinished: bool,
}

impl AidStep {
    /// What y at this relative distance and the solution of the linear system are worth together. Where the
    /// fixed point `repels`, by a relative curvature, it is no solution.
    pub(super) fn status<T: Real>(
        &self,
        end: &End,
        (residual, repels): (f64, Option<f64>),
        settling: &Settling<'_, T>,
    ) -> Status {
        let (distance, allowed) = (end.distance, self.allowed::<T>());
        let asked = self.linear::<T>();
        let near = distance <= allowed && end.met;
        let linear = Status::LinearNotConverged {
            residual,
            tolerance: asked,
        };
        // Written so that a NaN is no success.
        if let Some(relative_curvature) = repels {
            Status::NegativeCurvature { relative_curvature }
        } else if near && residual <= asked {
            settling.complaint().unwrap_or(Status::Converged)
        } else if near {
            linear
        } else if end.diverged {
            Status::LowerDiverged {
                before: end.before,
                after: end.after,
            }
        } else if end.unfinished {
            Status::LowerNotConverged {
                residual: end.after,
                tolerance: self.residual::<T>(),
            }
        } else if residual > asked {
            // Without its solution nothing is known of the distance.
            linear
        } else {
            Status::LowerInaccurate { distance, allowed }
        }
    }

    /// What is to be said beside the status of `depth` steps.
    pub(super) fn remark<T: Real>(
        &self,
        status: &Status,
        end: &End,
        depth: usize,
        length: f64,
    ) -> Option<String> {
        match status {
            Status::LowerNotConverged { .. } => {
                let remedy = if end.after < 0.99 * end.before {
                    "allow more, or measure y in units of like curvature"
                } else {
                    "take a shorter one where they go to and fro"
                };
                Some(format!(
                    "{depth} steps of length {length:.1e} did not settle: {remedy}"
                ))
            }
            Status::LinearNotConverged { .. } => Some(format!(
                "the step's fixed point was differentiated by {}: where it does not contract, the \
                 lower level has more than one solution; where it is slow, use gmres",
                Strategy::<T>::name(self)
            )),
            _ => None,
        }
    }
}
