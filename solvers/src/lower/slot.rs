//! The slot of lower-level solvers: how a level is solved before it is differentiated implicitly, gone
//! on with, and judged.

use autodiff::unroll::Memory;
use autodiff::{Point, Real};

use crate::accuracy::{Curvature, LOST, TOLD, solved};
use crate::inner::{After, InnerStep, StepLength};
use crate::linear::Scratch;
use crate::loops::Loops;
use crate::part::PartPoint;
use crate::{Bilevel, Status, default_tolerance};

use super::{
    NEWTON_LIMIT, Steps, Trend, Walk, Working, accelerated, coordinates, coordinates_scratch,
    lbfgs, lbfgs_scratch, newton, newton_scratch, proximal, proximal_scratch,
};

/// How the lower level is solved before it is differentiated implicitly.
///
/// A level with a [part beside g](Bilevel::with_part) is solved by accelerated proximal steps, with
/// [`Newton`](LowerSolve::Newton) followed by Newton's method on the face that they come to; residuals
/// are then `‖y − P_s(y − s ∇_y g)‖ / s`. Where g is one fused loss of y (the logistic and the squared
/// one of `models`) beside an h of entries ([`entrywise`](crate::ProximalMap::entrywise)), and no more
/// than 1024 entries are free, `Newton` is instead Newton's method on working sets, by coordinate
/// descent and the linear system of the free entries; the residual is then that of s → 0, the length of
/// the least subgradient, which is no smaller.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LowerSolve {
    /// By Newton's method, each step from conjugate gradients.
    Newton {
        /// Ends at `‖∇_y g‖ ≤ tolerance`. If `None`, at the precision's default, and then goes on
        /// until y is within 1e-7 of its own size (3e-4 in `f32`) of the solution, as far as the
        /// smallest curvature that was met can tell.
        tolerance: Option<f64>,
        /// The most iterations; 200 if `None`, and 20 000 with a part beside g.
        limit: Option<usize>,
    },
    /// By accelerated gradient steps with adaptive restarts, of automatic length, for a convex level
    /// whose Hessian-vector products are dear.
    ///
    /// Reference: B. O'Donoghue and E. Candès, Adaptive restart for accelerated gradient schemes,
    /// 2015.
    Accelerated {
        /// As for Newton's method.
        tolerance: Option<f64>,
        /// The most steps; 20 000 if `None`.
        limit: Option<usize>,
    },
    /// By L-BFGS with sixteen pairs and a line search for Wolfe's conditions, for a smooth level whose
    /// Hessian-vector products are dear or that is not convex, such as a network: it goes down to a
    /// stationary point, one gradient or two an iteration, and the linear system after it tells by the
    /// curvature that it meets whether that is a minimiser.
    ///
    /// Reference: D. Liu and J. Nocedal, On the limited memory BFGS method for large scale
    /// optimization, Mathematical Programming 45, 1989.
    Lbfgs {
        /// As for Newton's method.
        tolerance: Option<f64>,
        /// The most iterations; 20 000 if `None`.
        limit: Option<usize>,
    },
    /// By exactly the steps that [`Itd`](crate::Itd) unrolls, so that the two can be compared at
    /// one iterate.
    Steps {
        /// Number of steps.
        depth: usize,
        /// The kind of step.
        inner: InnerStep,
        /// Its length.
        length: StepLength,
    },
}

impl Default for LowerSolve {
    /// Newton's method to the precision's default, in at most 200 iterations.
    fn default() -> Self {
        LowerSolve::Newton {
            tolerance: None,
            limit: None,
        }
    }
}

/// What a lower level left behind.
pub(crate) struct Lower {
    /// ‖∇_y g‖ where it started, if it took steps, and where it ended.
    pub(crate) before: f64,
    pub(crate) residual: f64,
    pub(crate) iterations: usize,
    pub(crate) step: Option<f64>,
    pub(crate) curvature: Curvature,
    pub(crate) trend: Trend,
    /// Whether the level has a part beside g.
    has_part: bool,
    /// Whether Newton's method may hold a dense factor.
    factors: bool,
    /// Whether going on has come to its end.
    stalled: bool,
    /// Whether g was left linearised at y.
    pub(crate) here: bool,
}

/// Steps on the lower level that are not differentiated.
pub(crate) const NOTHING: Memory = Memory::Truncated { steps: 0 };

