//! What an implicit answer is worth: its status and warnings.

use autodiff::Real;

use crate::accuracy::TOLD;
use crate::linear::system::Solution;
use crate::lower::Lower;
use crate::settling::Settling;
use crate::{Part, Status};

use super::super::frame::Answer;
use super::{Found, Parts};

impl<T: Real> Parts<'_, T> {
    /// What a lower level at this relative `distance` and the solution of the linear system are worth
    /// together. `saddle` says that y is a stationary point that was meant.
    pub(super) fn judge(
        &self,
        lower: &Lower,
        solution: &Solution,
        distance: f64,
        (saddle, settling): (bool, &Settling<'_, T>),
    ) -> Answer {
        let (status, warning) = self.lower.judge::<T>(lower, distance, settling.is_enough());
        let mut warnings = Vec::new();
        if saddle {
            warnings.push(format!(
                "y, which the lower level was started at, is stationary and no minimiser: this is \
                 the derivative of that point ({})",
                solution.status
            ));
        }
        let mut status = match (solution.status.clone(), status) {
            (_, s) if saddle => s,
            // A Hessian that is not positive definite says more than a residual, and no residual
            // can be told from what is not finite.
            (s, _) if solution.flawed => s,
            (Status::Converged, s) => s,
            (s, Status::Converged | Status::Stepped) => s,
            (_, s) => s,
        };
        if let (true, Some(relative_curvature)) = (status.is_success(), lower.trend.degenerate()) {
            let singular = Status::SingularHessian { relative_curvature };
            status = self.lower.short::<T>(lower).unwrap_or(singular);
        }
        if let (true, Some(unsettled)) = (status.is_success(), settling.complaint()) {
            status = unsettled;
        }
        if status.is_success() {
            warnings.extend(warning);
            warnings.extend(solve_further(solution.error, solution.residual));
            warnings.extend(solution.remark.clone());
        }
        Answer {
            distance: Some(distance),
            change: settling.change(),
            lower_iterations: lower.iterations,
            linear_residual: Some(solution.residual),
            linear_iterations: solution.iterations,
            step: lower.step,
            warnings,
            ..Answer::new(status, f64::NAN, lower.residual)
        }
    }
}

/// What a part beside g adds to an answer: the margin to another active set, and whether its
/// derivative is that of a proximal map.
pub(super) fn settle<T: Real>(answer: &mut Answer, part: &Part<T>, found: Found<T>) {
    answer.margin = found.margin;
    answer.warnings.extend(found.remark);
    let asymmetry = found.asymmetry;
    // Written so that a NaN is no success.
    if answer.status.is_success() && !(asymmetry <= 1e-6_f64.max(1e3 * T::EPSILON)) {
        let name = part.name();
        let reason = format!(
            "{name}: the derivative of its proximal map is not symmetric, by {asymmetry:.1e}, as that of \
             every convex part is; expected one, or aid-step"
        );
        answer.status = Status::Undefined { reason };
    }
}

/// A warning where the linear system's solution may be off by this part of its size, if that matters.
pub(in super::super) fn solve_further(error: f64, residual: f64) -> Option<String> {
    (error > TOLD).then(|| {
        format!(
            "the linear system's solution may be off by some {error:.1e} of its size (relative \
             residual {residual:.1e}): solve it further"
        )
    })
}
