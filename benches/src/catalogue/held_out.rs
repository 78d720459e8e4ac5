//! Samples kept apart: their lower level is solved at the x of a run, for their metrics.

use autodiff::Real;
use models::HeldOut;
use nalgebra::DVector;
use solvers::linear::OneStep;
use solvers::{Aid, Bilevel, ProblemError, Strategy};

/// ‖∇_y g‖ that these lower levels are solved to: metrics change by far less than their digits.
const TOLERANCE: f64 = 1e-5;

/// The lower level as a problem of its own. F takes no part; g stands in its place.
pub(crate) fn problem<T: Real>(apart: &HeldOut<T>) -> Result<Bilevel<T>, ProblemError> {
    let (g, x) = (&apart.lower, apart.lower.input_shape(0).len());
    let problem = Bilevel::new(g.clone(), g.clone(), x, apart.y.len())?;
    Ok(problem.starting_from(apart.y.clone()))
}

/// Its solution at x, always from the same start.
pub(crate) fn solution<T: Real>(problem: &Bilevel<T>, x: &DVector<T>) -> DVector<T> {
    // The hypergradient is not looked at; with one step for a linear system it costs next to nothing.
    let strategy = Aid::with(OneStep::new()).lower_tolerance(TOLERANCE);
    let estimate = strategy.hypergradient(problem, x, &mut problem.workspace());
    estimate.expect("valid settings").y
}
