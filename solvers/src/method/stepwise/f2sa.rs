//! F2SA.

use autodiff::kernels::axpy;
use autodiff::{Inputs, Real};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Rule, State, memoryless};

use super::pbgd::solve_alone;
use super::penalty::Penalised;
use super::{entry as named, length, whole};

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
    const NAME: &'static str = "f2sa";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps of y", self.inner)?;
        expect::positive("penalty", self.penalty)?;
        expect::from_0("growth", self.growth)?;
        expect::positive("step of y", self.inner_step)?;
        expect::positive("step", self.step)?;
        let (rule, mut batches) = (*self, Batches::new(s)?);
        let mut gradients = Penalised::new(s, &batches);
        batches.v.copy_from_slice(s.y.as_slice());
        Ok(memoryless(batches, move |s, b| {
            let penalty = rule.penalty + s.iteration() as f64 * rule.growth;
            solve_alone(s, b, rule.inner, rule.inner_step);
            let length = rule.inner_step / (1.0 + penalty);
            for _ in 0..rule.inner {
                let (upper, lower) = (b.upper.draw(), b.lower.draw());
                let at = [s.x.as_slice(), s.y.as_slice()];
                upper.differentiate(&at, Inputs::one(1));
                lower.differentiate(&at, Inputs::one(1));
                let y = s.y.as_mut_slice();
                axpy(y, T::of(-length), upper.gradient(1));
                axpy(y, T::of(-length * penalty), lower.gradient(1));
            }
            gradients.draw(s, b, penalty);
            b.direction.copy_from_slice(&gradients.x);
            axpy(s.x.as_mut_slice(), T::of(-rule.step), &gradients.x);
        }))
    }
}

/// The name `f2sa`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "directions from two penalised inner solutions; first-order only";
    named(
        ["f2sa", about],
        &["rate", "penalty", "growth", "inner_steps"],
        whole,
        |settings| F2sa {
            penalty: settings.penalty(),
            growth: settings.growth() / 100.0,
            inner: settings.inner_steps(),
            inner_step: length(settings),
            step: settings.rate(),
        },
    )
}
