//! stocBiO.

use autodiff::Real;
use autodiff::kernels::{add, axpy};

use crate::expect;
use crate::problem::Bilevel;
use crate::schedule::Schedule;

use super::super::ground::Batches;
use super::super::rule::{Rule, Setting, Update, memoryless};
use super::super::state::State;
use super::amigo::descend;

/// stocBiO: D warm stochastic gradient steps on y, then a Neumann series with a fresh batch for each
/// factor.
///
/// `v = η Σ_{q≤Q} Π_{j≤q} (I − η ∇²_yy g(ζ⁽ʲ⁾)) ∇_y F` and `x −= γ (∇_x F − ∇²_xy g · v)`.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y, with η below 2 over its largest
/// curvature.
///
/// # Cost in oracle calls
/// One gradient of F, D gradients of g and Q + 1 Hessian-vector products per step.
///
/// # Reference
/// K. Ji, J. Yang and Y. Liang, Bilevel optimization: convergence analysis and enhanced design, ICML
/// 2021.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StocBio {
    /// D.
    pub inner: usize,
    /// Q, factors of the last term.
    pub factors: usize,
    /// The step of y.
    pub y: Schedule,
    /// η.
    pub v: f64,
    /// γ.
    pub x: Schedule,
}

impl<T: Real> Rule<T> for StocBio {
    type Ground = Batches<T>;

    fn name(&self) -> String {
        "stocbio".into()
    }

    fn complaint(&self, _: &Setting<'_, T>) -> Option<String> {
        expect::at_least_1("steps on y", self.inner)
            .or(self.y.complaint("step of y"))
            .or(expect::positive("step of the Neumann series", self.v))
            .or(self.x.complaint("step of x"))
    }

    fn begin<'p>(&self, _: &'p Bilevel<T>, state: &mut State<T>) -> Box<dyn Update<T> + 'p> {
        let rule = *self;
        let length = T::of(rule.v);
        let mut in_y = state.buffer(state.y.len());
        let mut in_x = state.buffer(state.x.len());
        let mut sum = state.buffer(state.y.len());
        memoryless(move |s, t| {
            descend(s, rule.inner, rule.y.at(t), &mut sum);
            s.upper_gradients(&mut in_x, &mut in_y);
            // v holds the term, which the products are taken of, until the sum is complete.
            s.on.v.copy_from_slice(&in_y);
            sum.copy_from_slice(&in_y);
            for _ in 0..rule.factors {
                in_y.copy_from_slice(s.hessian_product());
                axpy(&mut s.on.v, -length, &in_y);
                add(&mut sum, &s.on.v);
            }
            s.on.v.copy_from_slice(&sum);
            s.on.v.iter_mut().for_each(|v| *v *= length);
            axpy(&mut in_x, -T::one(), s.cross_product());
            s.on.direction.copy_from_slice(&in_x);
            axpy(s.x.as_mut_slice(), T::of(-rule.x.at(t)), &in_x);
        })
    }
}