impl LowerSolve {
    /// Number, kind and length of the steps, if it takes steps.
    pub(crate) fn steps(&self) -> Option<(usize, Steps)> {
        match self {
            LowerSolve::Newton { .. }
            | LowerSolve::Accelerated { .. }
            | LowerSolve::Lbfgs { .. } => None,
            LowerSolve::Steps {
                depth,
                inner,
                length,
            } => {
                let (inner, length) = (inner.clone(), *length);
                Some((*depth, Steps { inner, length }))
            }
        }
    }

    /// Entries of scratch that [`solve`](LowerSolve::solve) takes, with `factors` or without.
    pub(crate) fn scratch<T: Real>(&self, problem: &Bilevel<T>, factors: bool) -> usize {
        let dim_y = problem.dim_y();
        match (self, self.steps()) {
            (_, Some((_, steps))) => steps.inner.dim_state(dim_y) + steps.spare(problem),
            _ if problem.part().is_some() => StepLength::Auto
                .spare(dim_y)
                .max(proximal_scratch::<T>(dim_y))
                .max(coordinates_scratch(dim_y)),
            (LowerSolve::Lbfgs { .. }, _) => lbfgs_scratch(dim_y),
            (LowerSolve::Accelerated { .. }, _) => StepLength::Auto.spare(dim_y).max(2 * dim_y),
            _ => newton_scratch::<T>(dim_y, factors),
        }
    }

    /// The reason why a problem is not solved by it, with what does, if it is not.
    pub(crate) fn misfit<T: Real>(&self, problem: &Bilevel<T>) -> Option<String> {
        let part = problem
            .part()
            .filter(|_| matches!(self, LowerSolve::Lbfgs { .. }))?;
        Some(format!(
            "L-BFGS solves ∇_y g = 0, and the lower level has a part beside g ({}): expected Newton's \
             method or accelerated steps",
            part.name()
        ))
    }

    /// Whether a problem is solved by working sets.
    pub(crate) fn works_on_sets<T: Real>(&self, problem: &Bilevel<T>) -> bool {
        matches!(self, LowerSolve::Newton { .. }) && Working::suits(problem)
    }

    /// The reason why these settings solve no smooth lower level, if they do not.
    pub(crate) fn complaint(&self) -> Option<String> {
        match self {
            LowerSolve::Newton { tolerance, limit }
            | LowerSolve::Lbfgs { tolerance, limit }
            | LowerSolve::Accelerated { tolerance, limit } => {
                if *limit == Some(0) {
                    return Some("at most 0 iterations: expected at least 1".to_owned());
                }
                let bad = tolerance.filter(|t| !(t.is_finite() && *t > 0.0));
                bad.map(|t| format!("tolerance {t}: expected a positive number"))
            }
            LowerSolve::Steps { depth: 0, .. } => {
                Some("depth 0: expected at least 1 step".to_owned())
            }
            LowerSolve::Steps { inner, .. } if inner.is_proximal() => Some(format!(
                "steps {inner} solve a lower level that is not smooth: expected aid-step or itd"
            )),
            LowerSolve::Steps { inner, length, .. } => inner.complaint(*length),
        }
    }

