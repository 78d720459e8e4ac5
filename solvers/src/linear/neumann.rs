//! The truncated Neumann series of the inverse.

use std::sync::Arc;

use autodiff::Real;
use autodiff::kernels::{axpy, norm};

use crate::inner::StepLength;

use super::stationary::{Settings, Watch, ends};
use super::{LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch, lift, scaled_residual};

/// The Neumann series `v = s Σ_{k≤K} (I − sH)ᵏ b`.
///
/// # Requirements on the problem
/// H symmetric positive definite, and a step length s below 2 over its largest eigenvalue. A
/// residual that grows proves a step that is too long, or negative curvature: the outcome says
/// which, and the answer is the partial sum with the least residual.
///
/// # Cost in oracle calls
/// One Hessian-vector product per power of `I − sH`: to order K there are K products and K + 1
/// terms. One more for a first guess that is not zero (the series of its residual is added to it),
/// twenty for a step length that is found, and two to tell why a residual grows. The error falls by
/// `max|1 − sλ|` per product.
///
/// # Reference
/// J. Lorraine, P. Vicol and D. Duvenaud, Optimizing millions of hyperparameters by implicit
/// differentiation, AISTATS 2020.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Neumann {
    settings: Settings,
}

impl Neumann {
    /// To relative residual 1e-10 (1e-5 in `f32`) or order 10 000, with a step length that is found.
    pub fn new() -> Self {
        Self::default()
    }

    /// To this order K, whatever the residual: the first `K + 1` terms.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.settings.count = Some(order);
        self
    }
}

ends!(Neumann, order);

impl<T: Real> LinearSolver<T> for Neumann {
    fn name(&self) -> &'static str {
        "neumann"
    }

    fn tolerance(&self) -> f64 {
        self.settings.tolerance::<T>()
    }

    fn complaint(&self) -> Option<String> {
        self.settings.complaint("order")
    }

    /// The residual and its product.
    fn scratch(&self, n: usize) -> usize {
        2 * n
    }

    #[inline(never)]
    fn solve(
        &self,
        h: &mut dyn Operator<T>,
        b: &[T],
        v: &mut [T],
        scratch: &mut Scratch<'_, T>,
    ) -> Report {
        let n = b.len();
        let s = self.settings.resolve(h, n, scratch);
        let [r, hr] = scratch.vectors(n);
        let Some(scale) = scaled_residual(h, b, v, r) else {
            return Report::OF_ZERO;
        };
        let mut watch = Watch::new::<T>(&self.settings, n);
        let mut iterations = 0;
        let outcome = loop {
            // r = (I − sH)ᵏ(b − Hv₀) is the residual of the first k terms, and s r the next one.
            let size = norm(r).f64();
            if !size.is_finite() {
                break Outcome::NonFinite;
            }
            if self.settings.is_met::<T>(size) {
                break Outcome::Converged;
            }
            if iterations == self.settings.limit() {
                axpy(v, T::of(s), r);
                break self.settings.end();
            }
            h.apply(r, hr);
            iterations += 1;
            if let Some(found) = watch.look(r, hr, s, 0.0) {
                break watch.cause(found, h, r, hr);
            }
            axpy(v, T::of(s), r);
            axpy(r, T::of(-s), hr);
        };
        if let Outcome::Inconsistent { .. } = outcome {
            lift(v, r);
        }
        v.iter_mut().for_each(|v| *v *= scale);
        Report {
            outcome,
            iterations,
        }
    }
}

/// The name `aid-neumann`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "the same by a Neumann series to the tolerance; aid-neumann:K to order K";
    LinearEntry::new("aid-neumann[:K]", about, &["tolerance", "step"], |call| {
        Ok(Arc::new(Neumann {
            settings: Settings::of(call)?,
        }))
    })
    .descent("the same, by a Neumann series; aid-neumann:K to order K")
}
