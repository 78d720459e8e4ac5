//! stocBiO.

use autodiff::Real;
use autodiff::kernels::{add, axpy};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Rule, State, memoryless};
use crate::schedule::Schedule;

use super::amigo::descend;
use super::{drawn, entry as named, length};

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
    const NAME: &'static str = "stocbio";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on y", self.inner)?;
        self.y.check("step of y")?;
        expect::positive("step of the Neumann series", self.v)?;
        self.x.check("step of x")?;
        let (rule, length, batches) = (*self, T::of(self.v), Batches::new(s)?);
        let mut in_y = batches.buffer(s.y.len());
        let mut in_x = batches.buffer(s.x.len());
        let mut sum = batches.buffer(s.y.len());
        Ok(memoryless(batches, move |s, b| {
            let t = s.iteration();
            descend(s, b, rule.inner, rule.y.at(t), &mut sum);
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
            axpy(s.x.as_mut_slice(), T::of(-rule.x.at(t)), &in_x);
        }))
    }
}

/// The name `stocbio`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: warm steps on y, then a Neumann series";
    named(
        ["stocbio", about],
        &["rate", "inner_steps"],
        drawn,
        |settings| StocBio {
            inner: settings.inner_steps(),
            factors: settings.inner_steps(),
            y: Schedule::Constant(length(settings)),
            v: length(settings),
            x: Schedule::Constant(settings.rate()),
        },
    )
}
