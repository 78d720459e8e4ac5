//! Hyper-cleaning: baselines and methods, with what a step of x costs.

use autodiff::Real;
use models::data::{self, Splits};
use models::{
    CORRUPTION, HYPER_CLEANING, HyperCleaning, MLP_CLEANING, Task, hyper_cleaning, mlp_cleaning,
};
use nalgebra::DVector;
use solvers::catalogue::{Family, Settings};
use solvers::{Itd, Strategy};
use study::solve;

use super::{Kind, Record, values};
use crate::catalogue::methods::{self, method};
use crate::catalogue::settings::SolveSettings;
use crate::catalogue::subject;

/// What is trained on the weighted samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// Linear softmax.
    Linear,
    /// A network with 32 hidden units.
    Network,
}

/// Methods; steps of `gda` are small, and as many as it makes unless told otherwise.
const METHODS: [&str; 3] = ["itd", "bda", "gda"];
/// σ of it is 1 to rounding: every sample counts in full.
const KEPT: f64 = 40.0;

impl Model {
    fn name(self) -> &'static str {
        match self {
            Model::Linear => HYPER_CLEANING.row.name,
            Model::Network => MLP_CLEANING.row.name,
        }
    }

    fn task<T: Real>(
        self,
        splits: Splits,
        corrupted: Option<Vec<bool>>,
        seed: u64,
    ) -> Result<Task<T>, String> {
        let task = match self {
            Model::Linear => hyper_cleaning(splits, corrupted, HyperCleaning::default()),
            Model::Network => mlp_cleaning(&splits, corrupted, &[32], seed),
        };
        task.map_err(|e| e.to_string())
    }

    fn given(self, family: Family) -> Settings {
        match self {
            Model::Linear => Settings {
                iterations: (family != Family::Ascent).then_some(100),
                rate: (family != Family::Ascent).then_some(0.1),
                depth: Some(100),
                ..Settings::NONE
            },
            Model::Network => Settings::NONE,
        }
    }
}

/// The rows of one seed.
pub(super) fn run<T: Real>(model: Model, seed: u64) -> Result<Vec<Record>, String> {
    let (splits, corrupted) = data::digits_cleaning(seed, CORRUPTION);
    let (clean, _) = data::digits_cleaning(seed, 0.0);
    let judges = Splits {
        train: splits.valid.clone(),
        ..splits.clone()
    };
    let mut records = Vec::new();
    // The methods start from the first of them, with half of each weight; their steps would be too
    // long for noisy samples at full weight.
    for (name, kind, weight, splits) in [
        ("noisy", Kind::Baseline, 0.0, splits.clone()),
        ("validation-only", Kind::Baseline, KEPT, judges),
        ("clean", Kind::Bound, KEPT, clean),
    ] {
        let record = baseline::<T>(model, name, weight, splits, seed)?;
        records.push(Record { kind, ..record });
    }
    let problem = model.task::<T>(splits, Some(corrupted), seed)?;
    for name in METHODS {
        records.push(of_method(model, &problem, name, seed)?);
    }
    Ok(records)
}

/// The same training as that of `itd`, every sample at the weight σ(x).
fn baseline<T: Real>(
    model: Model,
    name: &str,
    x: f64,
    splits: Splits,
    seed: u64,
) -> Result<Record, String> {
    let settings = SolveSettings::of(model.name(), "itd", model.given(Family::Descent));
    let problem = model.task::<T>(splits, None, seed)?;
    let itd = Itd::reverse(settings.method.depth());
    let itd = settings.method.step.map_or(itd.clone(), |s| itd.step(s));
    let x = DVector::from_element(problem.bilevel.dim_x(), T::of(x));
    let estimate = itd.hypergradient(&problem.bilevel, &x, &mut problem.bilevel.workspace());
    let estimate = estimate.map_err(|e| e.to_string())?;
    let mut measured = subject(&problem).measure(&x, &estimate.y);
    measured.retain(|name, _| name == "test_accuracy");
    measured.insert("validation_loss".into(), estimate.upper.into());
    Ok(Record {
        task: model.name(),
        case: String::new(),
        method: name.to_owned(),
        kind: Kind::Baseline,
        values: measured,
        seed,
        status: estimate.status.code().into(),
        message: estimate.status.to_string(),
        success: estimate.status.is_success(),
    })
}

fn of_method<T: Real>(
    model: Model,
    problem: &Task<T>,
    name: &str,
    seed: u64,
) -> Result<Record, String> {
    let family = methods::find(name).map(|m| m.family).unwrap_or_default();
    let settings = SolveSettings {
        seed,
        ..SolveSettings::of(model.name(), name, model.given(family))
    };
    let method = method::<T>(name, problem, &settings)?;
    let outcome = solve::run(&subject(problem), name, &*method).map_err(|e| e.to_string())?;
    let last = outcome.records.last().ok_or("no iteration")?;
    let steps = last.iteration as f64;
    let metric = |name: &str| last.metric(name).unwrap_or(f64::NAN);
    let failure = outcome.so_far.failure.clone();
    Ok(Record {
        task: model.name(),
        case: String::new(),
        method: name.to_owned(),
        kind: Kind::Method,
        values: values([
            ("test_accuracy", metric("test_accuracy")),
            ("validation_loss", last.upper),
            ("cleaner_f1", metric("cleaner_f1")),
            ("steps", steps),
            ("gradients_per_step", last.gradients as f64 / steps),
            ("hvps_per_step", last.hvps as f64 / steps),
            ("seconds_per_step", last.seconds / steps),
            ("seconds", last.seconds),
            ("peak_bytes", last.peak_bytes as f64),
        ]),
        seed,
        status: match failure {
            None => last.status.clone(),
            Some(_) => "failed".into(),
        },
        success: failure.is_none(),
        message: failure.unwrap_or_default(),
    })
}
