//! The stochastic AID loop.

use autodiff::Real;
use autodiff::kernels::axpy;

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};

use super::{Named, average, averaging, length, outward, plain};

/// The stochastic AID loop whose uniform stability is studied.
///
/// Step t = 0, 1, … draws one batch ξ of F and K + 2 batches ζ of g, and starts at z = m₀ = 0:
/// 1. for k = 1 … K: `z ← z − η_z (∇²_yy g(x, y, ζ⁽ᵏ⁾) z − ∇_y f(x, y, ξ))`;
/// 2. `y ← y − η_y ∇_y g(x, y, ζ⁽ᴷ⁺¹⁾)`;
/// 3. `m ← (1 − η_m) m + η_m (∇_x f(x, y, ξ) − ∇²_xy g(x, y, ζ⁽ᴷ⁺²⁾) z)`, also at the old (x, y);
/// 4. `x ← x − η_x m`.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y, with η_z and η_y below 2 over its
/// largest curvature.
///
/// # Cost in oracle calls
/// One gradient of F, one of g and K + 1 Hessian-vector products per step.
///
/// # Reference
/// Algorithm 1 of the stability analysis of AID-based bilevel optimisation; its loop is that of
/// K. Ji, J. Yang and Y. Liang, Bilevel optimization: convergence analysis and enhanced design, 2021,
/// with one step on y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StochasticAid {
    /// K, steps on the linear system.
    pub inner: usize,
    /// How x moves, by η_x.
    pub x: Motion,
    /// How y moves, by η_y.
    pub y: Motion,
    /// η_z.
    pub z: f64,
    /// η_m in (0, 1]; 1 keeps nothing of the last direction.
    pub averaging: f64,
}

impl<T: Real> Rule<T> for StochasticAid {
    const NAME: &'static str = "stochastic-aid";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on the linear system", self.inner)?;
        expect::positive("step of z", self.z)?;
        averaging(self.averaging)?;
        let (rule, length, batches) = (*self, T::of(self.z), Batches::new(s)?);
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.y.begin("y", dim_y, &batches.meter)?,
            self.x.begin("x", dim_x, &batches.meter)?,
        ];
        let mut in_x = batches.buffer(dim_x);
        let mut in_y = batches.buffer(dim_y);
        let mut descent = batches.buffer(dim_y);
        Ok(keeping(batches, movers, move |s, b, [y, x]| {
            b.upper_gradients(s, &mut in_x, &mut in_y);
            b.v.fill(T::zero());
            for _ in 0..rule.inner {
                descent.copy_from_slice(b.hessian_product(s));
                axpy(&mut descent, -T::one(), &in_y);
                axpy(&mut b.v, -length, &descent);
            }
            descent.copy_from_slice(b.lower_gradient(s));
            axpy(&mut in_x, -T::one(), b.cross_product(s));
            average(&mut b.direction, rule.averaging, &in_x);
            let t = s.iteration();
            y.step(t, s.y.as_mut_slice(), &descent);
            x.step(t, s.x.as_mut_slice(), &b.direction);
        }))
    }
}

/// The name `stochastic-aid`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "the stochastic AID loop: mini-batches, K steps on the linear system";
    Named::new("stochastic-aid", about)
        .taking(&["inner_steps"])
        .entry(|call| {
            Ok(StochasticAid {
                inner: call.settings.inner_steps(),
                x: outward(call.settings),
                y: plain(call.settings),
                z: length(call.settings),
                averaging: 0.9,
            })
        })
}
