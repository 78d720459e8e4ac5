//! Implicit differentiation of the fixed point of a step.

mod anderson;
mod entry;
mod map;
mod system;
mod verdict;

use autodiff::bytes::Category;
use autodiff::kernels::add;
use autodiff::unroll::{Memory, Step};
use autodiff::{Inputs, Real};

use crate::accuracy::{Flat, PROBED, TOLD, part, size};
use crate::hessian::Hessian;
use crate::inner::{InnerStep, StepLength, Stop};
use crate::lower::{NOTHING, Steps, Walk};
use crate::part::{After, Sight};
use crate::settling::{LOOSE, Settling};
use crate::trap::Trap;
use crate::{Bilevel, Status, default_tolerance};

use super::Strategy;
use super::aid::solve_further;
use super::footprint::{Footprint, loop_bytes};
use super::frame::{Answer, Call, Walked};
use super::slowest::Slowest;
pub(super) use entry::entries;
pub(super) use system::Linearised;
pub use system::StepSystem;
use system::solve;
use verdict::End;

/// Solves the lower level by steps `y ← Φ(x, y)`, and differentiates the equation `y = Φ(x, y)` of
/// their fixed point: `(I − ∂_yΦ)ᵀ p = ∇_yF`, then `∇_xF + (∂_xΦ)ᵀ p`.
///
/// The step may end in the proximal map of the lower level's [part](crate::Bilevel::with_part): a
/// projection, or a soft threshold. With plain gradient steps the equation is that of [`Aid`](crate::Aid),
/// with `p = v/s`. Steps that keep more than y (momentum, FISTA) are differentiated as the first of
/// them is, a step without momentum.
///
/// On a problem with [steps of its own](Bilevel::with_step), or of a [map](Bilevel::fixed_point), Φ is
/// that map: it is solved by Anderson's acceleration, and the linear system by conjugate gradients
/// where ∂_yΦ is symmetric, as that of a gradient step is, and by GMRES otherwise.
/// [`lower_residual`](crate::Estimate::lower_residual) is then `‖Φ(x, y) − y‖`, tolerances are parts of
/// y's size, and a map that does not contract at its fixed point has a warning.
///
/// # Requirements on the problem
/// g twice differentiable, the solution unique, and Φ differentiable there: no constraint that holds
/// with equality may have a zero multiplier, no entry that a threshold makes 0 may be at its edge.
/// At such a point the result is one of several limits, and a warning names the entry.
///
/// # Cost in oracle calls
/// The steps', one gradient of F, one Hessian-vector product of g for each iteration of the
/// linear solver and for each of its recomputed residuals, and one for the cross product. Where y is
/// not yet near enough, or the linear system not solved well enough, both again from there. With
/// `dim_y ≤ 20` up to `4 dim_y + 13` more tell how near y is where g is not flat. Of a map 24 pullbacks
/// tell how fast it contracts, 192 more where that is slowly, and five evaluations with a pullback each
/// whether it has a kink beside y. Where the start of y has
/// entries that are alike up to 50 gradients of g look for what it [hides](crate::guide::statuses).
///
/// # Reference
/// Q. Bertrand et al., Implicit differentiation for fast hyperparameter selection in non-smooth
/// convex learning, Journal of Machine Learning Research 23, 2022; M. Blondel et al., Efficient and
/// modular implicit differentiation, NeurIPS 2022, section 2.2.
///
/// # Example
/// y* = 1 − x by its bound, whatever the rest of the lower level wants:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{AidStep, Bilevel, Constraint, InnerStep, Strategy};
///
/// let upper = objective(|x: Var, y: Var| 0.5 * y.norm_squared() + 0.0 * x.sum());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - 3.0 * x).norm_squared());
/// let inside = Constraint::Box { low: 0.0, high: 1.0 };
/// let problem = Bilevel::new(upper, lower, 2, 2)?.with_part(inside.into())?;
///
/// let estimate = AidStep::new(InnerStep::GradientDescent)
///     .hypergradient(&problem, &dvector![0.2, 0.8], &mut problem.workspace())?;
/// // y = (0.6, 1): the second entry is held by its bound.
/// assert!((estimate.hypergradient[0] - 3.0 * 0.6).abs() < 1e-9);
/// assert_eq!(estimate.hypergradient[1], 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AidStep {
    steps: Steps,
    system: StepSystem,
    tolerance: Option<f64>,
    limit: usize,
}

impl AidStep {
    /// These steps, of automatic length, to the precision's default tolerance; the linear system by
    /// fixed-point iteration.
    pub fn new(inner: InnerStep) -> Self {
        AidStep {
            steps: Steps {
                inner,
                length: StepLength::Auto,
            },
            system: StepSystem::Iteration,
            tolerance: None,
            limit: 100_000,
        }
    }

    /// A fixed step length.
    #[must_use]
    pub fn step(mut self, length: f64) -> Self {
        self.steps.length = StepLength::Fixed(length);
        self
    }

