//! What the end of the steps and the linear system's solution are worth.

use autodiff::Real;

use crate::Status;
use crate::hypergradient::Strategy;

use super::system::Solution;
use super::{AidStep, Settling};

/// Where the steps have ended.
pub(super) struct End {
    /// The residual of the lower level where they started, and here.
    pub(super) before: f64,
    pub(super) after: f64,
    /// How far the fixed point is, as a part of y's size.
    pub(super) distance: f64,
}

impl AidStep {
    /// What y at this relative `distance` and the solution of the linear system are worth together.
    pub(super) fn status<T: Real>(
        &self,
        end: &End,
        solution: &Solution,
        settling: &Settling<'_, T>,
    ) -> Status {
        let (tolerance, allowed) = (self.residual::<T>(), self.allowed::<T>());
        let asked = self.linear::<T>();
        let End {
            before,
            after,
            distance,
        } = *end;
        // A given tolerance is strict; the default is within reach of rounding.
        let met = after <= tolerance || self.tolerance.is_none();
        let near = distance <= allowed;
        let linear = Status::LinearNotConverged {
            residual: solution.residual,
            tolerance: asked,
        };
        // Written so that a NaN is no success.
        if let Some(relative_curvature) = solution.repels {
            Status::NegativeCurvature { relative_curvature }
        } else if near && met && solution.residual <= asked {
            settling.complaint().unwrap_or(Status::Converged)
        } else if near && met {
            linear
        } else if !near && !(after <= before) {
            Status::LowerDiverged { before, after }
        } else if after > tolerance {
            Status::LowerNotConverged {
                residual: after,
                tolerance,
            }
        } else if solution.residual > asked {
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
