//! BSA and TTSA.

use autodiff::Real;
use autodiff::kernels::axpy;

use crate::catalogue::Settings;
use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};

use super::amigo::descend;
use super::choices::Choices;
use super::{Named, length, outward, plain};

/// BSA, and with one step on y TTSA: a Neumann series cut at random.
///
/// After `inner` steps `y −= η_y ∇_y g`, p is drawn uniformly from 0 … K − 1 and
/// `v = K α Π_{j≤p} (I − α ∇²_yy g(ζ⁽ʲ⁾)) ∇_y F`, whose mean is the K-term sum
/// `α Σ_{k<K} (I − α ∇²_yy g)ᵏ ∇_y F`; then `x −= η_x (∇_x F − ∇²_xy g · v)`. In TTSA the step of y
/// shrinks more slowly than that of x.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y, with α below 2 over its largest
/// curvature.
///
/// # Cost in oracle calls
/// One gradient of F, `inner` gradients of g and p + 1 Hessian-vector products per step:
/// (K + 1) / 2 on average.
///
/// # Reference
/// S. Ghadimi and M. Wang, Approximation methods for bilevel programming, 2018; M. Hong et al., A
/// two-timescale stochastic algorithm framework for bilevel optimization, 2020.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bsa {
    /// Steps on y.
    pub inner: usize,
    /// K, terms of the Neumann series.
    pub terms: usize,
    /// How y moves, by η_y.
    pub y: Motion,
    /// α.
    pub v: f64,
    /// How x moves, by η_x.
    pub x: Motion,
}

impl<T: Real> Rule<T> for Bsa {
    const NAME: &'static str = "bsa";

    fn name(&self) -> String {
        if self.inner == 1 { "ttsa" } else { "bsa" }.into()
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps on y", self.inner)?;
        expect::at_least_1("terms of the Neumann series", self.terms)?;
        expect::positive("step of the Neumann series", self.v)?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.y.begin("y", dim_y, &batches.meter)?,
            self.x.begin("x", dim_x, &batches.meter)?,
        ];
        let (mut in_x, mut spare) = (batches.buffer(dim_x), batches.buffer(dim_y));
        let kept = (Choices::new(s), movers);
        Ok(keeping(batches, kept, move |s, b, (choices, [y, x])| {
            descend(s, b, rule.inner, y, &mut spare);
            b.upper_gradients(s, &mut in_x, &mut spare);
            b.v.copy_from_slice(&spare);
            for _ in 0..choices.below(rule.terms) {
                spare.copy_from_slice(b.hessian_product(s));
                axpy(&mut b.v, T::of(-rule.v), &spare);
            }
            let scale = T::of(rule.terms as f64 * rule.v);
            b.v.iter_mut().for_each(|v| *v *= scale);
            axpy(&mut in_x, -T::one(), b.cross_product(s));
            b.direction.copy_from_slice(&in_x);
            x.step(s.iteration(), s.x.as_mut_slice(), &in_x);
        }))
    }
}

/// The name `bsa`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: warm steps on y, then a Neumann series cut at random";
    Named::new("bsa", about)
        .taking(&["inner_steps"])
        .entry(|call| Ok(bsa(call.settings)))
}

/// The name `ttsa`.
pub(super) fn of_one_step<T: Real>() -> MethodEntry<T> {
    Named::new("ttsa", "bsa with one step on y")
        .taking(&["inner_steps"])
        .entry(|call| {
            Ok(Bsa {
                inner: 1,
                ..bsa(call.settings)
            })
        })
}

fn bsa(settings: &Settings) -> Bsa {
    Bsa {
        inner: settings.inner_steps(),
        terms: settings.inner_steps(),
        y: plain(settings),
        v: length(settings),
        x: outward(settings),
    }
}
