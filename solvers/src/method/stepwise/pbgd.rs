//! PBGD.

use autodiff::{Inputs, Real};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};

use super::penalty::Penalised;
use super::{Named, outward, plain, whole};

/// PBGD (as PGDO): gradient descent on `F(x, y) + γ (g(x, y) − g(x, ŷ))`, ŷ near a minimiser of
/// g(x, ·), the penalty γ growing from step to step.
///
/// Each step moves ŷ by `inner` gradient steps on g from where it was, then x and y at once. γ grows
/// linearly over `ramp` steps, and x and y move along the gradients over 1 + γ: the curvature grows
/// with γ.
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
    /// How ŷ moves.
    pub u: Motion,
    /// How y moves.
    pub y: Motion,
    /// How x moves.
    pub x: Motion,
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
        let (rule, mut batches) = (*self, Batches::new(s)?);
        let mut gradients = Penalised::new(s, &batches);
        batches.v.copy_from_slice(s.y.as_slice());
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.u.begin("ŷ", dim_y, &batches.meter)?,
            self.y.begin("y", dim_y, &batches.meter)?,
            self.x.begin("x", dim_x, &batches.meter)?,
        ];
        Ok(keeping(batches, movers, move |s, b, [u, y, x]| {
            let t = s.iteration();
            for _ in 0..rule.inner {
                let lower = b.lower.draw();
                lower.gradient_at(&[s.x.as_slice(), &b.v], Inputs::one(1));
                u.step(t, &mut b.v, lower.gradient(1));
            }
            let penalty = rule.penalty(t);
            gradients.draw(s, b, penalty);
            b.direction.copy_from_slice(&gradients.x);
            let share = T::of(1.0 / (1.0 + penalty));
            for d in [&mut gradients.x, &mut gradients.y] {
                d.iter_mut().for_each(|d| *d *= share);
            }
            y.step(t, s.y.as_mut_slice(), &gradients.y);
            x.step(t, s.x.as_mut_slice(), &gradients.x);
        }))
    }
}

/// The name `pbgd`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "descent on the value-function penalty, which grows; first-order only";
    Named::new("pbgd", about)
        .taking(&["ramp", "stages", "penalty", "growth", "inner_steps"])
        .drawing(whole)
        .entry(|call| {
            let settings = call.settings;
            let (first, stages) = (settings.penalty(), settings.stages().min(1000));
            Ok(Pbgd {
                first,
                last: first * settings.growth().powi(stages as i32),
                ramp: settings.ramp.unwrap_or(settings.iterations() / 2),
                inner: settings.inner_steps(),
                u: plain(settings),
                y: plain(settings),
                x: outward(settings),
            })
        })
        .over_the_run("ramp")
}
