//! MAID: accuracy and step length chosen by bounds.

mod run;
mod trial;

use std::sync::Arc;

use autodiff::Real;

use crate::expect;

use super::MethodEntry;
use super::{Begun, Outer, Rule, State};
use run::Certified;

/// The method of adaptive inexact descent: descent along inexact hypergradients, with accuracies and
/// step lengths that bounds vouch for.
///
/// A hypergradient z is accepted when its [`Certificate`](crate::Certificate) has `ω ≤ (1 − η)‖z‖`;
/// else both accuracies, ε of y and δ of the linear system, are multiplied by ν. With `U± = F ±
/// (‖∇_yF‖ε + ½L_Fε²)`, bounds on φ, a step of length α is accepted when `U₊(x − αz) − U₋(x) +
/// λα‖z‖² ≤ 0`; else α is multiplied by ρ, a limited number of times, and after that ε and δ by ν.
/// After an accepted step, α grows by ρ̄ and ε, δ by ν̄. So every step satisfies Armijo's
/// inequality on φ itself, `φ(x − αz) ≤ φ(x) − λα‖z‖²`, and φ falls.
///
/// Where the bounds say that a step is too long for certain, `U₋(x − αz) − U₊(x) + λα‖z‖² > 0`, no
/// accuracy helps: it does not count as a trial, and the next α is one over the curvature met, if
/// that is below ρα. Until a step has been too long for certain, α grows to one over the curvature
/// met, by at most ten, and a trial whose effect the bounds hide is followed by a longer one. The
/// reference finds a scale by neither.
///
/// ν = ρ = ½, ρ̄ = 10/9, η = 1e-4, λ = η/2. The lower level is solved by an accelerated gradient
/// method, from the last y; the linear system by conjugate gradients, from the last q.
///
/// # Requirements on the problem
/// F and g twice differentiable; g strongly convex in y, and
/// [constants](crate::Bilevel::with_constants) that are true. x is not bounded. The run ends where
/// `‖z‖ + ω`, a bound on ‖∇φ‖, is at most the [`tolerance`](Outer::tolerance), or with the status
/// `lower-not-converged` where rounding keeps the accuracy from what the bounds ask for.
///
/// # Cost in oracle calls
/// Each hypergradient and each trial of a step solves the lower level, one gradient an iteration;
/// each hypergradient solves a linear system too.
///
/// # Reference
/// M. S. Salehi, S. Mukherjee, L. Roberts and M. J. Ehrhardt, An adaptively inexact first-order
/// method for bilevel optimization with application to hyperparameter learning, 2023.
#[derive(Clone, Debug, PartialEq)]
pub struct Maid {
    accuracy: f64,
    accuracy_growth: f64,
    step: Option<f64>,
    backtracks: usize,
    tolerance: Option<f64>,
}

/// ν, of accuracies.
const SHARPEN: f64 = 0.5;
/// ρ, of step lengths.
const SHORTEN: f64 = 0.5;
/// ρ̄.
const LENGTHEN: f64 = 10.0 / 9.0;
/// η.
const ETA: f64 = 1e-4;

impl Maid {
    /// λ, the part of `α‖z‖²` by which φ falls at least with each step of length α.
    pub const DECREASE: f64 = 0.5 * ETA;

    /// At most `iterations` steps, with ε = δ = 0.1 at the start, ν̄ = 1.25, 10 trials and the first
    /// α from the curvature.
    pub fn new(iterations: usize) -> Outer<Self> {
        let rule = Maid {
            accuracy: 0.1,
            accuracy_growth: 1.25,
            step: None,
            backtracks: 10,
            tolerance: None,
        };
        Outer::new(rule, iterations)
    }
}

impl<C> Outer<Maid, C> {
    /// ε and δ at the start.
    #[must_use]
    pub fn accuracy(mut self, accuracy: f64) -> Self {
        self.rule.accuracy = accuracy;
        self
    }

    /// ν̄, the growth of ε and δ after an accepted step; from 1 on.
    #[must_use]
    pub fn accuracy_growth(mut self, growth: f64) -> Self {
        self.rule.accuracy_growth = growth;
        self
    }

    /// The first step length. Unless given, one over the curvature of φ along the first
    /// hypergradient, which a few trials from |F|/‖z‖² on measure; it scales with F and x as a step
    /// length does.
    #[must_use]
    pub fn step(mut self, length: f64) -> Self {
        self.rule.step = Some(length);
        self
    }

    /// Trials of a step length before the accuracy is taken to be what is missing; one more after
    /// each such failure.
    #[must_use]
    pub fn backtracks(mut self, count: usize) -> Self {
        self.rule.backtracks = count;
        self
    }

    /// Ends where ‖∇φ‖ is certified to be at most this. Unless given, 1.3e-6 (2.5e-3 in `f32`)
    /// times the smaller of 1 and `√(|F|/α)` of the first step: steps from a smaller one change φ by
    /// less than its rounding. Where rounding allows no more, it ends well at 1.3e-6 too.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.rule.tolerance = Some(tolerance);
        self
    }
}

impl<T: Real> Rule<T> for Maid {
    const NAME: &'static str = "maid";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        expect::at_least_1("backtracks", self.backtracks)?;
        let lengths = [("step length", self.step), ("tolerance", self.tolerance)];
        for (what, v) in [("accuracy", Some(self.accuracy))].iter().chain(&lengths) {
            v.map_or(Ok(()), |v| expect::positive(what, v))?;
        }
        let growth = self.accuracy_growth;
        expect::number(
            "accuracy growth",
            growth,
            growth >= 1.0,
            "a number from 1 on",
        )?;
        let refused = if !s.problem.states_constants() {
            "the problem states no constants, which its bounds are made of: expected \
             Bilevel::with_constants, or hoag, which needs none"
        } else if s.is_held() {
            "x is held to a set, of which its bounds know nothing: expected none, or hoag"
        } else {
            s.steps_adapt();
            return Ok(Box::new(Certified::new(self.clone(), s)?));
        };
        Err(refused.into())
    }
}

/// The name `maid`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let about = "accuracy and step chosen by certified bounds; needs a problem's constants";
    let accepts = [
        "iterations",
        "report_every",
        "tolerance",
        "accuracy",
        "first_step",
    ];
    MethodEntry::new("maid", about, &accepts, |call| {
        let settings = call.settings;
        let mut maid = Maid::new(settings.iterations())
            .report_every(settings.report_every())
            .accuracy(settings.accuracy());
        if let Some(step) = settings.first_step {
            maid = maid.step(step);
        }
        if let Some(tolerance) = settings.tolerance {
            maid = maid.tolerance(tolerance);
        }
        Ok(Arc::new(maid))
    })
}
