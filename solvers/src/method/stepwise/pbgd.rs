//! PBGD.

use autodiff::kernels::axpy;
use autodiff::{Inputs, Real};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Rule, State, memoryless};

use super::penalty::Penalised;
use super::{entry as named, length, whole};

/// PBGD (as PGDO): gradient descent on `F(x, y) + γ (g(x, y) − g(x, ŷ))`, ŷ near a minimiser of
/// g(x, ·), the penalty γ growing from step to step.
///
/// Each step moves ŷ by `inner` gradient steps on g from where it was, then x and y at once. γ grows
/// linearly over `ramp` steps, and the step of x and y is `step / (1 + γ)`: the curvature grows with
/// γ.
///
/// # Requirements on the problem
/// F and g once differentiable. For a fixed γ the solution is biased by O(1/γ).
///
/// # Cost in oracle calls
/// One gradient of F and `inner` + 2 of g per step; no Hessian-vector product.
///
/// # Reference
/// H. Shen and T. Chen, On penalty-based bilevel gradient descent method, ICML 2023.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pbgd {
    /// γ in the first step.
    pub first: f64,
    /// γ after the ramp.
    pub last: f64,
    /// Steps from the one to the other.
    pub ramp: usize,
    /// Steps of ŷ.
    pub inner: usize,
    /// Length of the steps of ŷ.
    pub inner_step: f64,
    /// Length of the steps of x and y, before it is divided by 1 + γ.
    pub step: f64,
}

impl Pbgd {
    /// γ in step t.
    fn penalty(&self, t: usize) -> f64 {
        let share = if t < self.ramp {
            t as f64 / self.ramp as f64
        } else {
            1.0
        };
        self.first + share * (self.last - self.first)
    }
}

impl<T: Real> Rule<T> for Pbgd {
    const NAME: &'static str = "pbgd";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps of ŷ", self.inner)?;
        expect::positive("first penalty", self.first)?;
        expect::positive("last penalty", self.last)?;
        expect::positive("step of ŷ", self.inner_step)?;
        expect::positive("step", self.step)?;
        let (rule, mut batches) = (*self, Batches::new(s)?);
        let mut gradients = Penalised::new(s, &batches);
        batches.v.copy_from_slice(s.y.as_slice());
        Ok(memoryless(batches, move |s, b| {
            solve_alone(s, b, rule.inner, rule.inner_step);
            let penalty = rule.penalty(s.iteration());
            gradients.draw(s, b, penalty);
            let step = T::of(-rule.step / (1.0 + penalty));
            b.direction.copy_from_slice(&gradients.x);
            axpy(s.y.as_mut_slice(), step, &gradients.y);
            axpy(s.x.as_mut_slice(), step, &gradients.x);
        }))
    }
}

/// Gradient steps of the second vector on g(x, ·).
pub(super) fn solve_alone<T: Real>(
    s: &State<'_, T>,
    b: &mut Batches<T>,
    steps: usize,
    length: f64,
) {
    for _ in 0..steps {
        let lower = b.lower.draw();
        lower.differentiate(&[s.x.as_slice(), &b.v], Inputs::one(1));
        axpy(&mut b.v, T::of(-length), lower.gradient(1));
    }
}

/// The name `pbgd`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "descent on the value-function penalty, which grows; first-order only";
    named(
        ["pbgd", about],
        &["ramp", "stages", "penalty", "growth", "inner_steps"],
        whole,
        |settings| Pbgd {
            first: settings.penalty(),
            last: settings.penalty() * settings.growth().powi(settings.stages().min(1000) as i32),
            ramp: settings.ramp.unwrap_or(settings.iterations() / 2),
            inner: settings.inner_steps(),
            inner_step: length(settings),
            step: length(settings),
        },
    )
    .over_the_run("ramp")
}
