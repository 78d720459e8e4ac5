//! The stochastic AID loop.

use autodiff::Real;
use autodiff::kernels::axpy;

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Rule, State, memoryless};
use crate::schedule::Schedule;

use super::{average, averaging};
use super::{drawn, entry as named, length};

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
    /// η_x.
    pub x: Schedule,
    /// η_y.
    pub y: Schedule,
    /// η_z.
    pub z: f64,
    /// η_m in (0, 1]; 1 keeps nothing of the last direction.
    pub averaging: f64,
}

impl<T: Real> Rule<T> for StochasticAid {
    const NAME: &'static str = "stochastic-aid";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on the linear system", self.inner)?;
        self.x.check("step of x")?;
        self.y.check("step of y")?;
        expect::positive("step of z", self.z)?;
        averaging(self.averaging)?;
        let (rule, length, batches) = (*self, T::of(self.z), Batches::new(s)?);
        let mut in_x = batches.buffer(s.x.len());
        let mut in_y = batches.buffer(s.y.len());
        let mut descent = batches.buffer(s.y.len());
        Ok(memoryless(batches, move |s, b| {
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
            axpy(s.y.as_mut_slice(), T::of(-rule.y.at(t)), &descent);
            axpy(s.x.as_mut_slice(), T::of(-rule.x.at(t)), &b.direction);
        }))
    }
}

/// The name `stochastic-aid`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "the stochastic AID loop: mini-batches, K steps on the linear system";
    named(
        ["stochastic-aid", about],
        &["rate", "inner_steps"],
        drawn,
        |settings| StochasticAid {
            inner: settings.inner_steps(),
            x: Schedule::Constant(settings.rate()),
            y: Schedule::Constant(length(settings)),
            z: length(settings),
            averaging: 0.9,
        },
    )
}
