//! Solving a lower level by a value of the slot, and going on until it is near enough.

use autodiff::kernels::norm;
use autodiff::unroll::Memory;
use autodiff::{Point, Real};

use super::{
    LowerSolve, NEWTON_LIMIT, Trend, Walk, Working, accelerated, coordinates, lbfgs, newton,
    proximal,
};
use crate::Bilevel;
use crate::accuracy::{Curvature, solved};
use crate::inner::StepLength;
use crate::linear::Scratch;
use crate::loops::Loops;
use crate::part::{After, PartPoint};

/// A lower level at x, with what solving it takes.
pub(crate) struct LowerAt<'a, 's, T: Real> {
    /// g.
    pub(crate) point: &'a mut Point<T>,
    pub(crate) part: Option<&'a mut PartPoint<T>>,
    /// Room for working sets, where it is solved by them.
    pub(crate) working: Option<&'a mut Working<T>>,
    pub(crate) x: &'a [T],
    pub(crate) scratch: &'a mut Scratch<'s, T>,
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
    pub(super) has_part: bool,
    /// Whether Newton's method may hold a dense factor.
    factors: bool,
    /// Whether going on has come to its end.
    stalled: bool,
    /// Whether g was left linearised at y.
    pub(crate) here: bool,
    /// Beside a part of entries g + h there, if working sets left it so.
    value: Option<f64>,
}

impl Lower {
    /// Nothing yet.
    pub(crate) fn begun(has_part: bool, factors: bool) -> Self {
        Lower {
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
            value: None,
        }
    }
}

/// Steps on the lower level that are not differentiated.
pub(crate) const NOTHING: Memory = Memory::Truncated { steps: 0 };

