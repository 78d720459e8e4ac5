//! Iterative differentiation.

mod entry;
mod pessimistic;
mod tolerance;

use autodiff::bytes::Category;
use autodiff::kernels::add;
use autodiff::unroll::{Memory, Step};
use autodiff::{Inputs, Point, Real};

use crate::Bilevel;
use crate::accuracy::PROBED;
use crate::inner::{InnerStep, StepLength, Stop};
use crate::lower::{NOTHING, Steps, Walk};
use crate::part::{After, Sight};
use crate::trap::Trap;

use super::Strategy;
use super::equation;
use super::footprint::{Footprint, loop_bytes};
use super::frame::{Answer, Call, Walked};
use super::room::Room;
use super::slowest::Slowest;
use super::unrolled::{Seen, halving, pull_back};
pub(super) use entry::entries;

/// Differentiates `F(x, y_K(x))` through the K steps that made `y_K`.
///
/// # Requirements on the problem
/// g twice differentiable in y. The result is the exact derivative of the K-step map; it tends to
/// the hypergradient as the steps converge, with error O(K qᴷ). Where the problem
/// [brings its own steps](Bilevel::with_step), it is through these, which need not converge. Beside a
/// [part](Bilevel::with_part) it is a derivative where the map has one, and so for almost every x; the
/// limit is right where no active entry could as well be free.
///
/// # Cost in oracle calls
/// K gradients of g on the way forward; on the way back K gradients and K Hessian-vector products,
/// each with its cross product from the same sweep. `K · dim_y` scalars are kept. Other
/// [`Memory`] policies keep more or less, and make more or fewer calls. Where steps have a memory,
/// in forward mode (twice), and where `dim_y ≤ 20`, a Hessian-vector product for every 8 steps, at most
/// 12 and one that checks them, looks at how far y has come. On the equation of a
/// [map](Bilevel::fixed_point) five more steps with a pullback each look for a kink beside y, and in
/// forward mode as many pullbacks as the loop has steps, 192 at least, tell how fast the map contracts. Where the start of y has
/// entries that are alike up to 50 gradients of g look for what it [hides](crate::guide::statuses).
///
/// # Reference
/// L. Franceschi et al., Forward and reverse gradient-based hyperparameter optimization, 2017.
#[derive(Clone, Debug, PartialEq)]
pub struct Itd {
    pub(super) depth: usize,
    pub(super) steps: Steps,
    pub(super) memory: Memory,
    tolerance: Option<f64>,
    pessimistic: bool,
}

impl Itd {
    /// Reverse mode through `depth` gradient steps of automatic length, all states stored.
    pub fn reverse(depth: usize) -> Self {
        Itd {
            depth,
            steps: Steps::default(),
            memory: Memory::Stored,
            tolerance: None,
            pessimistic: false,
        }
    }

    /// Ends the loop where the lower level and its derivative have come to `tolerance`, or else
    /// after [`depth`](Itd::reverse) steps: its depth is then
    /// [`lower_iterations`](crate::Estimate::lower_iterations). [`Memory::Online`] is made for it; the
    /// other policies make room for all `depth` steps.
    ///
    /// The tolerance is on [`lower_residual`](crate::Estimate::lower_residual), and on the share of the
    /// cotangent that is left at the start of the loop,
    /// [`linear_residual`](crate::Estimate::linear_residual): from a warm start y is soon at the solution,
    /// and its derivative is not. Where too much is left, a longer loop is run, as long as the
    /// rate so far says it must be. Forward mode and truncated loops are made longer
    /// for y alone.
    ///
    /// Steps with a memory of their own (momentum, Adam, FISTA) cost one more gradient each to see
    /// the residual.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// What the loop keeps for the way back.
    #[must_use]
    pub fn memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// The kind of step.
    #[must_use]
    pub fn inner(mut self, inner: InnerStep) -> Self {
        self.steps.inner = inner;
        self
    }

    /// A fixed step length.
    #[must_use]
    pub fn step(mut self, length: f64) -> Self {
        self.steps.length = StepLength::Fixed(length);
        self
    }

