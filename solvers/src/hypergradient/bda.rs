//! Bilevel descent aggregation.

mod entry;
mod one_stage;

use std::sync::Arc;

use autodiff::kernels::add;
use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Inputs, Point, Real, Var};

use crate::inner::{Direction, InnerStep, StepLength};
use crate::loops::{Key, Loops};
use crate::part::{After, Sight};
use crate::trap::Trap;
use crate::{Bilevel, Schedule};

use super::Strategy;
use super::footprint::{Footprint, loop_bytes};
use super::frame::{Answer, Call, Walked};
use super::room::Room;
use super::slowest::Slowest;
use super::unrolled::{Seen, pull_back};
pub(super) use entry::entries;
pub use one_stage::OneStage;

/// Differentiates `F(x, y_K(x))` through K steps that descend both levels at once,
/// `y ← P[y − (α_k s_u ∇_yF + (1 − α_k) s_l ∇_y g)]`.
///
/// # Requirements on the problem
/// F and g twice differentiable in y. The lower level need not have a single solution: the
/// aggregation chooses among them the one that is best for F. A part beside g must be a set, as any other belongs to one level alone. α_k in (0, 1] must tend to
/// 0 with an infinite sum; a summable schedule stalls, and is warned of. Any kind of [`InnerStep`]
/// follows the joint direction.
///
/// Where the lower level has one solution there is nothing to choose, and BDA has no advantage over
/// [`Itd`](crate::Itd): each step costs an oracle call of F more, and y is pulled off the solution by
/// O(α_K), so that the hypergradient comes near the right one as the schedule falls, not as qᴷ.
///
/// # Cost in oracle calls
/// Per step one gradient of each level on the way forward, and on the way back one gradient and one
/// Hessian-vector product of each. At the end a Hessian-vector product of g for every 8 steps, at
/// most 12 and one that checks them, looks at how far y has come. Where the start of y has
/// entries that are alike up to 50 gradients of g look for what it [hides](crate::guide::statuses).
///
/// # Reference
/// R. Liu et al., A generic first-order algorithmic framework for bi-level programming beyond
/// lower-level singleton, ICML 2020.
#[derive(Clone, Debug, PartialEq)]
pub struct Bda {
    depth: usize,
    schedule: Schedule,
    indexed: Indexed,
    inner: InnerStep,
    upper_length: StepLength,
    lower_length: StepLength,
    memory: Memory,
}

/// What α is a sequence over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Indexed {
    /// The steps k of a loop.
    Inner,
    /// The outer iterations t: constant within a loop.
    Outer,
}

impl Bda {
    /// `depth` gradient steps with α_k = 0.5/(k+1) and automatic step lengths, all states stored.
    pub fn new(depth: usize) -> Self {
        Bda {
            depth,
            schedule: Schedule::harmonic(0.5),
            indexed: Indexed::Inner,
            inner: InnerStep::default(),
            upper_length: StepLength::Auto,
            lower_length: StepLength::Auto,
            memory: Memory::Stored,
        }
    }

