//! The solution of a lower level alone.

use autodiff::bytes::{Buffer, Category};
use autodiff::{Meter, Point, Real};
use nalgebra::DVector;

use crate::accuracy::{Curvature, part as part_of_size, solved};
use crate::constraints::{self, ConstraintPoint, Level, Trouble};
use crate::hessian::Hessian;
use crate::inner::StepLength;
use crate::linear::{Cg, LinearSolver, Scratch, system::along_all};
use crate::part::{Face, OnFace, PartPoint};
use crate::{Bilevel, Status};

use super::{
    Lower, LowerAt, LowerSolve, NEWTON_LIMIT, Trend, Working, accelerated, newton, newton_scratch,
    proximal_scratch,
};

/// Iterations with one step length.
const LIMIT: usize = 20_000;
/// Step lengths that are tried, each a quarter of the one before.
const TRIALS: usize = 8;
/// How often Newton's method may go on.
const ROUNDS: usize = 4;

/// A lower level's solution, as far as it was found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LowerSolution<T: Real> {
    /// y, of `dim_y` entries.
    pub y: DVector<T>,
    /// ‖∇_y g(x, y)‖; beside a part `‖y − P_s(y − s ∇_y g)‖ / s`.
    pub residual: f64,
    /// Iterations, of every trial.
    pub iterations: usize,
    /// How far y is from the solution, estimated, as a part of its size.
    pub distance: f64,
    /// `Converged`, or why y is none.
    pub status: Status,
}

/// Minimises g(x, ·) from the problem's start to `‖∇_y g‖ ≤ tolerance`, or as far as it goes: to judge
/// an x by samples that took no part in finding it, say.
///
/// FISTA with adaptive restarts; the step length is found at the start, and is shortened where the
/// curvature elsewhere turns out to be larger. Where y is then further than 1e-7 of its size (3e-4
/// in `f32`), or than the tolerance if that is more, from the solution, by the smallest curvature
/// that is met there, Newton's method goes on. A y that is as near as the tolerance, as a part of its
/// size, has [converged](Status::Converged) whatever the residual: it is in units of g, which may be
/// large.
///
/// With a [part beside g](Bilevel::with_part) as by [`LowerSolve::Newton`]: working sets where they suit, or
/// accelerated proximal steps and Newton's on the face that they come to; under [constraints](Bilevel::with_constraints) as [`Kkt`](crate::Kkt).
///
/// # Requirements on the problem
/// g convex and twice differentiable in y.
///
/// # Cost in oracle calls
/// One gradient an iteration, some 20 Hessian-vector products for the first step length, and those
/// of a linear system to a tenth for the distance.
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
/// assert!(solution.status.is_success() && (solution.y[0] - 0.3).abs() < 1e-12);
/// # Ok::<(), solvers::ProblemError>(())
/// ```
#[track_caller]
#[inline(never)]
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
    if let Some(part) = problem.recorded_part() {
        let part = PartPoint::new(part, &meter);
        return beside(problem, point, part, x.as_slice(), tolerance, &meter);
    }
    if let Some(of) = problem.recorded_constraints() {
        let mut constraints = ConstraintPoint::new(of, &meter);
        return constrained(
            problem,
            &mut point,
            &mut constraints,
            x.as_slice(),
            tolerance,
        );
    }
    let room = StepLength::Auto
        .spare(dim_y)
        .max(newton_scratch::<T>(dim_y, false));
    let mut room = Buffer::zeros(room, Category::Solver, &meter);
    let mut scratch = Scratch::new(&mut room, &meter);
    let (x, start) = (x.as_slice(), &problem.start_at(x.as_slice()));
    let [spare] = scratch.vectors(StepLength::Auto.spare(dim_y));
    let mut step = StepLength::Auto.resolve(&mut point, x, start.as_slice(), spare);
    let mut best = LowerSolution {
        y: start.clone(),
        residual: f64::INFINITY,
        iterations: 0,
        distance: f64::INFINITY,
        status: Status::Converged,
    };
    for _ in 0..TRIALS {
        let mut y = start.clone();
        let entries = y.as_mut_slice();
        let reached = accelerated(&mut point, x, entries, step, tolerance, LIMIT, &mut scratch);
        best.iterations += reached.iterations;
        if reached.residual < best.residual {
            (best.y, best.residual) = (y, reached.residual);
        }
        if best.residual <= tolerance {
            break;
        }
        step *= 0.25;
    }
    settle(
        &mut point,
        x,
        start.as_slice(),
        tolerance,
        &mut best,
        &mut scratch,
    );
    best
}