    /// Entries of what is compared with each state, if the loop stops at a tolerance.
    fn previous<T: Real>(&self, dim_y: usize) -> usize {
        match self.tolerance {
            Some(_) => Stop::<T>::previous(&self.steps.inner, dim_y),
            None => 0,
        }
    }

    /// Whether the end of a loop is looked at by products of its own: on small problems always.
    pub(super) fn looks(&self, memory: Memory, dim_y: usize) -> bool {
        let slow = memory == Memory::Forward || !self.steps.inner.is_plain();
        !self.pessimistic && (slow || dim_y <= PROBED)
    }

    /// [`scratch`](Strategy::scratch) under `memory`.
    pub(super) fn scratch_under<T: Real>(&self, memory: Memory, problem: &Bilevel<T>) -> usize {
        let (steps, dim_y) = (&self.steps, problem.dim_y());
        let look = match self.looks(memory, dim_y) && problem.step().is_none() {
            true => Slowest::<T>::scratch(dim_y),
            false => 0,
        };
        let loops = steps.dim_state(problem) + self.previous::<T>(dim_y);
        let around = if problem.is_equation() { 3 * dim_y } else { 0 };
        loops + around + dim_y + steps.spare(problem) + look
    }

    /// What a call holds under `memory` beside its scratch and its loop, whose step is recorded.
    pub(super) fn footprint_under<T: Real>(
        &self,
        memory: Memory,
        problem: &Bilevel<T>,
        step: &Step<T>,
    ) -> Footprint<T> {
        let twice = self.steps.is_found() || self.looks(memory, problem.dim_y());
        let twice = twice && problem.step().is_none();
        Footprint::new()
            .second(0, usize::from(twice))
            .recorded(step)
    }

    #[allow(clippy::too_many_arguments)]
    /// Looks at y, the end of a loop of steps of `length`, by products of its own.
    fn look<T: Real>(
        &self,
        slowest: &mut Slowest<'_, T>,
        seen: &mut Seen,
        [upper, lower]: [&mut Point<T>; 2],
        [x, start, y]: [&[T]; 3],
        after: &mut After<'_, T>,
        (length, spare): (f64, &mut [T]),
        hypergradient: &[T],
    ) {
        let (inner, depth) = (&self.steps.inner, seen.depth);
        let (smooth, at) = (after.is_nothing(), [x, y]);
        if !smooth {
            after.residual(lower, x, y, length, spare);
        }
        if !inner.is_plain() && seen.halving.is_infinite() {
            // The cotangent of what steps keep comes and goes: its fall over all of them says how
            // fast, and the look at y how far.
            seen.halving = halving(depth, seen.left);
        }
        seen.off = slowest.distance(lower, smooth, at, seen.after, spare, depth);
        let (by_x, by_y) = (upper.gradient(0), upper.gradient(1));
        if smooth {
            seen.part = slowest.energy(lower, [start, y]);
            let apart = slowest.apart(lower, [by_x, by_y], hypergradient, depth);
            seen.owed = seen.owed.max(apart);
            if slowest.is_flat(lower, at, (seen.size, seen.off)) {
                seen.owed = f64::INFINITY;
            }
        }
        if self.memory == Memory::Forward {
            let curvature = slowest.curvature(lower, at, by_y, depth);
            // With momentum a step may be worth ten.
            if curvature.least() * length * (10 * depth) as f64 <= 1.0 {
                seen.left = 1.0;
            }
        }
    }
}

impl<T: Real> Strategy<T> for Itd {
    fn name(&self) -> String {
        let name = match self.memory {
            Memory::Stored => "itd".into(),
            memory => format!("itd-{memory}"),
        };
        match self.pessimistic {
            true => format!("{name}, pessimistic"),
            false => name,
        }
    }

    fn complaint(&self) -> Option<String> {
        if self.depth == 0 {
            return Some("depth 0: expected at least 1 step".to_owned());
        }
        if self.memory == (Memory::Truncated { steps: 0 }) {
            return Some("truncated to 0 steps: expected at least 1".to_owned());
        }
        if let Some(t) = self.tolerance.filter(|t| !(t.is_finite() && *t > 0.0)) {
            return Some(format!("tolerance {t}: expected a positive number"));
        }
        let inner = &self.steps.inner;
        let truncation = self.truncation_complaint();
        let steps = truncation.or_else(|| self.steps.complaint());
        steps.or(inner.memory_complaint::<T>(self.memory))
    }

