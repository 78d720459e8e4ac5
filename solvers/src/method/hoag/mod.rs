//! HOAG: implicit hypergradients to accuracies from a schedule.

mod run;
mod settling;
mod trial;

use std::sync::Arc;

use autodiff::Real;

use crate::expect;
use crate::lower::NEWTON_LIMIT;
use crate::schedule::Schedule;

use super::MethodEntry;
use super::{Begun, Outer, Rule, State};
use run::Adapting;

/// Descent along implicit hypergradients p, both of whose solves are as accurate as a schedule says,
/// with steps `x − p/L` whose L adapts.
///
/// With d the step from x, p the hypergradient there and e what the accuracies explain, the step
/// stays where `F_new ≤ F_old + pᵀd + ½L‖d‖² + e`: on a φ of curvature at most L that always holds,
/// and then F falls by `½L‖d‖²`, less e. L is then the curvature `2(F_new − F_old − pᵀd)/‖d‖²`
/// that the step met, if that is less, but no less than L/10. Where the condition does not hold, or
/// F or p is not finite, the step is taken back, L becomes that curvature, between twice and a
/// hundred times what it was, and all later accuracies are halved; after three such steps in a row
/// p is computed again. Where e is most of what the step promised, the step says nothing: L is
/// multiplied by 0.95, and later accuracies are halved. To first order F is off its value at the
/// solved lower level by `qᵀ∇_y g`, so e is `‖q‖‖∇_y g‖` of both points, which has the units of F;
/// that of the new point counts no more than that of the old one. What rounding hides lengthens
/// steps too. No step follows the last judgement, so the run ends at a point that was judged; a
/// report after a step that was taken back is of the point the run went back to.
///
/// The reference lengthens steps by 0.95 alone, where `F_new ≤ F_old + C ε_k + ε_{k−1}(C + 1)‖d‖ −
/// L‖d‖²`, C = ¼, and takes a step back at `F_new ≥ 1.2 F_old`. For a convex φ and exact values the
/// first cannot hold; between the two nothing changes, so with L just below half the curvature x
/// goes round a 2-cycle for ever; its errors have not the units of F; and values below 0 turn the
/// second about. The factor 0.95 under coarse accuracies, the halved accuracies and the first L are
/// the reference's.
///
/// Where F did not fall as the last steps promised, or none of them stayed, the last report has a
/// warning.
///
/// # Requirements on the problem
/// F once and g twice differentiable; the Hessian of g in y positive definite at the solution. No
/// constants; nothing vouches for the accuracy being enough: values fall by what is promised less
/// e, to first order.
///
/// # Cost in oracle calls
/// In each iteration a gradient of g, a solve of the lower level to `‖∇_y g‖ ≤ ε_k min(1, r)` by
/// Newton's method from the last y, r being the largest ‖∇_y g‖ that a solve has begun with at this
/// point or at one that stayed, and a linear system to `‖Hq − ∇_yF‖ ≤ ε_k min(1, ‖∇_yF‖)` from the last q.
///
/// # Reference
/// F. Pedregosa, Hyperparameter optimization with approximate gradient, ICML 2016, and its code for
/// the rule of L.
#[derive(Clone, Debug, PartialEq)]
pub struct Hoag {
    accuracy: Schedule,
    smoothness: Option<f64>,
    limit: usize,
}

impl Hoag {
    /// `iterations` steps, with accuracies `0.1 · 0.9ᵏ`, and the first step of length 1.
    ///
    /// The schedules of the reference are `Geometric { a, decay: 0.9 }`, and `Power { a, q }` with
    /// q = 2 and q = 3.
    pub fn new(iterations: usize) -> Outer<Self> {
        let rule = Hoag {
            accuracy: Schedule::Geometric { a: 0.1, decay: 0.9 },
            smoothness: None,
            limit: NEWTON_LIMIT,
        };
        Outer::new(rule, iterations)
    }
}

impl<C> Outer<Hoag, C> {
    /// The accuracies ε_k; where they fall below 1e-10 (1e-5 in `f32`), that is taken instead.
    #[must_use]
    pub fn accuracy(mut self, schedule: Schedule) -> Self {
        self.rule.accuracy = schedule;
        self
    }

    /// The first L; unless given, the norm of the first hypergradient.
    #[must_use]
    pub fn smoothness(mut self, l: f64) -> Self {
        self.rule.smoothness = Some(l);
        self
    }

    /// The most iterations of Newton's method in one solve of the lower level, 200 unless given.
    #[must_use]
    pub fn lower_limit(mut self, limit: usize) -> Self {
        self.rule.limit = limit;
        self
    }
}

impl<T: Real> Rule<T> for Hoag {
    const NAME: &'static str = "hoag";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        if self.limit == 0 {
            return Err("at most 0 iterations on the lower level: expected at least 1".into());
        }
        self.accuracy.check("accuracy")?;
        self.smoothness
            .map_or(Ok(()), |l| expect::positive("smoothness", l))?;
        s.steps_adapt();
        Ok(Box::new(Adapting::new(self.clone(), s)?))
    }
}

/// The name `hoag`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "implicit hypergradients, accuracies from a schedule, adaptive steps";
    let accepts = [
        "iterations",
        "report_every",
        "lower_limit",
        "accuracy",
        "accuracy_power",
    ];
    MethodEntry::new("hoag", about, &accepts, |call| {
        let settings = call.settings;
        let a = settings.accuracy();
        let accuracy = match settings.accuracy_power {
            Some(q) => Schedule::Power { a, q },
            None => Schedule::Geometric { a, decay: 0.9 },
        };
        let mut hoag = Hoag::new(settings.iterations())
            .report_every(settings.report_every())
            .accuracy(accuracy);
        if let Some(limit) = settings.lower_limit {
            hoag = hoag.lower_limit(limit);
        }
        Ok(Arc::new(hoag.constraint(call.place.constraint)))
    })
}
