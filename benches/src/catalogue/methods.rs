//! The methods by name, with their settings for each problem.

use autodiff::Real;
use models::Task;
use solvers::catalogue::{self, OuterRule, Setting, Settings, rest};
use solvers::{Constraint, Descent, Gda, Method, Optimiser, Strategy};

use super::settings::SolveSettings;
use super::{Entry, unknown};
use super::{inexact, stepwise};

/// What methods have in common where a problem has defaults for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Steps of x along hypergradients.
    Descent,
    /// Descent in x and ascent on the lower level's penalty.
    Ascent,
    /// Many small steps of all variables.
    SmallSteps,
}

/// A method by name.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its name, with a number that may be left out in brackets.
    pattern: &'static str,
    /// What lists show.
    pub row: Entry,
    /// What it has in common with others.
    pub family: Family,
    /// The keys of the settings it takes.
    pub accepts: Vec<&'static str>,
}

impl Named {
    /// Refuses a setting that the method, called `name`, does not take. `shown` is how a setting is
    /// written there.
    ///
    /// # Errors
    /// With the settings that it takes: one line.
    pub fn refuse_foreign(
        &self,
        name: &str,
        settings: &Settings,
        shown: impl Fn(&Setting) -> String,
    ) -> Result<(), String> {
        settings.refuse_foreign("method", &[(name, &self.accepts)], shown)
    }
}

/// Every method.
pub fn all() -> Vec<Named> {
    let strategies = catalogue::strategies::<f64>().into_iter();
    let mut all: Vec<Named> = strategies.filter_map(descent).collect();
    let own = |pattern, about, family, accepts: &[&'static str]| Named {
        pattern,
        row: Entry {
            name: pattern,
            about,
        },
        family,
        accepts: accepts.to_vec(),
    };
    all.extend([
        own(
            "gda",
            "multi-stage gradient descent-ascent, first-order only",
            Family::Ascent,
            &[
                "iterations",
                "optimiser",
                "rate",
                "adam_eps",
                "adam_eps_root",
                "stages",
                "stage_iterations",
                "penalty",
                "growth",
                "batch",
            ],
        ),
        own(
            "hoag",
            "implicit hypergradients, accuracies from a schedule, adaptive steps",
            Family::Descent,
            &["iterations", "lower_limit", "accuracy", "accuracy_power"],
        ),
        own(
            "maid",
            "accuracy and step chosen by certified bounds; needs a problem's constants",
            Family::Descent,
            &["iterations", "tolerance", "accuracy", "first_step"],
        ),
        own(
            "isgd",
            "mini-batches of upper samples, inexact hypergradients, falling accuracies",
            Family::Descent,
            &[
                "iterations",
                "optimiser",
                "rate",
                "adam_eps",
                "adam_eps_root",
                "batch",
                "accuracy",
                "accuracy_power",
                "step_power",
            ],
        ),
        own(
            "pbgd",
            "descent on the value-function penalty, which grows; first-order only",
            Family::SmallSteps,
            &[
                "iterations",
                "step",
                "stages",
                "penalty",
                "growth",
                "steps",
                "inner_steps",
                "batch",
            ],
        ),
        own(
            "f2sa",
            "directions from two penalised inner solutions; first-order only",
            Family::SmallSteps,
            &[
                "iterations",
                "rate",
                "step",
                "penalty",
                "growth",
                "steps",
                "inner_steps",
                "batch",
            ],
        ),
        own(
            "bome",
            "descent that keeps the value-function gap falling; first-order only",
            Family::SmallSteps,
            &[
                "iterations",
                "rate",
                "step",
                "steps",
                "inner_steps",
                "batch",
            ],
        ),
        own(
            "stochastic-aid",
            "the stochastic AID loop: mini-batches, K steps on the linear system",
            Family::SmallSteps,
            &[
                "iterations",
                "rate",
                "step",
                "steps",
                "inner_steps",
                "batch",
            ],
        ),
        own(
            "soba",
            "mini-batches: y, v and x move at once, steps fall like 1/sqrt(t)",
            Family::SmallSteps,
            &["iterations", "rate", "step", "steps", "batch"],
        ),
        own(
            "saba",
            "soba with the variance reduction of SAGA, on single samples",
            Family::SmallSteps,
            &["iterations", "rate", "step", "steps", "batch"],
        ),
        own(
            "fsla",
            "soba with a running mean of the directions of x",
            Family::SmallSteps,
            &["iterations", "rate", "step", "steps", "batch"],
        ),
        own(
            "amigo",
            "mini-batches: several warm steps on y, then on the linear system",
            Family::SmallSteps,
            &[
                "iterations",
                "rate",
                "step",
                "steps",
                "inner_steps",
                "batch",
            ],
        ),
        own(
            "stocbio",
            "mini-batches: warm steps on y, then a Neumann series",
            Family::SmallSteps,
            &[
                "iterations",
                "rate",
                "step",
                "steps",
                "inner_steps",
                "batch",
            ],
        ),
        own(
            "bsa",
            "mini-batches: warm steps on y, then a Neumann series cut at random",
            Family::SmallSteps,
            &[
                "iterations",
                "rate",
                "step",
                "steps",
                "inner_steps",
                "batch",
            ],
        ),
        own(
            "ttsa",
            "bsa with one step on y",
            Family::SmallSteps,
            &[
                "iterations",
                "rate",
                "step",
                "steps",
                "inner_steps",
                "batch",
            ],
        ),
    ]);
    all
}