    /// The sequence α_k over the steps of a loop.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self.indexed = Indexed::Inner;
        self
    }

    /// A sequence α_t over the outer iterations, such as α₀/(t+1): all steps of a loop have the same
    /// α. [`At::iteration`](crate::At::iteration) says t; [`Descent`](crate::Descent) does.
    #[must_use]
    pub fn outer_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self.indexed = Indexed::Outer;
        self
    }

    /// The kind of step: momentum or acceleration on the joint direction.
    #[must_use]
    pub fn inner(mut self, inner: InnerStep) -> Self {
        self.inner = inner;
        self
    }

    /// Fixed step lengths s_u and s_l.
    #[must_use]
    pub fn steps(mut self, upper: f64, lower: f64) -> Self {
        self.upper_length = StepLength::Fixed(upper);
        self.lower_length = StepLength::Fixed(lower);
        self
    }

    /// A fixed step length s_l of the lower level.
    #[must_use]
    pub fn lower_step(mut self, length: f64) -> Self {
        self.lower_length = StepLength::Fixed(length);
        self
    }

    /// What the loop keeps for the way back.
    #[must_use]
    pub fn memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// The last step alone differentiated, by differences of gradients: no Hessian-vector product.
    pub fn one_stage(self) -> OneStage {
        OneStage::of(self)
    }

    /// Directions that F and g are differentiated twice along: to find the lengths, and to judge what
    /// is left of the lower level.
    fn footprint_of<T: Real>(&self, step: &Step<T>) -> Footprint<T> {
        let upper = usize::from(self.upper_length.is_found());
        Footprint::new().second(upper, 1).recorded(step)
    }

    /// Entries that finding the step lengths and the residual needs.
    fn spare<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        let lengths = [self.upper_length, self.lower_length];
        lengths
            .map(|length| length.spare_on(problem))
            .into_iter()
            .max()
            .unwrap_or(0)
    }

    #[allow(clippy::too_many_arguments)]
    /// Takes the loop from the start of a call, its lengths found there.
    fn begin<T: Real>(
        &self,
        problem: &Bilevel<T>,
        [upper, lower]: [&mut Point<T>; 2],
        [x, start]: [&[T]; 2],
        t: usize,
        after: &mut After<'_, T>,
        spare: &mut [T],
        loops: &mut Loops<T>,
    ) -> Joint<T> {
        let length = self.lower_length;
        let lower_length = length.resolve_after(after.again(), lower, x, start, spare);
        let length = self.upper_length;
        let upper_length = length.resolve_after(after.again(), upper, x, start, spare);
        let lengths = [upper_length, lower_length];
        let before = after.residual(lower, x, start, lower_length, spare);
        let outer = (self.indexed == Indexed::Outer).then_some(t);
        let key = Key::Joint(self.inner.clone(), self.schedule, lengths, outer);
        let steps = loops.take(&key, [upper, lower], || self.record(problem, lengths, t));
        Joint {
            steps,
            lengths,
            before,
            key,
        }
    }

    /// α of step `k` in outer iteration `t`.
    fn alpha(&self, k: usize, t: usize) -> f64 {
        match self.indexed {
            Indexed::Inner => self.schedule.at(k),
            Indexed::Outer => self.schedule.at(t),
        }
    }

    fn record<T: Real>(&self, problem: &Bilevel<T>, lengths: [f64; 2], t: usize) -> Step<T> {
        let bda = self.clone();
        let coefficients = move |k: usize, c: &mut [T]| {
            let alpha = bda.alpha(k, t);
            c[0] = T::of(alpha * lengths[0]);
            c[1] = T::of((1.0 - alpha) * lengths[1]);
        };
        let (f, g) = (problem.upper(), problem.lower());
        self.inner.record_along(&Direction {
            dim_x: problem.dim_x(),
            dim_y: problem.dim_y(),
            count: 2,
            coefficients: Arc::new(coefficients),
            along: &|x, y, c| {
                let descent = |of, k: usize| Var::gradient(of, 1, &[x, y]) * c.at(k);
                descent(f, 0) + descent(g, 1)
            },
            // Projections do not read it.
            length: 1.0,
            part: problem.part(),
        })
    }

    /// What is wrong with the settings, except for how the loop is differentiated.
    fn reason(&self) -> Option<String> {
        let first = self.schedule.largest();
        if self.depth == 0 {
            Some("depth 0: expected at least 1 step".to_owned())
        } else if !(first > 0.0 && first <= 1.0) {
            Some(format!("α_0 = {first}: expected α_k in (0, 1]"))
        } else {
            let lengths = [self.upper_length, self.lower_length];
            lengths
                .into_iter()
                .find_map(|length| self.inner.complaint(length))
        }
    }

    /// What the user should know of the schedule.
    fn warnings(&self) -> Vec<String> {
        if !self.schedule.is_summable() {
            return Vec::new();
        }
        let better = match self.indexed {
            Indexed::Inner => "α/(k+1)",
            Indexed::Outer => "α/(t+1)",
        };
        vec![format!(
            "the schedule {:?} is summable: the aggregation stalls before the best of the lower \
             level's solutions; use {better}",
            self.schedule
        )]
    }
}

/// A loop of steps on both levels under way.
struct Joint<T: Real> {
    steps: Unrolled<T>,
    /// Of the upper and of the lower level.
    lengths: [f64; 2],
    /// The residual of the lower level where it starts.
    before: f64,
    key: Key,
}

impl<T: Real> Strategy<T> for Bda {
    fn name(&self) -> String {
        match self.memory {
            Memory::Stored => "bda".into(),
            memory => format!("bda-{memory}"),
        }
    }

    fn complaint(&self) -> Option<String> {
        let memory = || self.inner.memory_complaint::<T>(self.memory);
        self.reason().or_else(memory)
    }

