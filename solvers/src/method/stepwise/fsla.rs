//! FSLA.

use autodiff::Real;

use crate::Schedule;

use super::soba::Directions;
use super::{Rule, State, Update, average, averaging_complaint, length_complaint, memoryless};

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
    fn name(&self) -> &'static str {
        "fsla"
    }

    fn complaint(&self, _: (usize, usize)) -> Option<String> {
        self.step
            .complaint("step")
            .or(length_complaint("ratio", self.ratio))
            .or(averaging_complaint(self.averaging))
    }

    fn begin(&self, state: &mut State<T>) -> Box<dyn Update<T>> {
        let rule = *self;
        let mut at = Directions::new(state);
        memoryless(move |s, t| {
            at.draw(s);
            average(&mut s.direction, rule.averaging, &at.x);
            at.step(s, rule.step.at(t), rule.step.at(t) / rule.ratio);
        })
    }
}
