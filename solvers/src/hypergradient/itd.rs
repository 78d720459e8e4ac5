//! Iterative differentiation.

use autodiff::Real;
use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::add;
use autodiff::unroll::Memory;
use nalgebra::DVector;

use crate::inner::{InnerStep, StepLength};
use crate::{Bilevel, Estimate, Status, Workspace};

use super::session::{Session, blank, counted, residual, unrolled_status};
use super::{ConfigError, Strategy};

/// Differentiates `F(x, y_K(x))` through the K steps that made `y_K`.
///
/// # Requirements on the problem
/// g twice differentiable in y. The result is the exact derivative of the K-step map; it tends to
/// the hypergradient as the steps converge, with error O(K qᴷ).
///
/// # Cost in oracle calls
/// K gradients of g on the way forward; on the way back K gradients and K Hessian-vector products,
/// each with its cross product from the same sweep. `K · dim_y` scalars are kept. Other
/// [`Memory`] policies keep more or less, and make more or fewer calls.
///
/// # Reference
/// L. Franceschi et al., Forward and reverse gradient-based hyperparameter optimization, 2017.
#[derive(Clone, Debug, PartialEq)]
pub struct Itd {
    pub(super) depth: usize,
    pub(super) inner: InnerStep,
    pub(super) length: StepLength,
    pub(super) memory: Memory,
}

impl Itd {
    /// Reverse mode through `depth` gradient steps of automatic length, all states stored.
    pub fn reverse(depth: usize) -> Self {
        Itd {
            depth,
            inner: InnerStep::default(),
            length: StepLength::default(),
            memory: Memory::Stored,
        }
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
        self.inner = inner;
        self
    }

    /// A fixed step length.
    #[must_use]
    pub fn step(mut self, length: f64) -> Self {
        self.length = StepLength::Fixed(length);
        self
    }

    /// Bytes of the vectors that [`hypergradient`](Strategy::hypergradient) makes: one end of the
    /// loop, what finding the step length needs, y and the hypergradient.
    pub(super) fn vector_bytes<T: Real>(&self, problem: &Bilevel<T>, dim_state: usize) -> usize {
        let (dim_x, dim_y) = (problem.dim_x(), problem.dim_y());
        (dim_state + self.length.spare(dim_y) + dim_y + dim_x) * size_of::<T>()
    }
}

impl<T: Real> Strategy<T> for Itd {
    fn name(&self) -> String {
        match self.memory {
            Memory::Stored => "itd".into(),
            memory => format!("itd-{memory}"),
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let reason = if self.depth == 0 {
            Some("depth 0: expected at least 1 step".to_owned())
        } else if self.memory == (Memory::Truncated { steps: 0 }) {
            Some("truncated to 0 steps: expected at least 1".to_owned())
        } else {
            self.inner
                .complaint::<T>(self.memory)
                .or(self.length.complaint())
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
        let (x, dim_y, meter) = (x.as_slice(), problem.dim_y(), work.meter().clone());
        // The first state, and on the way back the cotangent of the last one.
        let mut end = self.inner.first_state(work.start.as_slice(), &meter);
        let mut spare = Buffer::zeros(self.length.spare(dim_y), Category::Solver, &meter);
        let length = self
            .length
            .resolve(&mut work.lower, x, &end[..dim_y], &mut spare);
        let before = residual(&mut work.lower, x, &end[..dim_y]);

        let key = format!("itd {:?} {length:e}", self.inner);
        let mut steps = work.take(&key, || self.inner.record(problem.lower(), length));
        let last = steps.forward(x, &end, self.depth, self.memory);
        let (y, _y_bytes) = counted(&last[..dim_y], &meter);

        let after = residual(&mut work.lower, x, y.as_slice());
        let upper = work
            .upper
            .differentiate(&[x, y.as_slice()], autodiff::Inputs::ALL);
        end.fill(T::zero());
        end[..dim_y].copy_from_slice(work.upper.gradient(1));
        let (by_x, _) = steps.reverse(&end);
        let (mut hypergradient, _bytes) = counted(work.upper.gradient(0), &meter);
        add(hypergradient.as_mut_slice(), by_x);
        let (recomputed, irreversible) = (steps.recomputed_steps(), steps.irreversible());
        work.put(key.clone(), steps);

        let mut estimate = blank(Strategy::<T>::name(self), y);
        estimate.hypergradient = hypergradient;
        estimate.recomputed_steps = recomputed;
        estimate.upper = upper.f64();
        estimate.status = match irreversible {
            Some(reason) => Status::Irreversible(reason),
            None => unrolled_status(before, after),
        };
        estimate.lower_residual = after;
        estimate.lower_iterations = self.depth;
        estimate.linear_iterations = self.memory.differentiated_steps(self.depth);
        estimate.step = Some(length);
        Ok(session.finish(work, estimate, x, |work| {
            let start = self.inner.first_state(work.start.as_slice(), &meter);
            let mut steps = work.take(&key, || self.inner.record(problem.lower(), length));
            let found = steps.find_non_finite(x, &start, self.depth, self.memory, &end);
            work.put(key, steps);
            found
        }))
    }
}
