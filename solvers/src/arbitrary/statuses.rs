//! Every status.

use autodiff::unroll::{DiskError, Irreversible};

use crate::Status;

/// One of each [`Status`]; a new one does not compile until it is named here.
#[must_use]
pub fn statuses() -> Vec<Status> {
    let (residual, tolerance, relative_curvature) = (1.0, 0.5, 0.0);
    let all = vec![
        Status::Converged,
        Status::Unrolled,
        Status::Stepped,
        Status::LowerNotConverged {
            residual,
            tolerance,
        },
        Status::LowerInaccurate {
            distance: 1.0,
            allowed: 0.1,
        },
        Status::Unsettled {
            change: 0.1,
            allowed: 1e-3,
        },
        Status::LowerStuck {
            before: 1.0,
            after: 1.0,
            left: 1.0,
        },
        Status::CotangentGrew { growth: 2.0 },
        Status::LowerDiverged {
            before: 1.0,
            after: 2.0,
        },
        Status::LinearNotConverged {
            residual,
            tolerance,
        },
        Status::LinearApproximate { residual },
        Status::CurvatureApproximate {
            residual,
            solved: 0.0,
        },
        Status::CurvatureIndefinite { relative_curvature },
        Status::LinearDiverged { growth: 2.0 },
        Status::InconsistentSystem { residual },
        Status::SingularHessian { relative_curvature },
        Status::NegativeCurvature { relative_curvature },
        Status::Infeasible { violation: 1.0 },
        Status::DependentConstraints { relative: 0.0 },
        Status::NonFinite {
            place: String::new(),
        },
        Status::Undefined {
            reason: String::new(),
        },
        Status::Irreversible(Irreversible::Strayed),
        Status::Disk(DiskError::new(0, 0, "full")),
        Status::Interrupted,
    ];
    for status in &all {
        match status {
            Status::Converged
            | Status::Unrolled
            | Status::Stepped
            | Status::LowerNotConverged { .. }
            | Status::LowerInaccurate { .. }
            | Status::Unsettled { .. }
            | Status::LowerStuck { .. }
            | Status::CotangentGrew { .. }
            | Status::LowerDiverged { .. }
            | Status::LinearNotConverged { .. }
            | Status::LinearApproximate { .. }
            | Status::CurvatureApproximate { .. }
            | Status::CurvatureIndefinite { .. }
            | Status::LinearDiverged { .. }
            | Status::InconsistentSystem { .. }
            | Status::SingularHessian { .. }
            | Status::NegativeCurvature { .. }
            | Status::Infeasible { .. }
            | Status::DependentConstraints { .. }
            | Status::NonFinite { .. }
            | Status::Undefined { .. }
            | Status::Irreversible(_)
            | Status::Disk(_)
            | Status::Interrupted => {}
        }
    }
    all
}
