//! The implicit strategies by name: one for each linear solver.

use std::sync::Arc;

use autodiff::Real;
use solvers::linear::{Cg, Direct, FixedPoint, LinearSolver, Minres, Neumann, Nystrom, OneStep};
use solvers::{Aid, LowerSolve};

use super::strategies::{self, AnyStrategy, Settings};
use super::unknown;

/// The rank of `aid-nystrom` unless it is given.
const RANK: usize = 20;

/// The implicit strategy with the linear solver of this name.
pub(super) fn strategy<T: Real>(
    name: &str,
    solver: &str,
    settings: &Settings,
    lower: LowerSolve,
) -> Result<AnyStrategy<T>, String> {
    fn with<T: Real>(linear: impl LinearSolver<T> + 'static, lower: LowerSolve) -> AnyStrategy<T> {
        Arc::new(Aid::with(linear).lower(lower))
    }
    let (kind, number) = match solver.split_once(':') {
        Some((kind, number)) => (kind, Some(number)),
        None => (solver, None),
    };
    let count = number.map(|n| match n.parse::<usize>() {
        Ok(count) => Ok(count),
        Err(_) => Err(format!(
            "strategy `{name}`: expected a whole number after the colon, as in aid-{kind}:10"
        )),
    });
    let (tolerance, length) = (settings.tolerance, settings.step);
    // A count and a tolerance exclude each other: a count that was given is what is meant.
    Ok(match (kind, number) {
        ("cg", None) => {
            let cg = Cg::new();
            with(tolerance.map_or(cg, |t| cg.tolerance(t)), lower)
        }
        ("direct", None) => with(Direct, lower),
        ("minres", None) => {
            let minres = Minres::new();
            with(tolerance.map_or(minres, |t| minres.tolerance(t)), lower)
        }
        ("neumann", _) => {
            let series = Neumann::new().step(length);
            with(
                match (count.transpose()?, tolerance) {
                    (Some(order), _) => series.order(order),
                    (None, Some(tolerance)) => series.tolerance(tolerance),
                    (None, None) => series,
                },
                lower,
            )
        }
        ("fixed-point", _) => {
            let steps = FixedPoint::new().step(length);
            with(
                match (count.transpose()?, tolerance) {
                    (Some(count), _) => steps.steps(count),
                    (None, Some(tolerance)) => steps.tolerance(tolerance),
                    (None, None) => steps,
                },
                lower,
            )
        }
        ("nystrom", _) => with(Nystrom::new(count.transpose()?.unwrap_or(RANK)), lower),
        ("one-step", None) => with(OneStep::new().step(length), lower),
        _ => return Err(unknown("strategy", name, strategies::ALL)),
    })
}
