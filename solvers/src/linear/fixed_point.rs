//! The fixed-point iteration for the linear system.

use std::sync::Arc;

use autodiff::Real;
use autodiff::kernels::{axpy, norm};

use crate::inner::StepLength;

use super::stationary::{Settings, Watch, ends};
use super::{LinearEntry, LinearSolver, Operator, Outcome, Report, Scratch, lift, scaled_residual};

/// The iteration `v ← v − s(Hv − b)`.
///
/// From zero it gives what [`Neumann`](super::Neumann) gives, K + 1 steps for the order K. But its
/// residual is computed from v in each step, so that rounding does not add up. From zero, at the
/// lower level's solution, K steps are the reverse pass of [`Itd`](crate::Itd) through K gradient
/// steps of the same length.
///
/// # Requirements on the problem
/// H symmetric positive definite, and a step length s below 2 over its largest eigenvalue. A
/// residual that grows proves a step that is too long, or negative curvature: the outcome says
/// which, and the answer is the iterate with the least residual.
///
/// # Cost in oracle calls
/// One Hessian-vector product per step after the first, which has one where the first guess is not
/// zero; twenty for a step length that is found, and two to tell why a residual grows. The error
/// falls by `max|1 − sλ|` per step.
///
/// # Reference
/// L. Richardson, The approximate arithmetical solution by finite differences of physical problems
/// involving differential equations, 1910. For hypergradients: R. Grazzi et al., On the iteration
/// complexity of hypergradient computation, ICML 2020.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FixedPoint {
    settings: Settings,
}

impl FixedPoint {
    /// To relative residual 1e-10 (1e-5 in `f32`) or 10 000 steps, of a length that is found.
    pub fn new() -> Self {
        Self::default()
    }

    /// This many steps, whatever the residual.
    #[must_use]
    pub fn steps(mut self, count: usize) -> Self {
        self.settings.count = Some(count);
        self
    }
}

ends!(FixedPoint, steps);

impl<T: Real> LinearSolver<T> for FixedPoint {
    fn name(&self) -> &'static str {
        "fixed-point"
    }

    fn tolerance(&self) -> f64 {
        self.settings.tolerance::<T>()
    }

    fn complaint(&self) -> Option<String> {
        match self.settings.count {
            Some(0) => Some("steps 0: expected at least 1".to_owned()),
            _ => self.settings.complaint("steps"),
        }
    }

    /// Two residuals, and the product with one.
    fn scratch(&self, n: usize) -> usize {
        3 * n
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
        let [mut r, mut next, hr] = scratch.vectors(n);
        let Some(scale) = scaled_residual(h, b, v, r) else {
            return Report::OF_ZERO;
        };
        let (step, inverse) = (T::of(s), T::of(1.0 / s));
        let mut watch = Watch::new::<T>(&self.settings, n);
        let mut iterations = 0;
        let outcome = loop {
            let size = norm(r).f64();
            if !size.is_finite() {
                break Outcome::NonFinite;
            }
            if self.settings.is_met::<T>(size) {
                break Outcome::Converged;
            }
            if iterations == self.settings.limit() {
                break self.settings.end();
            }
            axpy(v, step, r);
            iterations += 1;
            // Nobody asks for the residual after the last of a count of steps.
            if Some(iterations) == self.settings.count {
                break self.settings.end();
            }
            h.apply(v, next);
            for i in 0..n {
                next[i] = b[i] / scale - next[i];
                hr[i] = (r[i] - next[i]) * inverse;
            }
            let blur = (1.0 + watch.largest() * norm(v).f64()) / size;
            if let Some(found) = watch.look(r, hr, s, blur) {
                axpy(v, -step, r);
                break watch.cause(found, h, r, hr);
            }
            std::mem::swap(&mut r, &mut next);
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

/// The name `aid-fixed-point`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "the same by fixed-point steps to the tolerance; aid-fixed-point:K takes K";
    LinearEntry::new(
        "aid-fixed-point[:K]",
        about,
        &["tolerance", "step"],
        |call| {
            Ok(Arc::new(FixedPoint {
                settings: Settings::of(call)?,
            }))
        },
    )
    .descent("the same, by fixed-point steps; aid-fixed-point:K takes K")
}
