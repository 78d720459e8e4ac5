//! VRBO.

use autodiff::{Inputs, Real};

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};
use crate::sampling::Level;

use super::choices::Choices;
use super::recursive::follow;
use super::series::{Implied, Series};
use super::sustain::series;
use super::{Named, count_of, outward, plain};

/// VRBO: SPIDER's estimates for y and x, in a loop on y within each step of x.
///
/// d_y and d_x estimate `∇_y g` and h = `∇_xF − ∇²_xy g · v`, v by the [`Series`], at a place (x⁻, y⁻).
/// In the first step of each period the place becomes (x, y), and they are computed anew on all
/// samples. Each step moves x along d_x, and then `inner` times: a batch of each level adds
/// `∇_y g(x, y) − ∇_y g(x⁻, y⁻)` to d_y and `h(x, y) − h(x⁻, y⁻)` to d_x, (x, y) becomes the place, and y
/// moves along d_y. So the first of them has the difference by the step of x.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y, with α below 2 over its largest
/// curvature. A series of K terms is biased.
///
/// # Cost in oracle calls
/// With n inner steps and p factors of the series: 2n gradients of F, 2n of g and 2n (p + 1)
/// Hessian-vector products per step; in the first step of a period one, one and p + 1 more, on all
/// samples.
///
/// # Reference
/// J. Yang, K. Ji and Y. Liang, Provably faster algorithms for bilevel optimization, NeurIPS 2021.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vrbo {
    /// Steps of x in a period.
    pub period: usize,
    /// Steps of y for each of x.
    pub inner: usize,
    /// The series of the hypergradients.
    pub series: Series,
    /// How y moves.
    pub y: Motion,
    /// How x moves.
    pub x: Motion,
}

impl<T: Real> Rule<T> for Vrbo {
    const NAME: &'static str = "vrbo";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("steps of a period", self.period)?;
        expect::at_least_1("steps on y", self.inner)?;
        self.series.check()?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.y.begin("y", dim_y, &batches.meter)?,
            self.x.begin("x", dim_x, &batches.meter)?,
        ];
        let last = [batches.buffer(dim_x), batches.buffer(dim_y)];
        let along = [batches.buffer(dim_x), batches.buffer(dim_y)];
        let mut then_y = batches.buffer(dim_y);
        let [mut now, mut then] = [Implied::new(s, &batches), Implied::new(s, &batches)];
        let kept = ((Choices::new(s), movers), (last, along));
        Ok(keeping(batches, kept, move |s, b, kept| {
            let ((choices, [y, x]), (last, [along_x, along_y])) = kept;
            let t = s.iteration();
            if t.is_multiple_of(rule.period) {
                let here = [s.x.as_slice(), s.y.as_slice()];
                let lower = b.lower.whole();
                lower.gradient_at(&here, Inputs::one(1));
                along_y.copy_from_slice(lower.gradient(1));
                let (factors, places) = (rule.series.factors(choices), &mut [(&mut now, here)]);
                rule.series.draw(factors, b, Level::whole, places);
                along_x.copy_from_slice(&now.x);
                last[0].copy_from_slice(here[0]);
                last[1].copy_from_slice(here[1]);
            }
            b.direction.copy_from_slice(along_x);
            x.step(t, s.x.as_mut_slice(), along_x);
            s.project();
            for _ in 0..rule.inner {
                let here = [s.x.as_slice(), s.y.as_slice()];
                let before: [&[_]; 2] = [&last[0], &last[1]];
                let lower = b.lower.draw();
                lower.gradient_at(&before, Inputs::one(1));
                then_y.copy_from_slice(lower.gradient(1));
                lower.gradient_at(&here, Inputs::one(1));
                follow(along_y, 0.0, lower.gradient(1), &then_y);
                let factors = rule.series.factors(choices);
                let places = &mut [(&mut now, here), (&mut then, before)];
                rule.series.draw(factors, b, Level::draw, places);
                follow(along_x, 0.0, &now.x, &then.x);
                last[0].copy_from_slice(s.x.as_slice());
                last[1].copy_from_slice(s.y.as_slice());
                y.step(t, s.y.as_mut_slice(), along_y);
            }
            b.v.copy_from_slice(&now.v);
        }))
    }
}

/// The name `vrbo`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about =
        "mini-batches: SPIDER's estimates for y and x, all samples once in PERIOD (10) steps";
    Named::new("vrbo[:PERIOD]", about)
        .taking(&["inner_steps"])
        .entry(|call| {
            Ok(Vrbo {
                period: count_of(call, 10)?,
                inner: call.settings.inner_steps(),
                series: series(call.settings, false),
                y: plain(call.settings),
                x: outward(call.settings),
            })
        })
}