impl LowerSolve {
    /// Replaces `y`, where it starts, by a solution. Without a tolerance a solver goes to `least`; with
    /// `factors` Newton's method may hold a dense factor of the Hessian. Recorded steps are of F
    /// too, `upper`, and are kept in `loops`.
    pub(crate) fn solve<T: Real>(
        &self,
        problem: &Bilevel<T>,
        at: &mut LowerAt<'_, '_, T>,
        y: &mut [T],
        (least, factors): (f64, bool),
        (upper, loops): (&mut Point<T>, &mut Loops<T>),
    ) -> Lower {
        let has_part = at.part.is_some();
        let Some((depth, steps)) = self.steps() else {
            let mut start = Lower::begun(has_part, factors);
            if *self == LowerSolve::Start {
                at.point.linearise(&[at.x, y]);
                start.here = true;
                start.residual = norm(at.point.gradient(1)).f64();
                start.before = start.residual;
                return start;
            }
            let (tolerance, limit) = self.ends(has_part);
            let until = (tolerance.unwrap_or(least), limit);
            self.advance(at, y, until, &mut start);
            return start;
        };
        let (x, lower) = (at.x, &mut *at.point);
        let ([state], mut scratch) = at.scratch.split(steps.inner.dim_state(y.len()));
        let [spare] = scratch.vectors(steps.spare(problem));
        let levels = [upper, &mut *lower];
        let mut after = After::of(at.part.as_deref_mut());
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
            before,
            residual,
            iterations: depth,
            step: Some(length),
            ..Lower::begun(has_part, factors)
        }
    }

    /// The tolerance that is given, if one is, with the limit of iterations; 0 for steps.
    pub(super) fn ends(&self, has_part: bool) -> (Option<f64>, usize) {
        match self {
            LowerSolve::Newton { tolerance, limit } if !has_part => {
                (*tolerance, limit.unwrap_or(NEWTON_LIMIT))
            }
            LowerSolve::Newton { tolerance, limit }
            | LowerSolve::Lbfgs { tolerance, limit }
            | LowerSolve::Accelerated { tolerance, limit } => (*tolerance, limit.unwrap_or(20_000)),
            LowerSolve::Steps { .. } | LowerSolve::Start => (None, 0),
        }
    }

    /// The tolerance that is given, if one is.
    pub(crate) fn tolerance(&self) -> Option<f64> {
        self.ends(false).0
    }

    /// Brings y nearer to a solution that it is a relative `distance` off: to `part` of its residual.
    /// Whether y is another one; `None` where nothing was tried.
    fn go_on<T: Real>(
        &self,
        at: &mut LowerAt<'_, '_, T>,
        y: &mut [T],
        lower: &mut Lower,
        (distance, part): (f64, f64),
    ) -> Option<bool> {
        let (_, limit) = self.ends(lower.has_part);
        let first_order = lower.step.is_some() || matches!(self, LowerSolve::Lbfgs { .. });
        let by_steps = first_order && !lower.has_part;
        let left = limit.saturating_sub(lower.iterations);
        // Written so that a NaN, or no curvature, ends it.
        if !(distance > solved::<T>() && distance.is_finite()) || left == 0 || lower.stalled {
            return None;
        }
        let wanted = lower.residual * part;
        let before = lower.residual;
        let now = self.advance(at, y, (wanted, left), lower);
        lower.stalled = !(now < 0.5 * before);
        // Accelerated steps and L-BFGS leave g elsewhere, nearer or not.
        Some(now < before || by_steps)
    }

    /// Goes on from a `y` that it was solved to, until `look` wants no more: what was found last, and
    /// whether g was left there. `look` says how far y is, as a part of its size, and to what part of
    /// its residual it is to be brought.
    pub(crate) fn until<T: Real, R>(
        &self,
        at: &mut LowerAt<'_, '_, T>,
        y: &mut [T],
        lower: &mut Lower,
        mut look: impl FnMut(&mut LowerAt<'_, '_, T>, &[T], &Lower) -> (R, Option<(f64, f64)>),
    ) -> (R, bool) {
        loop {
            let (found, more) = look(at, y, lower);
            let tried = more.and_then(|wanted| self.go_on(at, y, lower, wanted));
            match tried {
                Some(true) => {}
                // What was tried has left y elsewhere.
                Some(false) if lower.has_part => {}
                Some(false) => return (found, false),
                None => return (found, true),
            }
        }
    }

    /// Goes on from `y` until the tolerance or the limit: by working sets, by proximal steps, by steps of
    /// the length that is found, or else by Newton's method. The residual there.
    pub(crate) fn advance<T: Real>(
        &self,
        at: &mut LowerAt<'_, '_, T>,
        y: &mut [T],
        until: (f64, usize),
        lower: &mut Lower,
    ) -> f64 {
        let newtons = matches!(self, LowerSolve::Newton { .. });
        lower.here = false;
        if at.working.is_some() {
            let value = lower.value.take();
            if let Some(found) = coordinates(at, y, &mut lower.step, until, value) {
                if lower.before.is_infinite() {
                    lower.before = found.before;
                }
                let minimum = found.minimum;
                lower.residual = minimum.residual;
                lower.iterations += minimum.iterations;
                (lower.here, lower.value) = (true, Some(found.value));
                return minimum.residual;
            }
            lower.step = None;
        }
        let by_steps = matches!(self, LowerSolve::Accelerated { .. });
        let (x, point) = (at.x, &mut *at.point);
        if lower.step.is_none() && (lower.has_part || by_steps) {
            let [spare] = at.scratch.vectors(StepLength::Auto.spare(y.len()));
            let mut after = After::of(at.part.as_deref_mut());
            let length = StepLength::Auto.resolve_after(after.again(), point, x, y, spare);
            lower.step = Some(length);
            if lower.has_part && lower.before.is_infinite() {
                lower.before = after.residual(point, x, y, length, spare);
            }
        }
        let minimum = match &mut lower.step {
            Some(step) if lower.has_part => proximal(at, y, step, until, newtons),
            Some(step) => accelerated(point, x, y, *step, until.0, until.1, at.scratch),
            None if matches!(self, LowerSolve::Lbfgs { .. }) => {
                lbfgs(point, x, y, until, at.scratch)
            }
            None => {
                let (factors, trend) = (lower.factors, &mut lower.trend);
                newton(point, x, y, until, factors, at.scratch, trend)
            }
        };
        lower.residual = minimum.residual;
        lower.iterations += minimum.iterations;
        lower.curvature = minimum.curvature;
        minimum.residual
    }
}