/// Descent along the hypergradients of a strategy.
fn descent(strategy: catalogue::Entry<dyn Strategy<f64>>) -> Option<Named> {
    let of_x = [
        "iterations",
        "optimiser",
        "rate",
        "adam_eps",
        "adam_eps_root",
        "warm_start",
    ];
    let descent = strategy.descent?;
    let name = strategy.rows.first()?.name;
    Some(Named {
        pattern: strategy.pattern,
        row: Entry {
            name,
            about: descent.about,
        },
        family: Family::Descent,
        accepts: [&of_x, &descent.accepts[..]].concat(),
    })
}

/// The method of this name, if there is one.
pub fn find(name: &str) -> Option<Named> {
    all().into_iter().find(|m| rest(m.pattern, name).is_some())
}

/// The method of this name for a task.
///
/// # Errors
/// If there is none, or the settings do not fit it: one line.
pub fn method<T: Real>(
    name: &str,
    task: &Task<T>,
    settings: &SolveSettings,
) -> Result<Box<dyn Method<T>>, String> {
    let Some(named) = find(name) else {
        let rows: Vec<Entry> = all().into_iter().map(|m| m.row).collect();
        return Err(unknown("method", name, &rows));
    };
    let given = settings.method.only(&named.accepts);
    let settings = &SolveSettings {
        method: given.clone(),
        ..*settings
    };
    if let Some(method) = inexact::method(name, task, settings, optimiser(&given)) {
        return Ok(method);
    }
    if let Some(method) = stepwise::method(name, task, settings) {
        return Ok(method);
    }
    if named.family == Family::Ascent {
        let (stages, each) = (given.stages(), given.stage_iterations());
        let Some(total) = stages.checked_mul(each) else {
            return Err(format!(
                "stages {stages} of {each} stage-iterations: expected fewer than 2^{} in all",
                usize::BITS
            ));
        };
        let gda = Gda::new(stages, each, optimiser(&given))
            .penalty(given.penalty(), given.growth())
            .sampling(settings.sampling(None))
            .report_every(total.div_ceil(given.iterations()).max(1))
            .constraint(Constraint::from(task.bounds));
        return Ok(Box::new(gda));
    }
    let strategy = catalogue::strategy::<T>(name, &given)?;
    let descent = Descent::new(strategy, optimiser(&given), given.iterations())
        .warm_start(given.warm_start())
        .warm_linear(given.warm_start())
        .constraint(Constraint::from(task.bounds));
    Ok(Box::new(descent))
}

/// How x moves.
fn optimiser(settings: &Settings) -> Optimiser {
    let rate = settings.rate();
    let adam = |decay| Optimiser::AdamWith {
        rate,
        decay,
        eps: settings.adam_eps(),
        eps_root: settings.adam_eps_root(),
    };
    match settings.optimiser() {
        OuterRule::Gd => Optimiser::GradientDescent { rate },
        OuterRule::Momentum => Optimiser::Momentum {
            rate,
            momentum: 0.9,
        },
        OuterRule::Adagrad => Optimiser::Adagrad { rate },
        OuterRule::Adam => adam(0.0),
        OuterRule::AdamW => adam(0.01),
    }
}

#[cfg(test)]
mod tests {
    use solvers::catalogue::{Kind, SETTINGS, Value};

    use super::*;
    use crate::catalogue::problems::{self, Source};

    /// A value that no setting has here unless it is given.
    fn unusual(kind: Kind) -> Value {
        match kind {
            Kind::Count => Value::Count(7),
            Kind::Positive | Kind::FromZero => Value::Number(0.625),
            Kind::YesNo | Kind::Flag => Value::YesNo(true),
            Kind::Outer => Value::Outer(OuterRule::Adagrad),
            Kind::Inner => Value::Inner("momentum:0.5".parse().expect("a step")),
        }
    }

    #[test]
    fn what_a_method_takes_makes_another_method() {
        let task = problems::named::<f64>("ridge-prior", &Source::default());
        let task = task.expect("a problem of the catalogue");
        let adam = Settings {
            optimiser: Some(OuterRule::Adam),
            ..Settings::NONE
        };
        for named in all() {
            let name = named.row.name;
            let made = |given: Settings| {
                let settings = SolveSettings::of("ridge-prior", name, given);
                let method = method(name, &task, &settings).expect("settings that fit");
                format!("{method:?}")
            };
            for setting in SETTINGS.iter().filter(|s| named.accepts.contains(&s.key)) {
                let mut given = adam.clone();
                given.set(setting.key, unusual(setting.kind));
                assert_ne!(made(given), made(adam.clone()), "{name}: {}", setting.key);
            }
        }
    }
}
