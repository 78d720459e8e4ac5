//! The solution of a lower level alone.

use autodiff::bytes::{Buffer, Category};
use autodiff::{Meter, Point, Real};
use nalgebra::DVector;

use crate::Bilevel;
use crate::inner::{AcceleratedVectors, StepLength, accelerated};

/// Iterations with one step length.
const LIMIT: usize = 20_000;
/// Step lengths that are tried, each a quarter of the one before.
const TRIALS: usize = 8;

/// A lower level's solution, as far as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct LowerSolution<T: Real> {
    /// y, of `dim_y` entries.
    pub y: DVector<T>,
    /// ‖∇_y g(x, y)‖.
    pub residual: f64,
    /// Iterations, of every trial.
    pub iterations: usize,
}

/// Minimises g(x, ·) from the problem's start to `‖∇_y g‖ ≤ tolerance`, or as far as it goes: to judge
/// an x by samples that took no part in finding it, say.
///
/// FISTA with adaptive restarts; the step length is found at the start, and is shortened where the
/// curvature elsewhere turns out to be larger.
///
/// # Requirements on the problem
/// g convex and once differentiable in y.
///
/// # Cost in oracle calls
/// One gradient an iteration, and some 20 Hessian-vector products for the first step length.
///
/// # Panics
/// If `x` does not have `dim_x` entries.
///
/// # Example
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Bilevel, solve_lower};
///
/// let g = || objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(g(), g(), 1, 1)?;
/// let solution = solve_lower(&problem, &dvector![0.3], 1e-12);
/// assert!(solution.residual <= 1e-12 && (solution.y[0] - 0.3).abs() < 1e-12);
/// # Ok::<(), solvers::ProblemError>(())
/// ```
#[track_caller]
pub fn solve_lower<T: Real>(
    problem: &Bilevel<T>,
    x: &DVector<T>,
    tolerance: f64,
) -> LowerSolution<T> {
    assert!(
        x.len() == problem.dim_x(),
        "x has {} entries: the problem's outer variable has {}",
        x.len(),
        problem.dim_x()
    );
    let (meter, dim_y) = (Meter::new(), problem.dim_y());
    let mut point = Point::new(problem.lower().clone(), &meter);
    let mut spare = Buffer::zeros(StepLength::Auto.spare(dim_y), Category::Solver, &meter);
    let mut vectors = AcceleratedVectors::new(dim_y, &meter);
    let (x, start) = (x.as_slice(), problem.start());
    let mut step = StepLength::Auto.resolve(&mut point, x, start.as_slice(), &mut spare);
    let mut best = LowerSolution {
        y: start.clone(),
        residual: f64::INFINITY,
        iterations: 0,
    };
    for _ in 0..TRIALS {
        let mut y = start.clone();
        let entries = y.as_mut_slice();
        let reached = accelerated(&mut point, x, entries, step, tolerance, LIMIT, &mut vectors);
        best.iterations += reached.iterations;
        if reached.residual < best.residual {
            (best.y, best.residual) = (y, reached.residual);
        }
        if best.residual <= tolerance {
            break;
        }
        step *= 0.25;
    }
    best
}