    #[inline(never)]
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        let part = problem.part().filter(|part| !part.0.is_set());
        let of_one_level = part.map(|part| {
            format!(
                "the lower level's part ({}) is none of both levels: expected a set, or itd",
                part.name()
            )
        });
        let steps = || self.inner.misfit(problem);
        let forward = problem.start_of_x().is_some() && self.memory == Memory::Forward;
        let forward = forward.then(|| {
            "the lower level starts from a function of x, whose derivative forward mode does not \
             carry: expected bda, or bda-checkpointed:SLOTS"
                .to_owned()
        });
        problem
            .own_step()
            .or(of_one_level)
            .or(forward)
            .or_else(steps)
    }

    /// A state and its derivative by the start, what finding the lengths needs, and a look at the end.
    fn follows_upper(&self) -> bool {
        true
    }

    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        let n = problem.dim_y();
        self.inner.dim_state(n) + n + self.spare(problem) + Slowest::<T>::scratch(n)
    }

    #[track_caller]
    #[inline(never)]
    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        // The lengths are coefficients: the recording is the same for all.
        let step = self.record(problem, [0.5, 0.5], 0);
        self.footprint_of(&step)
            .beside(loop_bytes(&step, self.depth, self.memory))
    }

    fn predicted_disk_bytes(&self, problem: &Bilevel<T>) -> usize {
        let dim_state = self.inner.dim_state(problem.dim_y());
        self.memory
            .disk_bytes(self.depth, dim_state, size_of::<T>())
    }

    fn room(&self, dim_y: usize) -> Room {
        Room::of_loop::<T>(self.memory, self.depth, dim_y, "bda-checkpointed")
    }

    #[inline(never)]
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        let (spares, t) = (self.spare(call.problem), call.iteration);
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
            ..
        } = call;
        let (x, start, dim_y, inner) = (*x, *start, y.len(), &self.inner);
        let mut follows = After::of(part.as_deref_mut());
        let ([state], mut rest) = call.scratch.split(inner.dim_state(dim_y));
        let ([pulled], mut rest) = rest.split(dim_y);
        let ([spare], rest) = rest.split(spares);
        let mut slowest = Slowest::new(dim_y, rest);

        let levels = [&mut **upper, &mut **lower];
        let mut joint = self.begin(problem, levels, [x, start], t, &mut follows, spare, loops);
        inner.start(start, state);
        let length = joint.lengths[1];
        let last = joint.steps.forward(x, state, self.depth, self.memory);
        y.copy_from_slice(&last[..dim_y]);
        let after = follows.residual(lower, x, y, length, spare);
        let smooth = follows.is_nothing();
        let looks = smooth && learned.is_none();
        let trap = looks.then(|| Trap::of([start, y], lower.gradient(1), pulled));
        let off = slowest.distance(lower, smooth, [x, y], after, spare, self.depth);
        let part = match smooth {
            true => slowest.energy(lower, [start, y]),
            false => 0.0,
        };
        let value = upper.differentiate(&[x, y], Inputs::ALL).f64();
        let left = pull_back(&mut joint.steps, inner, upper, pulled, hypergradient);
        let residuals = [joint.before, after];
        let seen = Seen {
            // The upper level pulls y off the lower level's solutions by O(α_K).
            strays: true,
            own: learned.is_some(),
            off,
            part,
            ..Seen::of(&joint.steps, [start, y], residuals, left)
        };
        let sight = Sight {
            length,
            scale: joint.before,
            // The upper level pulls y off its bound as well.
            distance: seen.distance(),
        };
        let (margin, weak) = follows.settled([x, y], lower.gradient(1), sight);
        if let (Some(learned), true) = (learned, seen.left > 0.0) {
            learned.pull_back(pulled, Inputs::one(0));
            add(hypergradient, learned.gradient(0));
        }
        let mut answer = seen.answer(&joint.steps, value);
        loops.put(joint.key, joint.steps);
        if answer.status.is_success() {
            answer.warnings.extend(seen.warning());
        }
        answer.linear_iterations = self.memory.differentiated_steps(self.depth);
        answer.step = Some(inner.shown(length));
        answer.walked = Some(Walked {
            depth: self.depth,
            memory: self.memory,
            inner: inner.clone(),
        });
        answer.margin = margin;
        answer.warnings.extend(weak);
        answer.warnings.extend(self.warnings());
        let (trap, room) = (trap.flatten(), [&mut state[..dim_y], pulled]);
        answer.status = Trap::judge(trap, answer.status, lower, [x, start, y], seen.before, room);
        answer
    }
}