    #[inline(never)]
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        let reason = problem
            .constrained()
            .or_else(|| self.truncation_misfit(problem))
            .or_else(|| self.steps.inner.misfit(problem));
        if reason.is_some() {
            return reason;
        }
        if problem.start_of_x().is_some() && self.memory == Memory::Forward {
            return Some(
                "the lower level starts from a function of x, whose derivative forward mode does not \
                 carry: expected itd, or itd-checkpointed:SLOTS"
                    .to_owned(),
            );
        }
        problem.step()?;
        self.steps.beside_own().or_else(|| {
            let tolerance = self.tolerance?;
            Some(format!(
                "tolerance {tolerance}: expected none, as the problem has steps of its own"
            ))
        })
    }

    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        self.scratch_under(self.memory, problem)
    }

    #[track_caller]
    #[inline(never)]
    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        // The length is one number in the recording, whichever it is.
        let step = self.steps.recorded(problem, 0.5);
        let footprint = self
            .footprint_under(self.memory, problem, &step)
            .beside(loop_bytes(&step, self.depth, self.memory));
        match problem.is_equation() && self.memory == Memory::Forward {
            // A step is pulled back through once the loop is done.
            true => footprint.beside(pulled_back(&step, self.depth)),
            false => footprint,
        }
    }

    fn predicted_disk_bytes(&self, problem: &Bilevel<T>) -> usize {
        let dim_state = self.steps.dim_state(problem);
        self.memory
            .disk_bytes(self.depth, dim_state, size_of::<T>())
    }

    fn room(&self, dim_y: usize) -> Room {
        Room::of_loop::<T>(self.memory, self.depth, dim_y, "itd-checkpointed")
    }

    #[inline(never)]
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        let Call {
            problem,
            x,
            start,
            upper,
            lower,
            loops,
            y,
            hypergradient,
            part,
            learned,
            by_start,
            ..
        } = call;
        let (x, start, dim_y) = (*x, *start, y.len());
        let (inner, own) = (&self.steps.inner, problem.step().is_some());
        let mut following = After::of(part.as_deref_mut());
        let ([state], mut rest) = call.scratch.split(self.steps.dim_state(problem));
        let ([pulled], mut rest) = rest.split(dim_y);
        let ([spare], mut rest) = rest.split(self.steps.spare(problem));
        let ([previous], mut rest) = rest.split(self.previous::<T>(dim_y));
        let (mut around, rest) = rest.split(if problem.is_equation() { dim_y } else { 0 });
        let looks = self.looks(self.memory, dim_y) && !own;
        let mut slowest = looks.then(|| Slowest::new(dim_y, rest));

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
        let mut least = 1;
        let (value, mut seen, settled, trap) = loop {
            let steps = &mut walk.steps;
            let last = match self.tolerance {
                None if self.pessimistic => {
                    let (depth, memory) = (self.depth, self.memory);
                    pessimistic::forward(steps, upper, [x, state], dim_y, depth, memory)
                }
                None => steps.forward(x, state, self.depth, self.memory),
                Some(tolerance) => {
                    let until = (tolerance, least);
                    let (follows, length) = (following.again(), walk.length);
                    let mut stop =
                        Stop::new(inner, follows, length, until, lower, x, previous, spare);
                    let stop = |made: usize, state: &[T]| stop.reached(made, state);
                    steps.forward_until(x, state, self.depth, self.memory, stop)
                }
            };
            y.copy_from_slice(&last[..dim_y]);
            let after = following.residual(lower, x, y, walk.length, spare);
            let looks = following.is_nothing() && !own && !self.pessimistic;
            let trap = looks.then(|| Trap::of([start, y], lower.gradient(1), pulled));
            let value = upper.differentiate(&[x, y], Inputs::ALL).f64();
            let left = pull_back(&mut walk.steps, inner, upper, pulled, hypergradient);
            let residuals = [walk.before, after];
            let mut seen = Seen {
                own: own && !problem.is_equation() || learned.is_some() || self.pessimistic,
                ..Seen::of(&walk.steps, [start, y], residuals, left)
            };
            if problem.is_equation() {
                // Of g = ½‖Φ(x, y) − y‖².
                let g = lower.differentiate(&[x, y], Inputs::one(1));
                seen.next = (2.0 * g.f64()).sqrt();
            } else if inner.is_plain() && !own {
                seen.next = walk.length * after;
            }
            let sight = Sight {
                length: walk.length,
                scale: walk.before,
                distance: seen.distance(),
            };
            let settled = following.settled([x, y], lower.gradient(1), sight);
            if let Some(slowest) = &mut slowest {
                let levels = [&mut **upper, &mut **lower];
                let (at, by) = ([x, start, y], (walk.length, &mut *spare));
                let follows = &mut following;
                self.look(slowest, &mut seen, levels, at, follows, by, hypergradient);
            }
            match self.longer::<T>(&seen) {
                None => break (value, seen, settled, trap),
                Some(steps) => least = steps,
            }
        };
        if let (Some(learned), true) = (learned, seen.left > 0.0) {
            // The cotangent of the start, as the last pass left it.
            learned.pull_back(pulled, Inputs::one(0));
            add(hypergradient, learned.gradient(0));
        }
        if let Some(by_start) = by_start {
            match seen.left == 0.0 {
                true => by_start.fill(T::zero()),
                false => by_start.copy_from_slice(pulled),
            }
        }
        let mut answer = seen.answer(&walk.steps, value);
        if self.pessimistic {
            let mut g = |y: &[T]| lower.value(&[x, y]).f64();
            answer.status = pessimistic::status(answer.status, || g(y) <= g(start));
        }
        if problem.is_equation() && answer.status.is_success() {
            let [a, b, moved] = &mut around;
            if self.memory == Memory::Forward {
                let rate = equation::rate(&mut walk.steps, [x, y], seen.depth, [state, a, b]);
                let left = rate.powi(seen.depth as i32);
                seen.off = if rate < 1.0 {
                    seen.next / (1.0 - rate)
                } else {
                    f64::INFINITY
                };
                seen.owed = if left < 1.0 {
                    left / (1.0 - left)
                } else {
                    f64::INFINITY
                };
                answer.distance = Some(seen.distance());
            }
            let (distance, room) = (seen.distance(), [&mut *state, a, b, moved]);
            answer.warnings.extend(equation::kink(
                &mut walk.steps,
                (Memory::Stored, [x, y, start]),
                distance,
                room,
            ));
        }
        answer.step = (!own).then(|| inner.shown(walk.length));
        answer.linear_iterations = self.memory.differentiated_steps(seen.depth);
        answer.walked = Some(Walked {
            depth: seen.depth,
            memory: self.memory,
            inner: inner.clone(),
        });
        walk.end(loops);
        answer.margin = settled.0;
        answer.warnings.extend(settled.1);
        match self.tolerance {
            None if answer.status.is_success() => answer.warnings.extend(match self.pessimistic {
                true => pessimistic::warning(&seen, self.depth),
                false => seen.warning(),
            }),
            None => {}
            Some(tolerance) => {
                answer.status = Self::to_tolerance::<T>(tolerance, &seen, answer.status);
                // Of the system (I − ∂_yΦ)ᵀ p = ∇_yF, which the reverse pass sums up.
                answer.linear_residual = Some(seen.left);
            }
        }
        let (trap, room) = (
            trap.flatten().filter(|_| !seen.own),
            [&mut state[..dim_y], pulled],
        );
        answer.status = Trap::judge(trap, answer.status, lower, [x, start, y], seen.before, room);
        answer
    }
}

/// What pulling back through one step holds beyond what a loop in forward mode let go of before.
fn pulled_back<T: Real>(step: &Step<T>, depth: usize) -> usize {
    let kept = |depth, memory| -> usize {
        let kept = |category| step.kept_bytes(depth, memory, category);
        Category::ALL.into_iter().map(kept).sum()
    };
    let forward = loop_bytes(step, 1, NOTHING) - kept(1, NOTHING);
    (loop_bytes(step, 1, Memory::Stored) - forward).saturating_sub(kept(depth, Memory::Forward))
}
