//! What a linear solver reports.

use crate::Status;

/// How a linear solve ended.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The tolerance was met.
    Converged,
    /// All that was asked for was done, and no tolerance was: a count of iterations, or an
    /// approximation of H.
    Approximate,
    /// The iterations ran out.
    Exhausted,
    /// The iteration moves away from the solution.
    Diverged {
        /// Factor by which the residual grows in a step: the spectral radius is this or more.
        growth: f64,
    },
    /// H is singular to working precision and b is not in its range: what is answered leaves the
    /// least residual.
    Inconsistent {
        /// ‖Hv − b‖ / ‖b‖ there.
        residual: f64,
    },
    /// H is singular to working precision.
    Singular {
        /// Smallest curvature met, in units of the largest.
        relative_curvature: f64,
    },
    /// H has a negative eigenvalue.
    Negative {
        /// Most negative curvature met, in units of the largest magnitude.
        relative_curvature: f64,
    },
    /// A product was NaN or infinite.
    NonFinite,
}

impl Outcome {
    /// What it says of the system where it is no answer; `None` if it is one, or fell short.
    pub(crate) fn flaw(self) -> Option<Status> {
        match self {
            Outcome::Converged | Outcome::Exhausted | Outcome::Approximate => None,
            Outcome::Diverged { growth } => Some(Status::LinearDiverged { growth }),
            Outcome::Inconsistent { residual } => Some(Status::InconsistentSystem { residual }),
            Outcome::Singular { relative_curvature } => {
                Some(Status::SingularHessian { relative_curvature })
            }
            Outcome::Negative { relative_curvature } => {
                Some(Status::NegativeCurvature { relative_curvature })
            }
            Outcome::NonFinite => Some(Status::in_a_product()),
        }
    }
}

/// What a linear solver reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Iterations made.
    pub iterations: usize,
}

impl Report {
    /// Of a right-hand side of zeros, whose solution is 0 without an iteration.
    pub(crate) const OF_ZERO: Report = Report {
        outcome: Outcome::Converged,
        iterations: 0,
    };

    /// Before anything was done.
    pub(crate) const BEGUN: Report = Report {
        outcome: Outcome::Exhausted,
        iterations: 0,
    };
}
