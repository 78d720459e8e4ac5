//! AmIGO.

use autodiff::Real;
use autodiff::kernels::axpy;

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Rule, State, memoryless};
use crate::schedule::Schedule;

use super::{drawn, entry as named, length};

/// AmIGO: M stochastic gradient steps on y, then N on the linear system, both warm, then one on x.
///
/// `y −= ρ ∇_y g` M times, `v −= ρ_v (∇²_yy g · v − ∇_y F)` N times at the new y with one batch of F,
/// and `x −= γ (∇_x F − ∇²_xy g · v)`; a fresh batch of g each time.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y.
///
/// # Cost in oracle calls
/// One gradient of F, M gradients of g and N + 1 Hessian-vector products per step.
///
/// # Reference
/// M. Arbel and J. Mairal, Amortized implicit differentiation for stochastic bilevel optimization,
/// ICLR 2022.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amigo {
    /// M.
    pub inner: usize,
    /// N.
    pub linear: usize,
    /// ρ.
    pub y: Schedule,
    /// ρ_v.
    pub v: f64,
    /// γ.
    pub x: Schedule,
}

impl<T: Real> Rule<T> for Amigo {
    const NAME: &'static str = "amigo";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on y", self.inner)?;
        expect::at_least_1("steps on the linear system", self.linear)?;
        self.y.check("step of y")?;
        expect::positive("step of v", self.v)?;
        self.x.check("step of x")?;
        let (rule, length, batches) = (*self, T::of(self.v), Batches::new(s)?);
        let mut in_y = batches.buffer(s.y.len());
        let mut in_x = batches.buffer(s.x.len());
        let mut descent = batches.buffer(s.y.len());
        Ok(memoryless(batches, move |s, b| {
            let t = s.iteration();
            descend(s, b, rule.inner, rule.y.at(t), &mut descent);
            b.upper_gradients(s, &mut in_x, &mut in_y);
            for _ in 0..rule.linear {
                descent.copy_from_slice(b.hessian_product(s));
                axpy(&mut descent, -T::one(), &in_y);
                axpy(&mut b.v, -length, &descent);
            }
            axpy(&mut in_x, -T::one(), b.cross_product(s));
            b.direction.copy_from_slice(&in_x);
            axpy(s.x.as_mut_slice(), T::of(-rule.x.at(t)), &in_x);
        }))
    }
}

/// Gradient steps on y, a fresh batch each.
pub(super) fn descend<T: Real>(
    s: &mut State<'_, T>,
    b: &mut Batches<T>,
    steps: usize,
    length: f64,
    spare: &mut [T],
) {
    for _ in 0..steps {
        spare.copy_from_slice(b.lower_gradient(s));
        axpy(s.y.as_mut_slice(), T::of(-length), spare);
    }
}

/// The name `amigo`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: several warm steps on y, then on the linear system";
    named(
        ["amigo", about],
        &["rate", "inner_steps"],
        drawn,
        |settings| Amigo {
            inner: settings.inner_steps(),
            linear: settings.inner_steps(),
            y: Schedule::Constant(length(settings)),
            v: length(settings),
            x: Schedule::Constant(settings.rate()),
        },
    )
}
