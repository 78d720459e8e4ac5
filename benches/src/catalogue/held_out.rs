//! Samples kept apart: their lower level is solved at the x of a run, for their metrics.

use autodiff::Real;
use models::HeldOut;
use nalgebra::DVector;
use solvers::{Bilevel, ProblemError, solve_lower};

/// ‖∇_y g‖ that these lower levels are solved to, if the precision allows: metrics then change by far
/// less than their digits.
const TOLERANCE: f64 = 1e-6;
/// The same in `f32`.
const TOLERANCE_F32: f64 = 1e-4;

/// The lower level as a problem of its own. F takes no part; g stands in its place.
pub(crate) fn problem<T: Real>(apart: &HeldOut<T>) -> Result<Bilevel<T>, ProblemError> {
    let (g, x) = (&apart.lower, apart.lower.input_shape(0).len());
    let problem = Bilevel::new(g.clone(), g.clone(), x, apart.y.len())?;
    Ok(problem.starting_from(apart.y.clone()))
}

/// Its solution at x, always from the same start; all NaN where it was not found.
pub(crate) fn solution<T: Real>(problem: &Bilevel<T>, x: &DVector<T>) -> DVector<T> {
    let tolerance = if T::NAME == "f32" {
        TOLERANCE_F32
    } else {
        TOLERANCE
    };
    let solution = solve_lower(problem, x, tolerance);
    if solution.status.is_success() {
        return solution.y;
    }
    // A metric of anything else would be one of the solver.
    solution.y.map(|_| T::of(f64::NAN))
}
