//! FSLA.

use autodiff::Real;

use crate::expect;
use crate::method::{Batches, Begun, MethodEntry, Rule, State, memoryless};
use crate::schedule::Schedule;

use super::soba::Directions;
use super::{average, averaging};
use super::{drawn, entry as named, length};

/// FSLA: [`Soba`](super::Soba) with a running mean of the directions of x,
/// `m ← (1 − η) m + η (∇²_xy g · v + ∇_x F)` from m = 0.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y.
///
/// # Cost in oracle calls
/// One gradient of F, one gradient of g and one Hessian-vector product per step.
///
/// # Reference
/// J. Li, B. Gu and H. Huang, A fully single loop algorithm for bilevel optimization without Hessian
/// inverse, AAAI 2022, with plain momentum in place of its corrected one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fsla {
    /// ρ.
    pub step: Schedule,
    /// ρ over the step of x.
    pub ratio: f64,
    /// η in (0, 1].
    pub averaging: f64,
}

impl<T: Real> Rule<T> for Fsla {
    const NAME: &'static str = "fsla";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        self.step.check("step")?;
        expect::positive("ratio", self.ratio)?;
        averaging(self.averaging)?;
        let (rule, batches) = (*self, Batches::new(s)?);
        let mut at = Directions::new(s, &batches);
        Ok(memoryless(batches, move |s, b| {
            at.draw(s, b);
            average(&mut b.direction, rule.averaging, &at.x);
            let length = rule.step.at(s.iteration());
            at.step(s, b, length, length / rule.ratio);
        }))
    }
}

/// The name `fsla`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "soba with a running mean of the directions of x";
    named(["fsla", about], &["rate"], drawn, |settings| Fsla {
        step: Schedule::InverseRoot {
            a: length(settings),
        },
        ratio: length(settings) / settings.rate(),
        averaging: 0.5,
    })
}
