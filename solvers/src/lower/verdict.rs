//! What a lower level that was solved is worth.

use autodiff::Real;

use super::{Lower, LowerSolve};
use crate::accuracy::{LOST, TOLD, solved};
use crate::{Status, default_tolerance};

impl LowerSolve {
    /// The status of a solver that came to its limit before its tolerance: more iterations may do.
    pub(crate) fn short<T: Real>(&self, lower: &Lower) -> Option<Status> {
        let (tolerance, limit) = self.ends(lower.has_part);
        if limit == 0 {
            return None;
        }
        let tolerance = tolerance.unwrap_or(default_tolerance::<T>());
        let residual = lower.residual;
        let spent = lower.iterations >= limit && residual > tolerance;
        spent.then_some(Status::LowerNotConverged {
            residual,
            tolerance,
        })
    }

    /// What a lower level left at this relative `distance` is, and what is to be said of it.
    /// With a tolerance, whether it is near `enough` for what is made of it.
    pub(crate) fn judge<T: Real>(
        &self,
        lower: &Lower,
        distance: f64,
        enough: bool,
    ) -> (Status, Option<String>) {
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
        let (given, limit) = self.ends(lower.has_part);
        // Written so that a NaN is no success.
        match given {
            Some(tolerance) if !(residual <= tolerance) => {
                let short = Status::LowerNotConverged {
                    residual,
                    tolerance,
                };
                (short, None)
            }
            Some(_) if !(distance <= LOST) => (off(LOST), None),
            Some(_) => (Status::Converged, warning(0.0).filter(|_| !enough)),
            None if distance <= solved::<T>() => (Status::Converged, None),
            None if limit > 0 => {
                let short = self.short::<T>(lower);
                (short.unwrap_or(off(solved::<T>())), None)
            }
            None if !(residual <= before) => {
                let after = residual;
                (Status::LowerDiverged { before, after }, None)
            }
            None if !(distance <= LOST) => (off(LOST), None),
            None => (Status::Stepped, warning(TOLD)),
        }
    }
}