    /// How the linear system is solved.
    #[must_use]
    pub fn system(mut self, system: StepSystem) -> Self {
        self.system = system;
        self
    }

    /// The residual that the lower level is solved to at least, and the relative one of the linear
    /// system, there 1e-3 at most. Unless given, a residual above the default will do where y is near all the same.
    ///
    /// The steps go on until y is within 1e-7 of its own size (3e-4 in `f32`) of the fixed point, as far
    /// as the linear system can tell; or within this tolerance, and at most 1e-3, if bringing y
    /// nearer changed the hypergradient by no more, and no other active set is as near.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// The most steps on the lower level, and the most iterations on the linear system.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    fn residual<T: Real>(&self) -> f64 {
        self.tolerance.unwrap_or(default_tolerance::<T>())
    }

    /// The relative residual that the linear system is solved to.
    fn linear<T: Real>(&self) -> f64 {
        self.residual::<T>().min(LOOSE)
    }

    /// The relative distance to the fixed point that will do.
    fn allowed<T: Real>(&self) -> f64 {
        Settling::<T>::allowed(self.tolerance)
    }
}

/// Bytes of a loop that keeps nothing and then linearises one step.
fn loop_and_linearisation<T: Real>(step: &Step<T>) -> usize {
    let kept = |memory| -> usize {
        let bytes = |category| step.kept_bytes(1, memory, category);
        Category::ALL.into_iter().map(bytes).sum()
    };
    loop_bytes(step, 1, Memory::Stored) - kept(Memory::Stored) + kept(Memory::Taped)
}

impl<T: Real> Strategy<T> for AidStep {
    fn name(&self) -> String {
        match self.system {
            StepSystem::Iteration => "aid-step".into(),
            StepSystem::Cg => "aid-step-cg".into(),
            StepSystem::Gmres { .. } => "aid-step-gmres".into(),
        }
    }

    fn complaint(&self) -> Option<String> {
        let tolerance = self.residual::<T>();
        if let Some(reason) = self.steps.inner.unsettled() {
            return Some(reason);
        }
        match self.system {
            StepSystem::Gmres { restart: 0 } => {
                Some("restart after 0 iterations: expected at least 1".to_owned())
            }
            _ if self.limit == 0 => Some("at most 0 steps: expected at least 1".to_owned()),
            _ if !(tolerance.is_finite() && tolerance > 0.0) => {
                Some(format!("tolerance {tolerance}: expected a positive number"))
            }
            _ => self.steps.complaint(),
        }
    }

