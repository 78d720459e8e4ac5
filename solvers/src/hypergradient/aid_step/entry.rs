//! The names of implicit differentiation of a step's fixed point.

use std::sync::Arc;

use autodiff::Real;

use crate::catalogue::Settings;
use crate::hypergradient::StrategyEntry;
use crate::lower::Steps;

use super::{AidStep, StepSystem};

/// Iterations after which `aid-step-gmres` starts again.
const RESTART: usize = 50;

/// `aid-step`, and the same with another linear solver.
pub(crate) fn entries<T: Real>() -> [StrategyEntry<T>; 2] {
    let accepts = ["step", "tolerance", "lower_limit", "inner"];
    [
        StrategyEntry::new(
            "aid-step",
            "implicit differentiation of the fixed point of an --inner step, by its iteration",
            &accepts,
            |call| Ok(Arc::new(aid_step(call.settings))),
        ),
        StrategyEntry::new(
            "aid-step-gmres",
            "the same, linear system by generalised minimal residuals",
            &accepts,
            |call| {
                let gmres = StepSystem::Gmres { restart: RESTART };
                Ok(Arc::new(aid_step(call.settings).system(gmres)))
            },
        ),
    ]
}

fn aid_step(settings: &Settings) -> AidStep {
    let aid = AidStep::new(settings.inner());
    AidStep {
        steps: Steps {
            inner: settings.inner(),
            length: settings.length(),
        },
        tolerance: settings.tolerance,
        limit: settings.lower_limit.unwrap_or(aid.limit),
        ..aid
    }
}
