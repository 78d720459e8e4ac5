//! stocBiO.

use autodiff::Real;
use autodiff::kernels::{add, axpy};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};

use super::amigo::descend;
use super::{Named, length, outward, plain};

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
    /// How y moves.
    pub y: Motion,
    /// η.
    pub v: f64,
    /// How x moves, by γ.
    pub x: Motion,
}

impl<T: Real> Rule<T> for StocBio {
    const NAME: &'static str = "stocbio";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on y", self.inner)?;
        expect::positive("step of the Neumann series", self.v)?;
        let (rule, length, batches) = (*self, T::of(self.v), Batches::new(s)?);
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.y.begin("y", dim_y, &batches.meter)?,
            self.x.begin("x", dim_x, &batches.meter)?,
        ];
        let mut in_y = batches.buffer(dim_y);
        let mut in_x = batches.buffer(dim_x);
        let mut sum = batches.buffer(dim_y);
        Ok(keeping(batches, movers, move |s, b, [y, x]| {
            descend(s, b, rule.inner, y, &mut sum);
            b.upper_gradients(s, &mut in_x, &mut in_y);
            // v holds the term, which the products are taken of, until the sum is complete.
            b.v.copy_from_slice(&in_y);
            sum.copy_from_slice(&in_y);
            for _ in 0..rule.factors {
                in_y.copy_from_slice(b.hessian_product(s));
                axpy(&mut b.v, -length, &in_y);
                add(&mut sum, &b.v);
            }
            b.v.copy_from_slice(&sum);
            b.v.iter_mut().for_each(|v| *v *= length);
            axpy(&mut in_x, -T::one(), b.cross_product(s));
            b.direction.copy_from_slice(&in_x);
            x.step(s.iteration(), s.x.as_mut_slice(), &in_x);
        }))
    }
}

/// The name `stocbio`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: warm steps on y, then a Neumann series";
    Named::new("stocbio", about)
        .taking(&["inner_steps"])
        .entry(|call| {
            Ok(StocBio {
                inner: call.settings.inner_steps(),
                factors: call.settings.inner_steps(),
                y: plain(call.settings),
                v: length(call.settings),
                x: outward(call.settings),
            })
        })
}
