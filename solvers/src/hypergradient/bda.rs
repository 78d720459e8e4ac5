//! Bilevel descent aggregation.

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::add;
use autodiff::unroll::{Memory, Step};
use autodiff::{Inputs, Real, Var};
use nalgebra::DVector;

use crate::inner::StepLength;
use crate::{Bilevel, Estimate, Schedule, Workspace};

use super::footprint::{loop_bytes, workspace_bytes};
use super::session::{Session, blank, counted, residual, unrolled_status};
use super::{ConfigError, Strategy};

/// Differentiates `F(x, y_K(x))` through K steps that descend both levels at once,
/// `y ← y − (α_k s_u ∇_yF + (1 − α_k) s_l ∇_y g)`.
///
/// # Requirements on the problem
/// F and g twice differentiable in y. The lower level need not have a single solution: the
/// aggregation chooses among them the one that is best for F. α_k in (0, 1] must tend to 0 with an
/// infinite sum; a summable schedule stalls, and is warned of.
///
/// # Cost in oracle calls
/// Per step one gradient of each level on the way forward, and on the way back one gradient and one
/// Hessian-vector product of each.
///
/// # Reference
/// R. Liu et al., A generic first-order algorithmic framework for bi-level programming beyond
/// lower-level singleton, ICML 2020.
#[derive(Clone, Debug, PartialEq)]
pub struct Bda {
    depth: usize,
    schedule: Schedule,
    upper_length: StepLength,
    lower_length: StepLength,
    memory: Memory,
}

impl Bda {
    /// `depth` steps with α_k = 0.5/(k+1) and automatic step lengths, all states stored.
    pub fn new(depth: usize) -> Self {
        Bda {
            depth,
            schedule: Schedule::harmonic(0.5),
            upper_length: StepLength::Auto,
            lower_length: StepLength::Auto,
            memory: Memory::Stored,
        }
    }

    /// The sequence α_k.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
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

    /// The most bytes that the estimate's workspace holds, without running anything; see
    /// [`Itd::predicted_peak_bytes`](crate::Itd::predicted_peak_bytes).
    ///
    /// # Panics
    /// If the settings are not valid.
    #[track_caller]
    pub fn predicted_peak_bytes<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        // The lengths are coefficients: the recording is the same for all.
        let step = self.record(problem, 0.5, 0.5);
        let second =
            [self.upper_length, self.lower_length].map(|length| usize::from(length.is_found()));
        // The first state and the last, what finding the lengths needs, and the hypergradient.
        let vectors = 2 * problem.dim_y() + self.spare(problem) + problem.dim_x();
        (workspace_bytes(problem, second, Some(&step)) + vectors * size_of::<T>())
            .saturating_add(loop_bytes(&step, self.depth, self.memory))
    }

    /// Entries that finding the step lengths needs.
    fn spare<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        let spare = |length: StepLength| length.spare(problem.dim_y());
        spare(self.upper_length).max(spare(self.lower_length))
    }

    fn record<T: Real>(&self, problem: &Bilevel<T>, upper: f64, lower: f64) -> Step<T> {
        let schedule = self.schedule;
        let coefficients = move |k: usize, c: &mut [T]| {
            let alpha = schedule.at(k);
            c[0] = T::of(alpha * upper);
            c[1] = T::of((1.0 - alpha) * lower);
        };
        let (f, g) = (problem.upper(), problem.lower());
        Step::scheduled(
            problem.dim_x(),
            problem.dim_y(),
            2,
            coefficients,
            |x, y, c| {
                let descent = |of, k: usize| Var::gradient(of, 1, &[x, y]) * c.at(k);
                y - (descent(f, 0) + descent(g, 1))
            },
        )
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
        let first = self.schedule.largest();
        let reason = if self.depth == 0 {
            Some("depth 0: expected at least 1 step".to_owned())
        } else if !(first > 0.0 && first <= 1.0) {
            Some(format!("α_0 = {first}: expected α_k in (0, 1]"))
        } else {
            let lengths = [self.upper_length, self.lower_length];
            let length = lengths.into_iter().find_map(StepLength::complaint);
            let memory = match self.memory {
                Memory::Reversible => Some(
                    "its steps cannot be undone: expected checkpointed:SLOTS in place of reversible"
                        .to_owned(),
                ),
                memory => memory.complaint(),
            };
            memory.or(length)
        };
        match reason {
            Some(reason) => Err(ConfigError {
                strategy: Strategy::<T>::name(self),
                reason,
            }),
            None => Ok(()),
        }
    }

    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        Strategy::<T>::validate(self)?;
        work.check(problem, x);
        let session = Session::begin(work);
        let (x, meter) = (x.as_slice(), work.meter().clone());
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, &meter);
        let (mut first, mut spare) = (buffer(problem.dim_y()), buffer(self.spare(problem)));
        first.copy_from_slice(work.start.as_slice());
        let lower = self
            .lower_length
            .resolve(&mut work.lower, x, &first, &mut spare);
        let upper = self
            .upper_length
            .resolve(&mut work.upper, x, &first, &mut spare);
        let before = residual(&mut work.lower, x, &first);

        let key = format!("bda {:?} {upper:e} {lower:e}", self.schedule);
        let mut steps = work.take(&key, || self.record(problem, upper, lower));
        let last = steps.forward(x, &first, self.depth, self.memory);
        let (y, _y_bytes) = counted(last, &meter);

        let after = residual(&mut work.lower, x, y.as_slice());
        let value = work.upper.differentiate(&[x, y.as_slice()], Inputs::ALL);
        let (by_x, _) = steps.reverse(work.upper.gradient(1));
        let (mut hypergradient, _bytes) = counted(work.upper.gradient(0), &meter);
        add(hypergradient.as_mut_slice(), by_x);
        work.put(key.clone(), steps);

        let mut estimate = blank(Strategy::<T>::name(self), y);
        estimate.hypergradient = hypergradient;
        estimate.upper = value.f64();
        // The upper level pulls y off the lower level's solutions by O(α_K): only growth without
        // bound is divergence.
        estimate.status = unrolled_status(before.max(1.0) * 1e3, after);
        estimate.lower_residual = after;
        estimate.lower_iterations = self.depth;
        estimate.linear_iterations = self.depth;
        estimate.step = Some(lower);
        if self.schedule.is_summable() {
            estimate.warnings.push(format!(
                "the schedule {:?} is summable: the aggregation stalls before the best of the lower \
                 level's solutions; use α/(k+1)",
                self.schedule
            ));
        }
        Ok(session.finish(work, estimate, x, |work| {
            let cotangent = work.upper.gradient(1).to_vec();
            let mut steps = work.take(&key, || self.record(problem, upper, lower));
            let found = steps.find_non_finite(x, &first, self.depth, self.memory, &cotangent);
            work.put(key, steps);
            found
        }))
    }
}
