//! AmIGO.

use autodiff::Real;
use autodiff::kernels::axpy;

use crate::expect;
use crate::problem::Bilevel;
use crate::schedule::Schedule;

use super::super::ground::Batches;
use super::super::rule::{Rule, Setting, Update, memoryless};
use super::super::state::State;

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
    type Ground = Batches<T>;

    fn name(&self) -> String {
        "amigo".into()
    }

    fn complaint(&self, _: &Setting<'_, T>) -> Option<String> {
        expect::at_least_1("steps on y", self.inner)
            .or(expect::at_least_1(
                "steps on the linear system",
                self.linear,
            ))
            .or(self.y.complaint("step of y"))
            .or(expect::positive("step of v", self.v))
            .or(self.x.complaint("step of x"))
    }

    fn begin<'p>(&self, _: &'p Bilevel<T>, state: &mut State<T>) -> Box<dyn Update<T> + 'p> {
        let rule = *self;
        let length = T::of(rule.v);
        let mut in_y = state.buffer(state.y.len());
        let mut in_x = state.buffer(state.x.len());
        let mut descent = state.buffer(state.y.len());
        memoryless(move |s, t| {
            descend(s, rule.inner, rule.y.at(t), &mut descent);
            s.upper_gradients(&mut in_x, &mut in_y);
            for _ in 0..rule.linear {
                descent.copy_from_slice(s.hessian_product());
                axpy(&mut descent, -T::one(), &in_y);
                axpy(&mut s.on.v, -length, &descent);
            }
            axpy(&mut in_x, -T::one(), s.cross_product());
            s.on.direction.copy_from_slice(&in_x);
            axpy(s.x.as_mut_slice(), T::of(-rule.x.at(t)), &in_x);
        })
    }
}

/// Outer gradient steps on y, a fresh batch each.
pub(super) fn descend<T: Real>(s: &mut State<T>, steps: usize, length: f64, spare: &mut [T]) {
    for _ in 0..steps {
        spare.copy_from_slice(s.lower_gradient());
        axpy(s.y.as_mut_slice(), T::of(-length), spare);
    }
}
