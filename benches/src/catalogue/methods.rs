//! The methods by name, with their settings for each problem.

use autodiff::Real;
use models::Task;
use solvers::{Constraint, Descent, Gda, Method, Optimiser, StepLength};

use super::settings::{OuterRule, SolveSettings};
use super::strategies::{self, AnyStrategy};
use super::{Entry, unknown};
use super::{inexact, stepwise};

/// Every method.
pub const ALL: &[Entry] = &[
    Entry {
        name: "itd",
        about: "descent along hypergradients of iterative differentiation",
    },
    Entry {
        name: "aid-cg",
        about: "descent along implicit hypergradients, by conjugate gradients",
    },
    Entry {
        name: "aid-direct",
        about: "descent along implicit hypergradients, by a dense factorisation",
    },
    Entry {
        name: "aid-minres",
        about: "descent along implicit hypergradients, by minimal residuals",
    },
    Entry {
        name: "aid-neumann",
        about: "the same, by a Neumann series; aid-neumann:K to order K",
    },
    Entry {
        name: "aid-fixed-point",
        about: "the same, by fixed-point steps; aid-fixed-point:K takes K",
    },
    Entry {
        name: "aid-nystrom",
        about: "the same, by a Nyström approximation; aid-nystrom:RANK of this rank",
    },
    Entry {
        name: "aid-one-step",
        about: "the same, the inverse Hessian taken for a step length (biased)",
    },
    Entry {
        name: "bda",
        about: "descent along hypergradients of descent aggregation",
    },
    Entry {
        name: "gda",
        about: "multi-stage gradient descent-ascent, first-order only",
    },
    Entry {
        name: "hoag",
        about: "implicit hypergradients, accuracies from a schedule, adaptive steps",
    },
    Entry {
        name: "maid",
        about: "accuracy and step chosen by certified bounds; needs a problem's constants",
    },
    Entry {
        name: "isgd",
        about: "mini-batches of upper samples, inexact hypergradients, falling accuracies",
    },
    Entry {
        name: "pbgd",
        about: "descent on the value-function penalty, which grows; first-order only",
    },
    Entry {
        name: "f2sa",
        about: "directions from two penalised inner solutions; first-order only",
    },
    Entry {
        name: "bome",
        about: "descent that keeps the value-function gap falling; first-order only",
    },
    Entry {
        name: "stochastic-aid",
        about: "the stochastic AID loop: mini-batches, K steps on the linear system",
    },
    Entry {
        name: "soba",
        about: "mini-batches: y, v and x move at once, steps fall like 1/sqrt(t)",
    },
    Entry {
        name: "saba",
        about: "soba with the variance reduction of SAGA, on single samples",
    },
    Entry {
        name: "fsla",
        about: "soba with a running mean of the directions of x",
    },
    Entry {
        name: "amigo",
        about: "mini-batches: several warm steps on y, then on the linear system",
    },
    Entry {
        name: "stocbio",
        about: "mini-batches: warm steps on y, then a Neumann series",
    },
    Entry {
        name: "bsa",
        about: "mini-batches: warm steps on y, then a Neumann series cut at random",
    },
    Entry {
        name: "ttsa",
        about: "bsa with one step on y",
    },
];

/// The method of this name for a task.
///
/// # Errors
/// If there is none, or the settings do not fit it: one line.
pub fn method<T: Real>(
    name: &str,
    task: &Task<T>,
    settings: &SolveSettings,
) -> Result<Box<dyn Method<T>>, String> {
    let rate = settings.rate;
    let adam = |decay| Optimiser::AdamWith {
        rate,
        decay,
        eps: settings.adam_eps,
        eps_root: settings.adam_eps_root,
    };
    let optimiser = match settings.optimiser {
        OuterRule::Gd => Optimiser::GradientDescent { rate },
        OuterRule::Momentum => Optimiser::Momentum {
            rate,
            momentum: 0.9,
        },
        OuterRule::Adagrad => Optimiser::Adagrad { rate },
        OuterRule::Adam => adam(0.0),
        OuterRule::AdamW => adam(0.01),
    };
    settings.check()?;
    if name == "gda" {
        let total = settings.stages * settings.stage_iterations;
        let gda = Gda::new(settings.stages, settings.stage_iterations, optimiser)
            .penalty(settings.penalty, settings.growth)
            .sampling(settings.sampling(None))
            .report_every(total.div_ceil(settings.iterations).max(1))
            .constraint(Constraint::from(task.bounds));
        return Ok(Box::new(gda));
    }
    // The number of an implicit method is looked at with the strategy.
    let kind = match name.split_once(':') {
        Some((kind, _)) if kind.starts_with("aid-") => kind,
        _ => name,
    };
    if !ALL.iter().any(|e| e.name == kind) {
        return Err(unknown("method", name, ALL));
    }
    if let Some(method) = inexact::method(name, task, settings, optimiser) {
        return Ok(method);
    }
    if let Some(method) = stepwise::method(name, task, settings) {
        return Ok(method);
    }
    let shared = strategies::Settings {
        depth: settings.depth,
        tolerance: settings.tolerance,
        lower_limit: settings.lower_limit,
        step: settings.step.map_or(StepLength::Auto, StepLength::Fixed),
        ..strategies::Settings::default()
    };
    let strategy: AnyStrategy<T> = strategies::strategy(name, &shared)?;
    let descent = Descent::new(strategy, optimiser, settings.iterations)
        .warm_start(settings.warm_start)
        .warm_linear(settings.warm_start)
        .constraint(Constraint::from(task.bounds));
    Ok(Box::new(descent))
}
