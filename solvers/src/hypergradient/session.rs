//! What every strategy measures and checks in the same way.

use std::time::Instant;

use autodiff::bytes::{Category, Claim};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Point, Real};
use nalgebra::DVector;

use crate::{Estimate, Oracles, Status, Workspace};

/// A call of a strategy, from its start.
pub(super) struct Session {
    started: Instant,
    oracles: Oracles,
}

impl Session {
    pub(super) fn begin<T: Real>(work: &Workspace<T>) -> Self {
        work.meter().reset_peak();
        Session {
            started: Instant::now(),
            oracles: work.oracles(),
        }
    }

    /// Completes an estimate: measures, and looks for values that are not finite.
    pub(super) fn finish<T: Real>(
        self,
        work: &Workspace<T>,
        mut estimate: Estimate<T>,
    ) -> Estimate<T> {
        estimate.bytes = work.bytes();
        estimate.oracles = work.oracles() - self.oracles;
        // What is NaN because a loop could not be undone is said to be that.
        let said = matches!(estimate.status, Status::Irreversible(_));
        if !said && estimate.hypergradient.iter().any(|v| !v.is_finite()) {
            estimate.status = Status::NonFinite {
                place: locate(work),
            };
        }
        estimate.seconds = self.started.elapsed().as_secs_f64();
        estimate
    }
}

/// An estimate before its parts are known.
pub(super) fn blank<T: Real>(strategy: String, y: DVector<T>) -> Estimate<T> {
    Estimate {
        strategy,
        hypergradient: DVector::zeros(0),
        y,
        upper: f64::NAN,
        status: Status::Converged,
        lower_residual: f64::NAN,
        linear_residual: None,
        certificate: None,
        lower_iterations: 0,
        linear_iterations: 0,
        recomputed_steps: 0,
        step: None,
        oracles: Oracles::default(),
        bytes: Default::default(),
        seconds: 0.0,
        warnings: Vec::new(),
    }
}

/// A vector of the estimate, counted while the estimate is made.
pub(super) fn counted<T: Real>(entries: &[T], meter: &Meter) -> (DVector<T>, Claim) {
    let claim = Claim::new(size_of_val(entries), Category::Solver, meter);
    (DVector::from_column_slice(entries), claim)
}

/// ‖∇_y g(x, y)‖, by one gradient.
pub(super) fn residual<T: Real>(lower: &mut Point<T>, x: &[T], y: &[T]) -> f64 {
    lower.differentiate(&[x, y], Inputs::one(1));
    norm(lower.gradient(1)).f64()
}

/// The status of a loop that was unrolled, from ‖∇_y g‖ at its ends.
pub(super) fn unrolled_status(before: f64, after: f64) -> Status {
    // At a start that is already stationary, rounding alone may move the residual.
    if after.is_finite() && after <= before.max(1e-6) * 1.000_001 {
        Status::Unrolled
    } else {
        Status::LowerDiverged { before, after }
    }
}

fn locate<T: Real>(work: &Workspace<T>) -> String {
    let upper = work.upper.first_non_finite().map(|at| ("F", at));
    let found = upper.or_else(|| work.lower.first_non_finite().map(|at| ("g", at)));
    match found {
        Some((level, at)) => format!("in the objective {level}: {at}"),
        None => "the derivatives overflow although both objectives are finite".into(),
    }
}