/// [`solve_lower`] beside a part.
fn beside<T: Real>(
    problem: &Bilevel<T>,
    mut point: Point<T>,
    mut part: PartPoint<T>,
    x: &[T],
    tolerance: f64,
    meter: &Meter,
) -> LowerSolution<T> {
    let (n, start) = (problem.dim_y(), &problem.start_at(x));
    let mut best = LowerSolution {
        y: start.clone(),
        residual: f64::NAN,
        iterations: 0,
        distance: f64::INFINITY,
        status: Status::Converged,
    };
    if let Some(reason) = part.complaint(x) {
        best.y.fill(T::of(f64::NAN));
        best.status = Status::Undefined { reason };
        return best;
    }
    let room = StepLength::Auto.spare(n).max(proximal_scratch::<T>(n));
    let mut room = Buffer::zeros(room, Category::Solver, meter);
    let mut scratch = Scratch::new(&mut room, meter);
    let (allowed, mut until) = (tolerance.max(solved::<T>()), tolerance);
    let mut working = Working::suits(problem).then(|| Working::new(n, meter));
    let (by, mut lower) = (LowerSolve::default(), Lower::begun(true, false));
    for _ in 0..ROUNDS {
        let y = best.y.as_mut_slice();
        let mut at = LowerAt {
            point: &mut point,
            part: Some(&mut part),
            working: working.as_mut(),
            x,
            scratch: &mut scratch,
        };
        by.advance(&mut at, y, (until, TRIALS * LIMIT), &mut lower);
        (best.iterations, best.residual) = (lower.iterations, lower.residual);
        let step = lower.step.expect("proximal steps have a length");
        let ([gradient, rhs, u], mut rest) = scratch.split(n);
        point.linearise(&[x, y]);
        gradient.copy_from_slice(point.gradient(1));
        let mut face = Face::at(&mut part, [x, y], gradient, step, false, meter);
        along_all(rhs);
        face.project(rhs);
        u.fill(T::zero());
        let mut h = OnFace::new(&mut point, &mut face);
        Cg::new().tolerance(0.1).solve(&mut h, rhs, u, &mut rest);
        let off = h.curvature().distance(best.residual);
        best.distance = part_of_size(off, y, start.as_slice());
        if !(best.distance > allowed && best.distance.is_finite()) {
            break;
        }
        until = 0.1 * best.residual * allowed / best.distance;
    }
    best.judge(tolerance, allowed);
    best
}

/// [`solve_lower`] under constraints.
fn constrained<T: Real>(
    problem: &Bilevel<T>,
    lower: &mut Point<T>,
    constraints: &mut ConstraintPoint<T>,
    x: &[T],
    tolerance: f64,
) -> LowerSolution<T> {
    let start = problem.start_at(x);
    let mut level = Level {
        x,
        lower,
        constraints,
    };
    let begin = start.map(|v| v.f64());
    let found = constraints::solve(&mut level, &begin, TRIALS * NEWTON_LIMIT);
    let y = found.y.map(T::of);
    let mut best = LowerSolution {
        distance: part_of_size(found.off, y.as_slice(), start.as_slice()),
        residual: found.residual,
        iterations: found.iterations,
        status: Status::Converged,
        y,
    };
    best.judge(tolerance, tolerance.max(solved::<T>()));
    if let Some(Trouble::Infeasible(violation)) = found.trouble {
        best.status = Status::Infeasible { violation };
    }
    best
}

impl<T: Real> LowerSolution<T> {
    /// Sets the status by the residual and the distance.
    fn judge(&mut self, tolerance: f64, allowed: f64) {
        let (distance, residual) = (self.distance, self.residual);
        // Written so that a NaN is no success.
        self.status = if !(distance <= allowed) {
            Status::LowerInaccurate { distance, allowed }
        } else if residual <= tolerance || distance <= tolerance {
            Status::Converged
        } else {
            Status::LowerNotConverged {
                residual,
                tolerance,
            }
        };
    }
}

/// Measures how far the solution is, and goes on where that is too far.
fn settle<T: Real>(
    point: &mut Point<T>,
    x: &[T],
    start: &[T],
    tolerance: f64,
    best: &mut LowerSolution<T>,
    scratch: &mut Scratch<'_, T>,
) {
    let (allowed, mut trend) = (tolerance.max(solved::<T>()), Trend::default());
    for _ in 0..ROUNDS {
        let curvature = curvature(point, x, best.y.as_slice(), scratch);
        let off = curvature.distance(best.residual);
        best.distance = part_of_size(off, best.y.as_slice(), start);
        if !(best.distance > allowed && best.distance.is_finite()) {
            break;
        }
        let until = (0.1 * best.residual * allowed / best.distance, NEWTON_LIMIT);
        let mut y = best.y.clone();
        let entries = y.as_mut_slice();
        let reached = newton(point, x, entries, until, false, scratch, &mut trend);
        best.iterations += reached.iterations;
        if !(reached.residual < best.residual) {
            break;
        }
        (best.y, best.residual) = (y, reached.residual);
    }
    best.judge(tolerance, allowed);
}

/// What a linear system with the gradient on its right-hand side meets.
fn curvature<T: Real>(
    point: &mut Point<T>,
    x: &[T],
    y: &[T],
    scratch: &mut Scratch<'_, T>,
) -> Curvature {
    let ([gradient, step], mut scratch) = scratch.split(y.len());
    point.linearise(&[x, y]);
    gradient.copy_from_slice(point.gradient(1));
    step.fill(T::zero());
    let mut h = Hessian::of(point);
    Cg::new()
        .tolerance(0.1)
        .solve(&mut h, gradient, step, &mut scratch);
    h.curvature()
}
