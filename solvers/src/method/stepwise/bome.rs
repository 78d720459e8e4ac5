//! BOME.

use autodiff::kernels::{axpy, dot};
use autodiff::{Inputs, Real};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};

use super::{Named, length, outward, whole};

/// BOME: descent on F that keeps the value function gap `q(x, y) = g(x, y) − g(x, ŷ)` falling.
///
/// Each step takes `inner` gradient steps on g(x, ·) from y to ŷ; with `∇q = (∇_x g(x, y) − ∇_x g(x,
/// ŷ), ∇_y g(x, y))`, ŷ held fixed, and `λ = max(η ‖∇q‖² − ⟨∇F, ∇q⟩, 0) / ‖∇q‖²` (0 where ∇q is),
/// x and y move at once along `∇F + λ ∇q`, by plain steps of one length ξ in the paper.
///
/// # Requirements on the problem
/// F and g once differentiable; the lower level need not have a single solution. As ∇q vanishes at a
/// solution, λ there is a quotient of small numbers: below the rounding of g the iterates wander by
/// O(ξ).
///
/// # Cost in oracle calls
/// One gradient of F and `inner` + 1 of g per step; no Hessian-vector product.
///
/// # Reference
/// M. Ye et al., BOME! Bilevel optimization made easy: a simple first-order approach, NeurIPS 2022.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bome {
    /// Steps from y to ŷ.
    pub inner: usize,
    /// Their length.
    pub inner_step: f64,
    /// η: how fast q has to fall.
    pub fall: f64,
    /// How y moves.
    pub y: Motion,
    /// How x moves.
    pub x: Motion,
}

impl<T: Real> Rule<T> for Bome {
    const NAME: &'static str = "bome";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps to ŷ", self.inner)?;
        expect::positive("step to ŷ", self.inner_step)?;
        expect::positive("fall η", self.fall)?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let gradient = || (batches.buffer(s.x.len()), batches.buffer(s.y.len()));
        let (mut f_x, mut f_y) = gradient();
        let (mut q_x, mut q_y) = gradient();
        let movers = [
            self.y.begin("y", s.y.len(), &batches.meter)?,
            self.x.begin("x", s.x.len(), &batches.meter)?,
        ];
        Ok(keeping(batches, movers, move |s, b, [y_mover, x_mover]| {
            b.upper_gradients(s, &mut f_x, &mut f_y);
            let (x, y) = (s.x.as_slice(), s.y.as_slice());
            // One batch throughout, so that q is a difference of one function.
            let lower = b.lower.draw();
            lower.gradient_at(&[x, y], Inputs::ALL);
            q_x.copy_from_slice(lower.gradient(0));
            q_y.copy_from_slice(lower.gradient(1));
            b.v.copy_from_slice(y);
            for k in 0..rule.inner {
                if k > 0 {
                    lower.gradient_at(&[x, &b.v], Inputs::one(1));
                }
                axpy(&mut b.v, T::of(-rule.inner_step), lower.gradient(1));
            }
            lower.gradient_at(&[x, &b.v], Inputs::one(0));
            axpy(&mut q_x, -T::one(), lower.gradient(0));

            let square = dot(&q_x, &q_x) + dot(&q_y, &q_y);
            let inner = dot(&f_x, &q_x) + dot(&f_y, &q_y);
            let excess = T::of(rule.fall) * square - inner;
            // Not `max`, which would make 0 of NaN.
            let weight = if square == T::zero() || excess <= T::zero() {
                T::zero()
            } else {
                excess / square
            };
            axpy(&mut f_x, weight, &q_x);
            axpy(&mut f_y, weight, &q_y);
            b.direction.copy_from_slice(&f_x);
            let t = s.iteration();
            y_mover.step(t, s.y.as_mut_slice(), &f_y);
            x_mover.step(t, s.x.as_mut_slice(), &f_x);
        }))
    }
}

/// The name `bome`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "descent that keeps the value-function gap falling; first-order only";
    Named::new("bome", about)
        .taking(&["inner_steps"])
        .drawing(whole)
        .entry(|call| {
            Ok(Bome {
                inner: call.settings.inner_steps(),
                inner_step: length(call.settings),
                fall: 0.5,
                y: call.settings.rate().into(),
                x: outward(call.settings),
            })
        })
}