    #[inline(never)]
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        match problem.step() {
            Some(_) => map::misfit(self, problem),
            None => problem
                .constrained()
                .or_else(|| self.steps.inner.misfit(problem)),
        }
    }

    /// A state, what finding the length and stopping need, p and a pulled cotangent, and the linear
    /// system's.
    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        let (steps, n) = (&self.steps, problem.dim_y());
        if problem.step().is_some() {
            let last = Settling::<T>::entries(self.tolerance, problem.dim_x());
            return last + map::scratch::<T>(self.system, n);
        }
        let previous = Stop::<T>::previous(&steps.inner, n);
        let look = match n <= PROBED {
            true => Slowest::<T>::scratch(n),
            false => 0,
        };
        let system = system::scratch::<T>(self.system, n).max(look);
        let last = Settling::<T>::entries(self.tolerance, problem.dim_x());
        last + steps.dim_state(problem) + steps.spare(problem) + previous + 2 * n + system
    }

    #[inline(never)]
    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        // The length is one number in the recording, whichever it is.
        let step = self.steps.recorded(problem, 0.5);
        let twice = self.steps.is_found() || problem.dim_y() <= PROBED;
        let twice = twice && problem.step().is_none();
        Footprint::new()
            .second(0, usize::from(twice))
            .recorded(&step)
            .beside(loop_and_linearisation(&step))
    }

    #[inline(never)]
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        if call.problem.step().is_some() {
            return map::differentiate(self, call);
        }
        let Call {
            problem,
            x,
            start,
            upper,
            lower,
            loops,
            y,
            hypergradient,
            part: beside,
            ..
        } = call;
        let (x, start, dim_y) = (*x, *start, y.len());
        let (inner, tolerance) = (&self.steps.inner, self.residual::<T>());
        let mut following = After::of(beside.as_deref_mut());
        let ([state], mut rest) = call.scratch.split(self.steps.dim_state(problem));
        let ([spare], mut rest) = rest.split(self.steps.spare(problem));
        let ([previous], mut rest) = rest.split(Stop::<T>::previous(inner, dim_y));
        let ([p, q], mut rest) = rest.split(dim_y);
        let last = Settling::<T>::entries(self.tolerance, x.len());
        let ([last], mut rest) = rest.split(last);
        let mut settling = Settling::new(self.tolerance, last);

        let levels = [&mut **upper, &mut **lower];
        let mut walk = Walk::begin(
            &self.steps,
            &mut following,
            problem,
            levels,
            [x, start],
            state,
            spare,
            loops,
        );
        let (length, before) = (walk.length, walk.before);
        // A loose tolerance of the lower level is none of the linear system's.
        let first = self.linear::<T>();
        let (mut wanted, mut linear, mut depth) = (tolerance, first, 0);
        let allowed = self.allowed::<T>();
        let (end, value, solution, settled) = loop {
            let (follows, until) = (following.again(), (wanted, 1));
            let mut stop = Stop::new(inner, follows, length, until, lower, x, previous, spare);
            let until = |made: usize, state: &[T]| stop.reached(made, state);
            let steps = &mut walk.steps;
            let last = steps.forward_until(x, state, self.limit - depth, NOTHING, until);
            let rate = stop.rate;
            y.copy_from_slice(&last[..dim_y]);
            depth += walk.steps.depth();
            let after = following.residual(lower, x, y, length, spare);
            let value = upper.differentiate(&[x, y], Inputs::ALL);
            inner.start(y, state);
            walk.steps.forward(x, state, 1, Memory::Taped);
            let mut linearised = Linearised {
                steps: &mut walk.steps,
                inner,
                cotangent: state,
            };
            let until = (linear, self.limit);
            let b = upper.gradient(1);
            let solution = solve(self.system, until, &mut linearised, b, p, &mut rest);
            // No rate is seen better than by as many steps.
            let slowest = (1.0 - rate).max(1.0 / depth as f64);
            let off = after * length * solution.reach.max(1.0 / slowest);
            let distance = part(off, y, start);
            let sight = Sight {
                length,
                scale: before,
                distance,
            };
            let settled = following.settled([x, y], lower.gradient(1), sight);
            hypergradient.copy_from_slice(upper.gradient(0));
            add(hypergradient, linearised.pull(p, q));
            settling.look(hypergradient, upper.gradient(0));
            let wanted_part = settling.wanted(distance, settled.1.is_some());
            let nearer = 0.5 * after * wanted_part.unwrap_or(0.0);
            // Written so that a NaN, or steps that lead no further, end it.
            let goes_on = nearer > 0.0 && nearer < 0.5 * wanted;
            // The linear system too: once, to what rounding lets it.
            let sharper = (0.1 * TOLD * linear / solution.error).max(4.0 * T::EPSILON);
            let again = solution.error > TOLD && linear == first && sharper < linear;
            if !(goes_on || again) || depth >= self.limit {
                let end = End {
                    before,
                    after,
                    distance,
                    met: after <= tolerance || self.tolerance.is_none(),
                    // Written so that a NaN is no success.
                    diverged: !(distance <= allowed || after <= before),
                    unfinished: after > tolerance,
                };
                break (end, value, solution, settled);
            }
            if again {
                linear = sharper;
            }
            if goes_on {
                wanted = nearer;
            }
            inner.start(y, state);
        };
        walk.end(loops);
        let looks = following.is_nothing();
        let trap = looks.then(|| Trap::of([start, y], lower.gradient(1), q));

        let found = (solution.residual, solution.repels);
        let status = self.status(&end, found, &settling);
        let mut answer = Answer::new(status, value.f64(), end.after);
        answer.change = settling.change();
        answer.distance = Some(end.distance);
        answer.lower_iterations = depth;
        answer.linear_residual = Some(solution.residual);
        answer.linear_iterations = solution.iterations;
        answer.step = Some(length);
        answer.walked = Some(Walked {
            depth,
            memory: NOTHING,
            inner: inner.clone(),
        });
        answer.margin = settled.0;
        answer.warnings.extend(settled.1);
        if answer.status.is_success() {
            let further = solve_further(solution.error, solution.residual);
            answer.warnings.extend(further);
        }
        let remark = self.remark::<T>(&answer.status, &end, depth, length);
        answer.warnings.extend(remark);
        if answer.status.is_success() && dim_y <= PROBED {
            // y may be large in what g is flat in, and everything is near beside that.
            if following.is_nothing() {
                let mut slowest = Slowest::new(dim_y, rest);
                let off = slowest.distance(lower, true, [x, y], end.after, spare, depth);
                let distance = match off == 0.0 {
                    true => 0.0,
                    false => slowest.energy(lower, [start, y]),
                };
                // Written so that a NaN is no success.
                if !(distance <= allowed) {
                    answer.distance = Some(distance);
                    answer.status = Status::LowerInaccurate { distance, allowed };
                    return answer;
                }
            }
            lower.linearise(&[x, y]);
            Hessian::of(lower).times(p);
            let far = (size(y, start), end.distance);
            if let Some(flat) = Flat::beside(lower, [x, y], p, far, q) {
                answer.status = flat.status(allowed);
            }
        }
        let at = [x, start, y];
        answer.status = Trap::judge(trap.flatten(), answer.status, lower, at, before, [p, q]);
        answer
    }
}
