//! SUSTAIN and MRBO.

use autodiff::{Inputs, Real};

use crate::catalogue::{Call, Settings};
use crate::method::{Batches, Begun, MethodEntry, Motion, Rule, State, keeping};
use crate::sampling::Level;
use crate::schedule::Schedule;

use super::choices::Choices;
use super::recursive::follow;
use super::series::{Implied, Series};
use super::{Named, length, plain};

/// SUSTAIN and MRBO: y and x move at once along estimates that follow the iterates, that of x being of
/// a hypergradient by a Neumann series.
///
/// With h(x, y; ζ) = `∇_xF − ∇²_xy g · v`, v by the [`Series`], and (x⁻, y⁻) where y and x were in the
/// step before,
/// `d_y ← ∇_y g(x, y; ξ) + (1 − η)(d_y − ∇_y g(x⁻, y⁻; ξ))` and
/// `d_x ← h(x, y; ζ) + (1 − η)(d_x − h(x⁻, y⁻; ζ))`, the same batches, and number of factors, at both
/// places. In the first step, which has none before, they are `∇_y g(x, y; ξ)` and h(x, y; ζ). A series
/// that is cut at random makes it SUSTAIN, a whole one MRBO.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y, with α below 2 over its largest
/// curvature. A series of K terms is biased.
///
/// # Cost in oracle calls
/// Two gradients of F, two of g, and 2 (p + 1) Hessian-vector products per step, p being the number of
/// factors, K in MRBO; in the first step half of that.
///
/// # Reference
/// SUSTAIN: P. Khanduri et al., A near-optimal algorithm for stochastic bilevel optimization via double
/// momentum, NeurIPS 2021. MRBO: J. Yang, K. Ji and Y. Liang, Provably faster algorithms for bilevel
/// optimization, NeurIPS 2021.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sustain {
    /// The series of the hypergradients.
    pub series: Series,
    /// η, cut at 1.
    pub weight: Schedule,
    /// How y moves.
    pub y: Motion,
    /// How x moves.
    pub x: Motion,
}

impl<T: Real> Rule<T> for Sustain {
    const NAME: &'static str = "sustain";

    fn name(&self) -> String {
        if self.series.cut { "sustain" } else { "mrbo" }.into()
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        self.series.check()?;
        self.weight.check("weight")?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let movers = [
            self.y.begin("y", dim_y, &batches.meter)?,
            self.x.begin("x", dim_x, &batches.meter)?,
        ];
        let last = [batches.buffer(dim_x), batches.buffer(dim_y)];
        let along_y = batches.buffer(dim_y);
        let mut then_y = batches.buffer(dim_y);
        let [mut now, mut then] = [Implied::new(s, &batches), Implied::new(s, &batches)];
        let kept = ((Choices::new(s), movers), (last, along_y));
        Ok(keeping(batches, kept, move |s, b, kept| {
            let ((choices, [y, x]), (last, along_y)) = kept;
            let t = s.iteration();
            let weight = rule.weight.at(t).min(1.0);
            let here = [s.x.as_slice(), s.y.as_slice()];
            let before: [&[_]; 2] = [&last[0], &last[1]];
            let lower = b.lower.draw();
            if t > 0 {
                lower.gradient_at(&before, Inputs::one(1));
                then_y.copy_from_slice(lower.gradient(1));
            }
            lower.gradient_at(&here, Inputs::one(1));
            let factors = rule.series.factors(choices);
            if t > 0 {
                follow(along_y, weight, lower.gradient(1), &then_y);
                let places = &mut [(&mut now, here), (&mut then, before)];
                rule.series.draw(factors, b, Level::draw, places);
                follow(&mut b.direction, weight, &now.x, &then.x);
            } else {
                along_y.copy_from_slice(lower.gradient(1));
                let places = &mut [(&mut now, here)];
                rule.series.draw(factors, b, Level::draw, places);
                b.direction.copy_from_slice(&now.x);
            }
            b.v.copy_from_slice(&now.v);
            last[0].copy_from_slice(s.x.as_slice());
            last[1].copy_from_slice(s.y.as_slice());
            y.step(t, s.y.as_mut_slice(), along_y);
            x.step(t, s.x.as_mut_slice(), &b.direction);
        }))
    }
}

/// The name `sustain`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "mini-batches: momentum of STORM for y and x, a Neumann series cut at random";
    Named::new("sustain", about)
        .taking(&["inner_steps"])
        .entry(|call| Ok(of(call, true)))
}

/// The name `mrbo`.
pub(super) fn of_whole_series<T: Real>() -> MethodEntry<T> {
    let about = "sustain with a whole Neumann series";
    Named::new("mrbo", about)
        .taking(&["inner_steps"])
        .entry(|call| Ok(of(call, false)))
}

/// A series of as many terms as inner steps.
pub(super) fn series(settings: &Settings, cut: bool) -> Series {
    Series {
        terms: settings.inner_steps(),
        step: length(settings),
        cut,
    }
}

fn of(call: &Call<'_>, cut: bool) -> Sustain {
    let power = |a, q| Schedule::Power { a, q };
    let falling = power(1.0, 1.0 / 3.0);
    Sustain {
        series: series(call.settings, cut),
        weight: power(0.5, 2.0 / 3.0),
        y: plain(call.settings).factor(power(length(call.settings), 1.0 / 3.0)),
        x: Motion::from(call.settings.mover()).factor(falling),
    }
}
