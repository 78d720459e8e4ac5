//! ISGD: stochastic descent along inexact hypergradients.

mod run;

use std::sync::Arc;

use autodiff::Real;

use crate::optimiser::{Optimise, Optimiser};
use crate::sampling::{DrawRule, Sampling};
use crate::schedule::Schedule;

use super::MethodEntry;
use super::{Begun, Outer, Rule, State};
use run::Inexact;

/// Inexact stochastic gradient descent: `x ← x − α_k z`, z the hypergradient of a mini-batch of the
/// upper samples, with lower level and linear system solved to ε_k and δ_k.
///
/// Where [each sample has a lower level of its own](crate::Bilevel::per_sample), those of the batch
/// are solved, from the sample's last y and q, and z is the mean; else the one lower level is, on all
/// its samples. With [constants](crate::Bilevel::with_constants) ε_k bounds `‖y − y*‖`, without them
/// `‖∇_y g‖`; δ_k bounds `‖Hq − ∇_yF‖`. A fixed ε leaves a bias that no step length removes; under
/// schedules that tend to 0, with `Σ α_k = ∞` and `Σ α_k² < ∞`, there is none.
///
/// # Requirements on the problem
/// F once and g twice differentiable; g strongly convex in y.
///
/// # Cost in oracle calls
/// For each sample of the batch, or once: FISTA, one gradient an iteration; a linear system by
/// conjugate gradients; without constants some 20 Hessian-vector products that find the step length.
/// Each report evaluates F and ∇_y g on all samples, which is not counted.
///
/// # Reference
/// M. S. Salehi, S. Mukherjee, L. Roberts and M. J. Ehrhardt, Bilevel learning with inexact
/// stochastic gradients, 2024.
#[derive(Clone, Debug, PartialEq)]
pub struct Isgd<O = Optimiser> {
    accuracies: Accuracies,
    optimiser: O,
}

/// α_k, ε_k, and δ_k if it has its own.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Accuracies {
    step: Schedule,
    lower: Schedule,
    linear: Option<Schedule>,
}

impl Isgd {
    /// `iterations` steps on single samples with `α_k = step (k+1)^−0.75` and
    /// `ε_k = δ_k = 0.1 (k+1)^−0.75`.
    pub fn new(iterations: usize, step: f64) -> Outer<Self> {
        let power = |a| Schedule::Power { a, q: 0.75 };
        let rule = Isgd {
            accuracies: Accuracies {
                step: power(step),
                lower: power(0.1),
                linear: None,
            },
            optimiser: Optimiser::GradientDescent { rate: 1.0 },
        };
        Outer::new(rule, iterations).sampling(Sampling::new(0))
    }
}

impl<O, C> Outer<Isgd<O>, C> {
    /// The step lengths α_k: constant, `Power` with q in (0.5, 1], `PowerLog` with q in [0.5, 1], or
    /// harmonic.
    #[must_use]
    pub fn step(mut self, schedule: Schedule) -> Self {
        self.rule.accuracies.step = schedule;
        self
    }

    /// The accuracies ε_k, and δ_k unless it has its own; where they fall below 1e-10 (1e-5 in
    /// `f32`), that is taken instead.
    #[must_use]
    pub fn accuracy(mut self, schedule: Schedule) -> Self {
        self.rule.accuracies.lower = schedule;
        self
    }

    /// The accuracies δ_k of the linear system.
    #[must_use]
    pub fn linear_accuracy(mut self, schedule: Schedule) -> Self {
        self.rule.accuracies.linear = Some(schedule);
        self
    }

    /// What moves x along z, its rate multiplied by α_k: Adam, say; plain steps of rate 1 unless
    /// given.
    #[must_use]
    pub fn optimiser<P>(self, optimiser: P) -> Outer<Isgd<P>, C> {
        self.with(|rule, constraint| {
            let accuracies = rule.accuracies;
            let rule = Isgd {
                accuracies,
                optimiser,
            };
            (rule, constraint)
        })
    }
}

/// Whether steps of these lengths lead to a solution through noise; if not, why.
fn leads(step: Schedule) -> Result<(), String> {
    Err(match step {
        Schedule::Power { q, .. } if !(q > 0.5 && q <= 1.0) => format!(
            "step length falls with power {q}: expected q in (0.5, 1], such as {}, so that Σα is \
             infinite and Σα² is not",
            if q > 1.0 { "1" } else { "0.51" }
        ),
        Schedule::PowerLog { q, .. } if !(0.5..=1.0).contains(&q) => format!(
            "step length falls with power {q} and a logarithm: expected q in [0.5, 1], such as {}",
            if q > 1.0 { "1" } else { "0.5" }
        ),
        Schedule::InverseRoot { .. } => {
            "step length falls with power 0.5, so that Σα² is infinite: expected power:A:0.51, or \
             power-log:A:0.5"
                .into()
        }
        step if step.is_summable() => format!(
            "step lengths {step} have a finite sum, so x would stop short: expected power:A:1"
        ),
        _ => return Ok(()),
    })
}

impl<T: Real, O: Optimise<T>> Rule<T> for Isgd<O> {
    const NAME: &'static str = "isgd";

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        let Accuracies {
            step,
            lower,
            linear,
        } = self.accuracies;
        step.check("step length")?;
        leads(step)?;
        lower.check("accuracy")?;
        linear.unwrap_or(lower).check("linear accuracy")?;
        Ok(Box::new(Inexact::new(self.accuracies, &self.optimiser, s)?))
    }
}

/// The name `isgd`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let accepts = [
        "iterations",
        "report_every",
        "optimiser",
        "rate",
        "adam_eps",
        "adam_eps_root",
        "batch",
        "accuracy",
        "accuracy_power",
        "step_power",
    ];
    let about = "mini-batches of upper samples, inexact hypergradients, falling accuracies";
    MethodEntry::new("isgd", about, &accepts, |call| {
        let (settings, place) = (call.settings, call.place);
        let samples = place.samples.map_or(1, |(upper, _)| upper);
        // Solving the lower level is what costs: one for each sample, or one for all.
        let few = if place.per_sample { 1 } else { samples.min(16) };
        let sampling = Sampling::new(place.seed)
            .batches(settings.batch.unwrap_or(few), 1)
            .rule(DrawRule::Epochs);
        // The rate is that of the optimiser.
        let step = Schedule::Power {
            a: 1.0,
            q: settings.step_power(),
        };
        let accuracy = Schedule::Power {
            a: settings.accuracy(),
            q: settings.accuracy_power.unwrap_or(0.75),
        };
        let isgd = Isgd::new(settings.iterations(), 1.0)
            .report_every(settings.report_every())
            .step(step)
            .optimiser(settings.mover())
            .accuracy(accuracy)
            .sampling(sampling);
        Ok(Arc::new(isgd.constraint(place.constraint)))
    })
}