    /// Replaces `y`, where it starts, by a solution at `x`. Without a tolerance a solver goes to
    /// `least`. With `factors` Newton's method may hold a dense factor of the Hessian.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn solve<T: Real>(
        &self,
        problem: &Bilevel<T>,
        [upper, lower]: [&mut Point<T>; 2],
        part: Option<&mut PartPoint<T>>,
        working: Option<&mut Working<T>>,
        x: &[T],
        y: &mut [T],
        (least, factors): (f64, bool),
        loops: &mut Loops<T>,
        scratch: &mut Scratch<'_, T>,
    ) -> Lower {
        let Some((depth, steps)) = self.steps() else {
            let has_part = part.is_some();
            let mut start = Lower {
                has_part,
                factors,
                before: f64::INFINITY,
                residual: f64::INFINITY,
                iterations: 0,
                step: None,
                curvature: Curvature::new(),
                trend: Trend::default(),
                stalled: false,
                here: false,
            };
            let (tolerance, limit) = self.until(has_part);
            let until = (tolerance.unwrap_or(least), limit);
            self.advance(lower, part, working, x, y, until, &mut start, scratch);
            return start;
        };
        let ([state], mut scratch) = scratch.split(steps.inner.dim_state(y.len()));
        let [spare] = scratch.vectors(steps.spare(problem));
        let levels = [upper, &mut *lower];
        let has_part = part.is_some();
        let mut after = After::of(&steps.inner, part);
        let starts = [x, &*y];
        let mut walk = Walk::begin(
            &steps, &mut after, problem, levels, starts, state, spare, loops,
        );
        let last = walk.steps.forward(x, state, depth, NOTHING);
        y.copy_from_slice(&last[..y.len()]);
        let residual = after.residual(lower, x, y, walk.length, spare);
        let (before, length) = (walk.before, walk.length);
        walk.end(loops);
        Lower {
            has_part,
            factors,
            before,
            residual,
            iterations: depth,
            step: Some(length),
            curvature: Curvature::new(),
            trend: Trend::default(),
            stalled: false,
            here: false,
        }
    }

    /// The tolerance that is given, if one is, with the limit of iterations; 0 for steps.
    fn until(&self, has_part: bool) -> (Option<f64>, usize) {
        match self {
            LowerSolve::Newton { tolerance, limit } if !has_part => {
                (*tolerance, limit.unwrap_or(NEWTON_LIMIT))
            }
            LowerSolve::Newton { tolerance, limit }
            | LowerSolve::Lbfgs { tolerance, limit }
            | LowerSolve::Accelerated { tolerance, limit } => (*tolerance, limit.unwrap_or(20_000)),
            LowerSolve::Steps { .. } => (None, 0),
        }
    }

    /// Brings y nearer to a solution that it is a relative `distance` off, where nobody has said
    /// how near it should be. Whether y is another one; `None` where nothing was tried.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn go_on<T: Real>(
        &self,
        point: &mut Point<T>,
        part: Option<&mut PartPoint<T>>,
        working: Option<&mut Working<T>>,
        x: &[T],
        y: &mut [T],
        lower: &mut Lower,
        distance: f64,
        scratch: &mut Scratch<'_, T>,
    ) -> Option<bool> {
        let (None, limit) = self.until(part.is_some()) else {
            return None;
        };
        let first_order = lower.step.is_some() || matches!(self, LowerSolve::Lbfgs { .. });
        let by_steps = first_order && part.is_none();
        let left = limit.saturating_sub(lower.iterations);
        // Written so that a NaN, or no curvature, ends it.
        if !(distance > solved::<T>() && distance.is_finite()) || left == 0 || lower.stalled {
            return None;
        }
        let wanted = lower.residual * (0.1 * solved::<T>() / distance);
        let before = lower.residual;
        let now = self.advance(point, part, working, x, y, (wanted, left), lower, scratch);
        lower.stalled = !(now < 0.5 * before);
        // Accelerated steps and L-BFGS leave g elsewhere, nearer or not.
        Some(now < before || by_steps)
    }

    /// The status of a solver that came to its limit before its tolerance: more iterations may do.
    pub(crate) fn short<T: Real>(&self, lower: &Lower) -> Option<Status> {
        let (tolerance, limit) = self.until(lower.has_part);
        if limit == 0 {
            return None;
        }
        let tolerance = tolerance.unwrap_or(default_tolerance::<T>());
        let residual = lower.residual;
        let spent = lower.iterations >= limit && residual > tolerance;
        spent.then_some(Status::LowerNotConverged {
            residual,
            tolerance,
        })
    }

    /// What a lower level left at this relative `distance` is, and what is to be said of it.
    pub(crate) fn judge<T: Real>(&self, lower: &Lower, distance: f64) -> (Status, Option<String>) {
        let (before, residual) = (lower.before, lower.residual);
        let off = |allowed: f64| Status::LowerInaccurate { distance, allowed };
        let warning = |from: f64| {
            (distance > from).then(|| {
                format!(
                    "y is off the lower level's solution by some {distance:.1e} of its size \
                     (‖∇_y g‖ = {residual:.1e}): solve it further"
                )
            })
        };
        let (given, limit) = self.until(lower.has_part);
        // Written so that a NaN is no success.
        match given {
            Some(tolerance) if !(residual <= tolerance) => {
                let short = Status::LowerNotConverged {
                    residual,
                    tolerance,
                };
                (short, None)
            }
            Some(_) if !(distance <= LOST) => (off(LOST), None),
            Some(tolerance) => (Status::Converged, warning(tolerance.max(solved::<T>()))),
            None if distance <= solved::<T>() => (Status::Converged, None),
            None if limit > 0 => {
                let short = self.short::<T>(lower);
                (short.unwrap_or(off(solved::<T>())), None)
            }
            None if !(residual <= before) => {
                let after = residual;
                (Status::LowerDiverged { before, after }, None)
            }
            None if !(distance <= LOST) => (off(LOST), None),
            None => (Status::Stepped, warning(TOLD)),
        }
    }

    /// Goes on from `y` until the tolerance or the limit: by working sets, by proximal steps, by steps of
    /// the length that is found, or else by Newton's method. The residual there.
    #[allow(clippy::too_many_arguments)]
    fn advance<T: Real>(
        &self,
        point: &mut Point<T>,
        mut part: Option<&mut PartPoint<T>>,
        working: Option<&mut Working<T>>,
        x: &[T],
        y: &mut [T],
        (tolerance, limit): (f64, usize),
        lower: &mut Lower,
        scratch: &mut Scratch<'_, T>,
    ) -> f64 {
        let until = (tolerance, limit);
        let newtons = matches!(self, LowerSolve::Newton { .. });
        lower.here = false;
        if let (Some(part), Some(working)) = (part.as_deref_mut(), working) {
            let step = &mut lower.step;
            let found = coordinates(point, part, x, y, step, until, working, scratch);
            if let Some((minimum, before)) = found {
                if lower.before.is_infinite() {
                    lower.before = before;
                }
                lower.residual = minimum.residual;
                lower.iterations += minimum.iterations;
                lower.here = true;
                return minimum.residual;
            }
            lower.step = None;
        }
        let by_steps = matches!(self, LowerSolve::Accelerated { .. });
        if lower.step.is_none() && (part.is_some() || by_steps) {
            let [spare] = scratch.vectors(StepLength::Auto.spare(y.len()));
            let mut after = After::of(&InnerStep::GradientDescent, part.as_deref_mut());
            let length = StepLength::Auto.resolve_after(after.again(), point, x, y, spare);
            lower.step = Some(length);
            if lower.has_part && lower.before.is_infinite() {
                lower.before = after.residual(point, x, y, length, spare);
            }
        }
        let minimum = match (part, &mut lower.step) {
            (Some(part), Some(step)) => proximal(point, part, x, y, step, until, newtons, scratch),
            (None, Some(step)) => accelerated(point, x, y, *step, tolerance, limit, scratch),
            (_, None) if matches!(self, LowerSolve::Lbfgs { .. }) => {
                lbfgs(point, x, y, until, scratch)
            }
            (_, None) => {
                let (factors, trend) = (lower.factors, &mut lower.trend);
                newton(point, x, y, until, factors, scratch, trend)
            }
        };
        lower.residual = minimum.residual;
        lower.iterations += minimum.iterations;
        lower.curvature = minimum.curvature;
        minimum.residual
    }
}

