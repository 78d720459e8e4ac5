//! The names of implicit differentiation: one for each linear solver.

use std::sync::Arc;

use autodiff::Real;

use crate::catalogue::{Descent, Settings};
use crate::linear;

use crate::hypergradient::StrategyEntry;

use super::{Aid, LowerSolve};

/// What descent along their hypergradients takes, beside what their linear solvers do.
const DESCENT: [&str; 4] = ["tolerance", "lower_limit", "lower_solver", "curvature"];

/// The implicit strategy of each linear solver.
pub(crate) fn entries<T: Real>() -> impl Iterator<Item = StrategyEntry<T>> {
    linear::entries::<T>()
        .into_iter()
        .map(|linear| StrategyEntry::<T> {
            pattern: linear.pattern,
            rows: linear.rows,
            // As many steps as unrolled strategies take, where it is to be compared at their iterate.
            accepts: [
                "depth",
                "step",
                "tolerance",
                "lower_limit",
                "lower_solver",
                "curvature",
                "inner",
                "same_iterate",
            ]
            .to_vec(),
            descent: linear.descent.map(|descent| Descent {
                accepts: [&DESCENT[..], &descent.accepts].concat(),
                ..descent
            }),
            family: Default::default(),
            over_the_run: None,
            make: Box::new(move |call| {
                let linear = (linear.make)(call)?;
                let aid = Aid::with(linear).lower(lower(call.settings));
                let curvature = call.settings.curvature.unwrap_or_default();
                Ok(Arc::new(aid.curvature(curvature)))
            }),
        })
}

fn lower(settings: &Settings) -> LowerSolve {
    match settings.same_iterate() {
        true => LowerSolve::Steps {
            depth: settings.depth(),
            inner: settings.inner(),
            length: settings.length(),
        },
        false => {
            let rule = settings.lower_solver.unwrap_or_default();
            rule.until(settings.tolerance, settings.lower_limit)
        }
    }
}
