//! The names of implicit differentiation: one for each linear solver.

use std::sync::Arc;

use autodiff::Real;

use crate::catalogue::{Descent, Settings};
use crate::linear;

use crate::hypergradient::StrategyEntry;

use super::{Aid, LowerSolve};

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
                "inner",
                "same_iterate",
            ]
            .to_vec(),
            descent: linear.descent.map(|descent| Descent {
                accepts: [&["tolerance", "lower_limit"], &descent.accepts[..]].concat(),
                ..descent
            }),
            family: Default::default(),
            over_the_run: None,
            make: Box::new(move |call| {
                let linear = (linear.make)(call)?;
                Ok(Arc::new(Aid::with(linear).lower(lower(call.settings))))
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
        false => LowerSolve::Newton {
            tolerance: settings.tolerance,
            limit: settings.lower_limit,
        },
    }
}