#[cfg(test)]
mod tests {
    use autodiff::{Var, objective};
    use nalgebra::dvector;

    use super::*;
    use crate::{Aid, Estimate, Strategy};

    /// y = (x, x/100) at curvatures 1 and 1e-4, F = ½‖y‖²: the hypergradient is (1 + 1e-4) x.
    fn run(lower: LowerSolve) -> Estimate<f64> {
        let scales = [1.0, 1e-4];
        let g = objective(move |x: Var, y: Var| {
            let solution = x.concat(&[x * 0.01]);
            0.5 * (y - solution).square().dot(x.vector(&scales))
        });
        let f = objective(|_x: Var, y: Var| 0.5 * y.norm_squared());
        let problem = Bilevel::new(f, g, 1, 2).expect("a valid problem");
        let aid = Aid::cg().lower(lower);
        aid.hypergradient(&problem, &dvector![2.0], &mut problem.workspace())
            .expect("valid settings")
    }

    #[test]
    fn every_solver_goes_on_until_y_is_near() {
        for lower in [
            LowerSolve::default(),
            LowerSolve::Accelerated {
                tolerance: None,
                limit: None,
            },
            LowerSolve::Lbfgs {
                tolerance: None,
                limit: None,
            },
        ] {
            let estimate = run(lower);
            assert_eq!(estimate.status, Status::Converged, "{estimate}");
            assert!(estimate.distance.is_some_and(|d| d <= 1e-7), "{estimate}");
            let want = 2.0 * (1.0 + 1e-4);
            assert!(
                (estimate.hypergradient[0] - want).abs() < 1e-6,
                "{estimate}"
            );
        }
    }

    #[test]
    fn what_ends_at_a_limit_or_far_away_says_so() {
        let accelerated = |tolerance, limit| LowerSolve::Accelerated { tolerance, limit };
        let short = run(accelerated(None, Some(3)));
        assert_eq!(short.status.code(), "lower-not-converged", "{short}");
        assert_eq!(short.lower_iterations, 3);
        // ‖∇_y g‖ is 1e-6 where the flat entry has all its way to go.
        let flat = run(accelerated(Some(1e-5), None));
        assert!(
            !flat.status.is_success() || !flat.warnings.is_empty(),
            "{flat}"
        );
    }
}
