//! The solution of a lower level alone.

use autodiff::bytes::{Buffer, Category};
use autodiff::{Meter, Point, Real};
use nalgebra::DVector;

use crate::accuracy::{Curvature, part as part_of_size, size, solved};
use crate::constraints::{self, ConstraintPoint, Level, Trouble};
use crate::hessian::Hessian;
use crate::inner::StepLength;
use crate::linear::{Cg, LinearSolver, Scratch, system::along_all};
use crate::part::{Face, OnFace, PartPoint};
use crate::{Bilevel, Status, Workspace};

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
    let meter = Meter::new();
    let mut point = Point::new(problem.lower().clone(), &meter);
    let mut part = (problem.recorded_part()).map(|part| PartPoint::new(part, &meter));
    let mut constraints =
        (problem.recorded_constraints()).map(|of| ConstraintPoint::new(of, &meter));
    let mut room = Buffer::zeros(entries(problem), Category::Solver, &meter);
    let within = Within {
        point: &mut point,
        part: part.as_mut(),
        constraints: constraints.as_mut(),
        working: &mut None,
        scratch: Scratch::new(&mut room, &meter),
    };
    let x = x.as_slice();
    within.solve(problem, x, &problem.start_at(x), tolerance)
}

/// [`solve_lower`] from a `start` and in a workspace: for a path of solutions, each from the one before.
///
/// # Panics
/// If `x` does not have `dim_x` entries, or `start` does not have `dim_y`, or the workspace is of another
/// problem.
///
/// # Example
/// A path of soft thresholds:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Bilevel, Part, solve_lower_from};
///
/// let g = || objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
/// let problem = Bilevel::new(g(), g(), 1, 1)?.with_part(Part::l1(|x: Var| x))?;
/// let (mut work, mut y) = (problem.workspace(), dvector![0.0]);
/// for weight in [0.75, 0.5, 0.25] {
///     y = solve_lower_from(&problem, &dvector![weight], &y, 1e-12, &mut work).y;
///     assert!((y[0] - (1.0 - weight)).abs() < 1e-12);
/// }
/// # Ok::<(), solvers::ProblemError>(())
/// ```
#[track_caller]
#[inline(never)]
pub fn solve_lower_from<T: Real>(
    problem: &Bilevel<T>,
    x: &DVector<T>,
    start: &DVector<T>,
    tolerance: f64,
    work: &mut Workspace<T>,
) -> LowerSolution<T> {
    work.check(problem, x);
    assert!(
        start.len() == problem.dim_y(),
        "the start has {} entries: the problem's inner variable has {}",
        start.len(),
        problem.dim_y()
    );
    work.reserve(entries(problem));
    let within = Within {
        point: &mut work.lower,
        part: work.part.as_mut(),
        constraints: work.constraints.as_mut(),
        working: &mut work.working,
        scratch: Scratch::new(&mut work.room, &work.meter),
    };
    within.solve(problem, x.as_slice(), start, tolerance)
}

/// Entries of scratch that a solution takes.
fn entries<T: Real>(problem: &Bilevel<T>) -> usize {
    let n = problem.dim_y();
    StepLength::Auto.spare(n).max(match problem.part() {
        Some(_) => proximal_scratch::<T>(n),
        None => newton_scratch::<T>(n, false),
    })
}

/// What a lower level is solved in.
struct Within<'a, T: Real> {
    point: &'a mut Point<T>,
    part: Option<&'a mut PartPoint<T>>,
    constraints: Option<&'a mut ConstraintPoint<T>>,
    working: &'a mut Option<Working<T>>,
    scratch: Scratch<'a, T>,
}

impl<T: Real> Within<'_, T> {
    fn solve(
        self,
        problem: &Bilevel<T>,
        x: &[T],
        start: &DVector<T>,
        tolerance: f64,
    ) -> LowerSolution<T> {
        let Within {
            point,
            part,
            constraints,
            working,
            mut scratch,
        } = self;
        if let Some(part) = part {
            if Working::suits(problem) {
                let make = || Working::new(start.len(), scratch.meter());
                working.get_or_insert_with(make);
            }
            let mut at = LowerAt {
                point,
                part: Some(part),
                working: working.as_mut(),
                x,
                scratch: &mut scratch,
            };
            return beside(&mut at, start, tolerance);
        }
        match constraints {
            Some(constraints) => constrained(point, constraints, x, start, tolerance),
            None => smooth(point, x, start, tolerance, scratch),
        }
    }
}

/// [`solve_lower`] where nothing is beside g.
fn smooth<T: Real>(
    point: &mut Point<T>,
    x: &[T],
    start: &DVector<T>,
    tolerance: f64,
    mut scratch: Scratch<'_, T>,
) -> LowerSolution<T> {
    let [spare] = scratch.vectors(StepLength::Auto.spare(start.len()));
    let mut step = StepLength::Auto.resolve(point, x, start.as_slice(), spare);
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
        let reached = accelerated(point, x, entries, step, tolerance, LIMIT, &mut scratch);
        best.iterations += reached.iterations;
        if reached.residual < best.residual {
            (best.y, best.residual) = (y, reached.residual);
        }
        if best.residual <= tolerance {
            break;
        }
        step *= 0.25;
    }
    let from = start.as_slice();
    settle(point, x, from, tolerance, &mut best, &mut scratch);
    best
}

/// [`solve_lower`] beside a part.
fn beside<T: Real>(
    at: &mut LowerAt<'_, '_, T>,
    start: &DVector<T>,
    tolerance: f64,
) -> LowerSolution<T> {
    let (n, x) = (start.len(), at.x);
    let mut best = LowerSolution {
        y: start.clone(),
        residual: f64::NAN,
        iterations: 0,
        distance: f64::INFINITY,
        status: Status::Converged,
    };
    let complaint = at.part.as_deref_mut().and_then(|part| part.complaint(x));
    if let Some(reason) = complaint {
        best.y.fill(T::of(f64::NAN));
        best.status = Status::Undefined { reason };
        return best;
    }
    let (allowed, mut until) = (tolerance.max(solved::<T>()), tolerance);
    let (by, mut lower) = (LowerSolve::default(), Lower::begun(true, false));
    for _ in 0..ROUNDS {
        let y = best.y.as_mut_slice();
        by.advance(at, y, (until, TRIALS * LIMIT), &mut lower);
        (best.iterations, best.residual) = (lower.iterations, lower.residual);
        let step = lower.step.expect("proximal steps have a length");
        let (point, part) = (&mut *at.point, at.part.as_deref_mut());
        let part = part.expect("a part beside g");
        let meter = at.scratch.meter().clone();
        let ([gradient, rhs, u], mut rest) = at.scratch.split(n);
        if !lower.here {
            point.linearise(&[x, y]);
        }
        gradient.copy_from_slice(point.gradient(1));
        let mut face = Face::at(part, [x, y], gradient, step, false, &meter);
        let working = at.working.as_deref_mut();
        let enough = best.residual / (allowed * size(y, start.as_slice()));
        let by_factor = working.and_then(|working| face.factor(point, working, enough));
        let curvature = by_factor.unwrap_or_else(|| {
            along_all(rhs);
            face.project(rhs);
            u.fill(T::zero());
            let mut h = OnFace::new(point, &mut face);
            Cg::new().tolerance(0.1).solve(&mut h, rhs, u, &mut rest);
            h.curvature()
        });
        let off = curvature.distance(best.residual);
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
    lower: &mut Point<T>,
    constraints: &mut ConstraintPoint<T>,
    x: &[T],
    start: &DVector<T>,
    tolerance: f64,
) -> LowerSolution<T> {
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
