//! AmIGO.

use autodiff::Real;
use autodiff::kernels::axpy;

use crate::expect;
use crate::method::motion::Mover;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};

use super::{Named, outward, plain};

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
    /// How y moves, by ρ.
    pub y: Motion,
    /// How v moves, by ρ_v.
    pub v: Motion,
    /// How x moves, by γ.
    pub x: Motion,
}

impl<T: Real> Rule<T> for Amigo {
    const NAME: &'static str = "amigo";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on y", self.inner)?;
        expect::at_least_1("steps on the linear system", self.linear)?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.y.begin("y", dim_y, &batches.meter)?,
            self.v.begin("v", dim_y, &batches.meter)?,
            self.x.begin("x", dim_x, &batches.meter)?,
        ];
        let mut in_y = batches.buffer(dim_y);
        let mut in_x = batches.buffer(dim_x);
        let mut descent = batches.buffer(dim_y);
        Ok(keeping(batches, movers, move |s, b, [y, v, x]| {
            let t = s.iteration();
            descend(s, b, rule.inner, y, &mut descent);
            b.upper_gradients(s, &mut in_x, &mut in_y);
            for _ in 0..rule.linear {
                descent.copy_from_slice(b.hessian_product(s));
                axpy(&mut descent, -T::one(), &in_y);
                v.step(t, &mut b.v, &descent);
            }
            axpy(&mut in_x, -T::one(), b.cross_product(s));
            b.direction.copy_from_slice(&in_x);
            x.step(t, s.x.as_mut_slice(), &in_x);
        }))
    }
}

/// Steps on y along gradients, a fresh batch each.
pub(super) fn descend<T: Real>(
    s: &mut State<'_, T>,
    b: &mut Batches<T>,
    steps: usize,
    y: &mut Mover<T>,
    spare: &mut [T],
) {
    for _ in 0..steps {
        spare.copy_from_slice(b.lower_gradient(s));
        y.step(s.iteration(), s.y.as_mut_slice(), spare);
    }
}

/// The name `amigo`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: several warm steps on y, then on the linear system";
    Named::new("amigo", about)
        .taking(&["inner_steps"])
        .entry(|call| {
            Ok(Amigo {
                inner: call.settings.inner_steps(),
                linear: call.settings.inner_steps(),
                y: plain(call.settings),
                v: plain(call.settings),
                x: outward(call.settings),
            })
        })
}
