//! One step in place of the inverse.

use std::sync::Arc;

use autodiff::Real;

use crate::inner::StepLength;

use super::stationary::resolve;
use super::{LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch};

/// The answer `v = s b`: H is taken for I/s, so that only the last of the steps on the lower level
/// is differentiated. Also called Jacobian-free.
///
/// # Requirements on the problem
/// A step after which little is left to do: the error is `‖I − sH‖ ‖H⁻¹b‖` at most, so small where H
/// is well conditioned and s fits it. The recomputed residual `‖(I − sH) b‖ / ‖b‖` of the estimate
/// shows how inexact it is. The first guess is not looked at.
///
/// # Cost in oracle calls
/// No Hessian-vector products with a length that is given, twenty with one that is found.
///
/// # Reference
/// J. Bolte, E. Pauwels and S. Vaiter, One-step differentiation of iterative algorithms, NeurIPS
/// 2023.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OneStep {
    length: StepLength,
}

impl OneStep {
    /// With a step length that is found: one over the largest eigenvalue of H.
    pub fn new() -> Self {
        Self::default()
    }

    /// The step length s: that of the lower level's algorithm.
    #[must_use]
    pub fn step(mut self, length: StepLength) -> Self {
        self.length = length;
        self
    }
}

impl<T: Real> LinearSolver<T> for OneStep {
    fn name(&self) -> &'static str {
        "one-step"
    }

    fn complaint(&self) -> Option<String> {
        self.length.complaint()
    }

    /// What finding the step length needs.
    fn scratch(&self, n: usize) -> usize {
        let vectors = if self.length.is_found() { 2 } else { 0 };
        vectors * n
    }

    #[inline(never)]
    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        assert_eq!(b.len(), v.len(), "right-hand side and solution");
        let s = T::of(resolve(self.length, h, b.len(), scratch));
        for (v, b) in v.iter_mut().zip(b) {
            *v = s * *b;
        }
        let finite = v.iter().all(|v| v.is_finite());
        Report {
            outcome: if finite {
                Outcome::Approximate
            } else {
                Outcome::NonFinite
            },
            iterations: 1,
        }
    }
}

/// The name `aid-one-step`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "the inverse Hessian taken for a step length (Jacobian-free, biased)";
    LinearEntry::new("aid-one-step", about, &["step"], |call| {
        Ok(Arc::new(OneStep::new().step(call.settings.length())))
    })
    .descent("the same, the inverse Hessian taken for a step length (biased)")
}
