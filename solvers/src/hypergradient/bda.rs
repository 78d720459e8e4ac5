//! Bilevel descent aggregation.

mod entry;
mod one_stage;

use std::sync::Arc;

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::add;
use autodiff::unroll::{Memory, Step};
use autodiff::{Inputs, Real, Var};
use nalgebra::DVector;

use crate::inner::{Direction, InnerStep, StepLength, Weak};
use crate::{Bilevel, Estimate, Proximal, Schedule, Status, Workspace};

use super::footprint::{loop_bytes, workspace_bytes};
use super::session::{Session, blank, counted};
use super::slowest::Slowest;
use super::unrolled::{Seen, left};
use super::{ConfigError, Room, Strategy};
pub(super) use entry::entries;
pub use one_stage::OneStage;

/// Differentiates `F(x, y_K(x))` through K steps that descend both levels at once,
/// `y ← P[y − (α_k s_u ∇_yF + (1 − α_k) s_l ∇_y g)]`.
///
/// # Requirements on the problem
/// F and g twice differentiable in y. The lower level need not have a single solution: the
/// aggregation chooses among them the one that is best for F. α_k in (0, 1] must tend to 0 with an
/// infinite sum; a summable schedule stalls, and is warned of. Any kind of [`InnerStep`] follows the
/// joint direction, but for the soft threshold, which belongs to one level alone.
///
/// Where the lower level has one solution there is nothing to choose, and BDA has no advantage over
/// [`Itd`](crate::Itd): each step costs an oracle call of F more, and y is pulled off the solution by
/// O(α_K), so that the hypergradient comes near the right one as the schedule falls, not as qᴷ.
///
/// # Cost in oracle calls
/// Per step one gradient of each level on the way forward, and on the way back one gradient and one
/// Hessian-vector product of each. At the end a Hessian-vector product of g for every 8 steps, at
/// most 12 and one that checks them, looks at how far y has come.
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
    /// α. [`Workspace::set_iteration`] says t; [`Descent`](crate::Descent) does.
    #[must_use]
    pub fn outer_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self.indexed = Indexed::Outer;
        self
    }

    /// The kind of step: momentum, acceleration or a projection on the joint direction.
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

    /// The most bytes that the estimate's workspace holds, without running anything; see
    /// [`Itd::predicted_peak_bytes`](crate::Itd::predicted_peak_bytes).
    ///
    /// # Panics
    /// If the settings are not valid.
    #[track_caller]
    pub fn predicted_peak_bytes<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        // The lengths are coefficients: the recording is the same for all.
        let step = self.record(problem, [0.5, 0.5], 0);
        // One end of the loop, y, what finding the lengths needs, and the hypergradient.
        let vectors = step.dim_state() + problem.dim_y() + self.spare(problem) + problem.dim_x();
        let look = Slowest::<T>::bytes(problem.dim_y());
        (workspace_bytes(problem, self.second(), Some(&step)) + vectors * size_of::<T>() + look)
            .saturating_add(loop_bytes(&step, self.depth, self.memory))
    }

    /// Directions that F and g are differentiated twice along: to find the lengths, and to judge what
    /// is left of the lower level.
    fn second(&self) -> [usize; 2] {
        [usize::from(self.upper_length.is_found()), 1]
    }

    /// Entries that finding the step lengths and the residual needs.
    fn spare<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        let spare = |length: StepLength| self.inner.spare(problem.dim_y(), length);
        spare(self.upper_length).max(spare(self.lower_length))
    }

    /// s_u and s_l for loops from `y`.
    fn lengths<T: Real>(
        &self,
        work: &mut Workspace<T>,
        x: &[T],
        y: &[T],
        spare: &mut [T],
    ) -> [f64; 2] {
        let p = self.inner.proximal();
        let lower = self.lower_length;
        let lower = lower.resolve_proximal(p, &mut work.lower, x, y, spare);
        let upper = self.upper_length;
        let upper = upper.resolve_proximal(p, &mut work.upper, x, y, spare);
        [upper, lower]
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
        })
    }

    /// What is wrong with the settings, but for how the loop is differentiated.
    fn complaint(&self) -> Option<String> {
        let first = self.schedule.largest();
        if self.depth == 0 {
            Some("depth 0: expected at least 1 step".to_owned())
        } else if !(first > 0.0 && first <= 1.0) {
            Some(format!("α_0 = {first}: expected α_k in (0, 1]"))
        } else if let Proximal::SoftThreshold { .. } = self.inner.proximal() {
            Some(format!(
                "steps {} on both levels at once: expected a projection, or itd",
                self.inner
            ))
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

impl<T: Real> Strategy<T> for Bda {
    fn name(&self) -> String {
        match self.memory {
            Memory::Stored => "bda".into(),
            memory => format!("bda-{memory}"),
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let reason = self
            .complaint()
            .or(self.inner.memory_complaint::<T>(self.memory));
        match reason {
            Some(reason) => Err(ConfigError {
                strategy: Strategy::<T>::name(self),
                reason,
            }),
            None => Ok(()),
        }
    }

    fn room(&self, dim_y: usize) -> Room {
        Room::of_loop::<T>(self.memory, self.depth, dim_y, "bda-checkpointed")
    }

    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        Strategy::<T>::validate(self)?;
        self.suits(problem)?;
        work.check(problem, x);
        let session = Session::begin(work);
        let (x, dim_y, meter) = (x.as_slice(), problem.dim_y(), work.meter().clone());
        // The first state, and on the way back the cotangent of the last one.
        let mut end = self.inner.first_state(work.start.as_slice(), &meter);
        let mut spare = Buffer::zeros(self.spare(problem), Category::Solver, &meter);
        let mut slowest = Slowest::new(dim_y, &meter);
        let lengths = self.lengths(work, x, &end[..dim_y], &mut spare);
        let ([upper, lower], t) = (lengths, work.iteration());
        let proximal = self.inner.proximal();
        let before = proximal.residual(&mut work.lower, x, &end[..dim_y], lower, &mut spare);

        let mut key = format!(
            "bda {:?} {:?} {upper:e} {lower:e}",
            self.schedule, self.inner
        );
        if self.indexed == Indexed::Outer {
            key += &format!(" {t}");
        }
        let mut steps = work.take(&key, || self.record(problem, lengths, t));
        let last = steps.forward(x, &end, self.depth, self.memory);
        let (y, _y_bytes) = counted(&last[..dim_y], &meter);

        let at = y.as_slice();
        let after = proximal.residual(&mut work.lower, x, at, lower, &mut spare);
        let weak = Weak {
            start: work.start.as_slice(),
            scale: before,
            residual: after,
            length: lower,
            blur: 0.0,
        };
        let weak = weak.entry(proximal, at, work.lower.gradient(1));
        let lower_point = &mut work.lower;
        let off = slowest.distance(lower_point, proximal, [x, at], after, &spare, self.depth);
        let part = match self.inner.is_proximal() {
            true => 0.0,
            false => slowest.energy(lower_point, [work.start.as_slice(), at]),
        };
        let value = work.upper.differentiate(&[x, at], Inputs::ALL);
        end.fill(T::zero());
        end[..dim_y].copy_from_slice(work.upper.gradient(1));
        let (by_x, by_start) = steps.reverse(&end);
        let (mut hypergradient, _bytes) = counted(work.upper.gradient(0), &meter);
        add(hypergradient.as_mut_slice(), by_x);
        let left = left(self.inner, by_start, &mut end, dim_y);
        let ends = [work.start.as_slice(), at];
        let seen = Seen {
            // The upper level pulls y off the lower level's solutions by O(α_K).
            strays: true,
            off,
            part,
            ..Seen::of(&steps, ends, [before, after], left)
        };
        let (recomputed, irreversible) = (steps.recomputed_steps(), steps.irreversible());
        work.put(key.clone(), steps);

        let mut estimate = blank(Strategy::<T>::name(self), y);
        estimate.hypergradient = hypergradient;
        estimate.upper = value.f64();
        estimate.status = match irreversible {
            Some(reason) => Status::Irreversible(reason),
            None => seen.status(),
        };
        seen.tell(&mut estimate);
        if estimate.status.is_success() {
            estimate.warnings.extend(seen.warning());
        }
        estimate.linear_iterations = self.memory.differentiated_steps(self.depth);
        estimate.recomputed_steps = recomputed;
        estimate.step = Some(self.inner.shown(lower));
        estimate.warnings.extend(weak);
        estimate.warnings.extend(self.warnings());
        Ok(session.finish(work, estimate, x, |work| {
            let start = self.inner.first_state(work.start.as_slice(), &meter);
            let mut steps = work.take(&key, || self.record(problem, lengths, t));
            end.fill(T::zero());
            end[..dim_y].copy_from_slice(work.upper.gradient(1));
            let found = steps.find_non_finite(x, &start, self.depth, self.memory, &end);
            work.put(key, steps);
            found
        }))
    }
}
