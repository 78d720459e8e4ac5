//! F2SA.

use autodiff::kernels::axpy;
use autodiff::{Inputs, Real};

use crate::expect;
use crate::problem::Bilevel;

use super::super::ground::Batches;
use super::super::rule::{Rule, Setting, Update, memoryless};
use super::super::state::State;
use super::pbgd::solve_alone;
use super::penalty::Penalised;

/// F2SA: x moves along `∇_xF(x, y) + λ (∇_x g(x, y) − ∇_x g(x, z))`, where y follows the minimiser of
/// F + λg and z that of g.
///
/// Each step moves z and y by `inner` gradient steps each, from where they were, y by
/// `inner_step / (1 + λ)`; then x by `step` along the direction at the new y and z; then λ grows by
/// `growth`.
///
/// # Requirements on the problem
/// F and g once differentiable; g strongly convex in y. For a fixed λ the direction is biased by
/// O(1/λ).
///
/// # Cost in oracle calls
/// `inner` + 1 gradients of F and 2 `inner` + 2 of g per step; no Hessian-vector product.
///
/// # Reference
/// J. Kwon et al., A fully first-order method for stochastic bilevel optimization, ICML 2023.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct F2sa {
    /// λ in the first step.
    pub penalty: f64,
    /// What is added to λ after each step; 0 or more.
    pub growth: f64,
    /// Steps of z and y.
    pub inner: usize,
    /// Length of the steps of z; of those of y, before it is divided by 1 + λ.
    pub inner_step: f64,
    /// Length of the steps of x.
    pub step: f64,
}

impl<T: Real> Rule<T> for F2sa {
    type Ground = Batches<T>;

    fn name(&self) -> String {
        "f2sa".into()
    }

    fn complaint(&self, _: &Setting<'_, T>) -> Option<String> {
        let growth = self.growth;
        let bad_growth = !(growth.is_finite() && growth >= 0.0);
        expect::at_least_1("steps of y", self.inner)
            .or(expect::positive("penalty", self.penalty))
            .or(bad_growth.then(|| format!("growth {growth}: expected a number from 0 on")))
            .or(expect::positive("step of y", self.inner_step))
            .or(expect::positive("step", self.step))
    }

    fn begin<'p>(&self, _: &'p Bilevel<T>, state: &mut State<T>) -> Box<dyn Update<T> + 'p> {
        let rule = *self;
        let mut gradients = Penalised::new(state);
        state.on.v.copy_from_slice(state.y.as_slice());
        memoryless(move |s, t| {
            let penalty = rule.penalty + t as f64 * rule.growth;
            solve_alone(s, rule.inner, rule.inner_step);
            let length = rule.inner_step / (1.0 + penalty);
            for _ in 0..rule.inner {
                let upper = s.on.upper.draw();
                let lower = s.on.lower.draw();
                let at = [s.x.as_slice(), s.y.as_slice()];
                upper.differentiate(&at, Inputs::one(1));
                lower.differentiate(&at, Inputs::one(1));
                let y = s.y.as_mut_slice();
                axpy(y, T::of(-length), upper.gradient(1));
                axpy(y, T::of(-length * penalty), lower.gradient(1));
            }
            gradients.draw(s, penalty);
            s.on.direction.copy_from_slice(&gradients.x);
            axpy(s.x.as_mut_slice(), T::of(-rule.step), &gradients.x);
        })
    }
}
