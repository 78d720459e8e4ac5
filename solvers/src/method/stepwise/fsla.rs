//! FSLA.

use autodiff::Real;

use crate::expect;
use crate::problem::Bilevel;
use crate::schedule::Schedule;

use super::super::ground::Batches;
use super::super::rule::{Rule, Setting, Update, memoryless};
use super::super::state::State;
use super::soba::Directions;
use super::{average, averaging_complaint};

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
    type Ground = Batches<T>;

    fn name(&self) -> String {
        "fsla".into()
    }

    fn complaint(&self, _: &Setting<'_, T>) -> Option<String> {
        self.step
            .complaint("step")
            .or(expect::positive("ratio", self.ratio))
            .or(averaging_complaint(self.averaging))
    }

    fn begin<'p>(&self, _: &'p Bilevel<T>, state: &mut State<T>) -> Box<dyn Update<T> + 'p> {
        let rule = *self;
        let mut at = Directions::new(state);
        memoryless(move |s, t| {
            at.draw(s);
            average(&mut s.on.direction, rule.averaging, &at.x);
            at.step(s, rule.step.at(t), rule.step.at(t) / rule.ratio);
        })
    }
}
