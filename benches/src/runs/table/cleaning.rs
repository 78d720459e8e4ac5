//! Hyper-cleaning: baselines and methods, with what a step of x costs.

use std::path::Path;
use std::sync::Arc;

use autodiff::Real;
use autodiff::unroll::Memory;
use models::data::{self, Samples, Splits};
use models::{
    CORRUPTION, HYPER_CLEANING, HyperCleaning, MLP_CLEANING, Task, hyper_cleaning, mlp_cleaning,
};
use nalgebra::DVector;
use solvers::catalogue::{Family, Settings};
use solvers::linear::Cg;
use solvers::{
    Aid, Descent, InnerStep, Itd, LowerCurvature, LowerSolve, Method, Optimiser, Status, Strategy,
};
use study::solve;

use super::{Kind, Record, values};
use crate::catalogue::methods::{self, method};
use crate::catalogue::settings::SolveSettings;
use crate::catalogue::subject;

/// What is trained on the weighted samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Model<'a> {
    /// Linear softmax.
    Linear,
    /// A network with 32 hidden units.
    Network,
    /// A network on samples of the user's.
    Own(&'a Own),
}

/// Samples of the user's.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// All of them, their labels classes from 0 on.
    samples: Samples,
    classes: u8,
    /// How many are for training, validation and the test.
    sizes: [usize; 3],
    /// Units of the hidden layer.
    hidden: usize,
}

/// The part of the user's training labels that is made wrong.
const HALF: f64 = 0.5;
/// Steps of a training of their network.
const TRAINING: usize = 300;
/// Units of the hidden layer unless told otherwise.
const HIDDEN: usize = 300;

/// Methods; steps of `gda` are small, and as many as it makes unless told otherwise.
const METHODS: [&str; 3] = ["itd", "bda", "gda"];
/// Implicit differentiation at the end of the same steps as `itd` takes, by Gauss–Newton's matrix: there
/// the Hessian is not definite.
const GAUSS_NEWTON: &str = "aid-cg, gauss-newton";
/// Its damping, of the size of the weights' penalty.
const DAMPING: f64 = 1e-2;
/// σ of it is 1 to rounding: every sample counts in full.
const KEPT: f64 = 40.0;

impl Own {
    /// Reads samples of classes, whatever splits the file has. A quarter is for training, a quarter for
    /// validation and the rest for the test unless `sizes` says otherwise.
    ///
    /// # Errors
    /// If the file cannot be read, or has too few samples or too many classes: one line.
    pub fn read(
        path: &Path,
        sizes: Option<[usize; 3]>,
        hidden: Option<usize>,
    ) -> Result<Self, String> {
        let splits = data::load(path, 0).map_err(|e| e.to_string())?;
        let (splits, classes) = splits.into_classes().map_err(|e| e.to_string())?;
        let name = path.display();
        let Splits {
            train, valid, test, ..
        } = splits;
        let samples = train.and(&valid);
        let samples = test.map_or(samples.clone(), |test| samples.and(&test));
        let (n, quarter) = (samples.len(), samples.len() / 4);
        let sizes = sizes.unwrap_or([quarter, quarter, n - 2 * quarter]);
        if sizes.contains(&0) || sizes.iter().sum::<usize>() > n {
            return Err(format!(
                "{name}: {n} samples, of which {sizes:?} for training, validation and test: expected at \
                 least one for each, and no more in all"
            ));
        }
        let classes = u8::try_from(classes)
            .map_err(|_| format!("{name}: {classes} classes: expected at most {}", u8::MAX))?;
        Ok(Own {
            samples,
            classes,
            sizes,
            hidden: hidden.unwrap_or(HIDDEN),
        })
    }
}

impl Model<'_> {
    fn name(self) -> &'static str {
        match self {
            Model::Linear => HYPER_CLEANING.row.name,
            Model::Network | Model::Own(_) => MLP_CLEANING.row.name,
        }
    }

    /// The samples of a seed, with the usual part of wrong labels or with none, and which are wrong.
    fn drawn(self, wrong: bool, seed: u64) -> (Splits, Vec<bool>) {
        let share = |usual| if wrong { usual } else { 0.0 };
        match self {
            Model::Own(own) => {
                data::cleaning(&own.samples, own.sizes, own.classes, share(HALF), seed)
            }
            _ => data::digits_cleaning(seed, share(CORRUPTION)),
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
            Model::Own(own) => mlp_cleaning(&splits, corrupted, &[own.hidden], seed),
        };
        task.map_err(|e| e.to_string())
    }

    /// The training that samples are judged by.
    fn training(self, depth: usize) -> Itd {
        match self {
            // Longer than methods could differentiate; nobody asks for the derivative.
            Model::Own(_) => Itd::reverse(TRAINING).memory(Memory::Truncated { steps: 1 }),
            _ => Itd::reverse(depth),
        }
    }

    fn methods(self) -> Vec<&'static str> {
        let of_networks = (self != Model::Linear).then_some(GAUSS_NEWTON);
        METHODS.into_iter().chain(of_networks).collect()
    }

    fn given(self, family: Family) -> Settings {
        match self {
            Model::Linear => Settings {
                iterations: (family != Family::Ascent).then_some(100),
                rate: (family != Family::Ascent).then_some(0.1),
                depth: Some(100),
                ..Settings::NONE
            },
            // With 20, as a problem that is to be quick has, they were far from done on seeds from 100 on.
            Model::Network => Settings {
                iterations: (family != Family::Ascent).then_some(100),
                ..Settings::NONE
            },
            // As far as some minutes let them come on thousands of samples.
            Model::Own(_) => Settings {
                iterations: Some(if family == Family::Ascent { 600 } else { 30 }),
                stage_iterations: (family == Family::Ascent).then_some(120),
                rate: (family != Family::Ascent).then_some(1.0),
                depth: Some(20),
                ..Settings::NONE
            },
        }
    }
}

/// The rows of one seed.
pub(super) fn run<T: Real>(model: Model<'_>, seed: u64) -> Result<Vec<Record>, String> {
    let (splits, corrupted) = model.drawn(true, seed);
    let (clean, _) = model.drawn(false, seed);
    let on = |train: Samples| Splits {
        train,
        ..splits.clone()
    };
    let right = |marks: &[bool]| Vec::from_iter((0..marks.len()).filter(|i| !marks[*i]));
    let judges = &splits.valid;
    let unspoilt = splits.train.subset(&right(&corrupted));
    let mut records = Vec::new();
    // The methods start from the first of them, with half of each weight; their steps would be too
    // long for noisy samples at full weight.
    for (name, kind, weight, splits) in [
        ("noisy", Kind::Baseline, 0.0, splits.clone()),
        ("validation-only", Kind::Baseline, KEPT, on(judges.clone())),
        ("right samples", Kind::Bound, KEPT, on(unspoilt.clone())),
        (
            "right samples + validation",
            Kind::Bound,
            KEPT,
            on(unspoilt.and(judges)),
        ),
        ("clean", Kind::Bound, KEPT, clean),
    ] {
        let record = baseline::<T>(model, name, weight, splits, seed)?;
        records.push(Record { kind, ..record });
    }
    let problem = model.task::<T>(splits.clone(), Some(corrupted.clone()), seed)?;
    for name in model.methods() {
        let (record, x) = of_method(model, &problem, name, seed)?;
        // What is kept is for training, and so are the samples that judged it.
        let marks = Vec::from_iter(x.iter().map(|x| *x < 0.0));
        let kept = splits.train.subset(&right(&marks)).and(judges);
        let name = format!("{name}: kept + validation");
        let mut again = baseline::<T>(model, &name, KEPT, on(kept), seed)?;
        let count = right(&marks).len();
        let true_ones = right(&marks).iter().filter(|i| !corrupted[**i]).count();
        let share = 100.0 * true_ones as f64 / count as f64;
        again
            .values
            .extend(values([("kept", count as f64), ("kept_right", share)]));
        records.push(record);
        records.push(Record {
            kind: Kind::Method,
            ..again
        });
    }
    Ok(records)
}

/// The training of `itd`, or a longer one, every sample at the weight σ(x).
fn baseline<T: Real>(
    model: Model<'_>,
    name: &str,
    x: f64,
    splits: Splits,
    seed: u64,
) -> Result<Record, String> {
    let settings = SolveSettings::of(model.name(), "itd", model.given(Family::Descent));
    let problem = model.task::<T>(splits, None, seed)?;
    let itd = model.training(settings.method.depth());
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
        // What is measured is y: a derivative that grows through the loop is nobody's here.
        success: estimate.status.is_success()
            || matches!(estimate.status, Status::CotangentGrew { .. }),
    })
}

fn of_method<T: Real>(
    model: Model<'_>,
    problem: &Task<T>,
    name: &str,
    seed: u64,
) -> Result<(Record, Vec<f64>), String> {
    let family = methods::find(name).map(|m| m.family).unwrap_or_default();
    let settings = SolveSettings {
        seed,
        ..SolveSettings::of(model.name(), name, model.given(family))
    };
    let method = match name {
        GAUSS_NEWTON => at_the_same_steps(&settings.method),
        _ => method::<T>(name, problem, &settings)?,
    };
    let outcome = solve::run(&subject(problem), name, &*method).map_err(|e| e.to_string())?;
    let last = outcome.records.last().ok_or("no iteration")?;
    let steps = last.iteration as f64;
    let metric = |name: &str| last.metric(name).unwrap_or(f64::NAN);
    let failure = outcome.so_far.failure.clone();
    // So many steps end far from a minimiser, and that is told each time; so few of them on a network of
    // the user's anyhow.
    let (told, failure) = match (name, model) {
        (GAUSS_NEWTON, _) | (_, Model::Own(_)) => (failure.is_some(), None),
        _ => (false, failure),
    };
    let record = Record {
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
            ("told", f64::from(u8::from(told))),
        ]),
        seed,
        status: match failure {
            None => last.status.clone(),
            Some(_) => "failed".into(),
        },
        success: failure.is_none(),
        message: failure.unwrap_or_default(),
    };
    Ok((record, outcome.x))
}

/// Descent along implicit hypergradients at what the steps of `itd` come to.
fn at_the_same_steps<T: Real>(settings: &Settings) -> Arc<dyn Method<T>> {
    let lower = LowerSolve::Steps {
        depth: settings.depth(),
        inner: InnerStep::GradientDescent,
        length: settings.length(),
    };
    let curvature = LowerCurvature::GaussNewton { damping: DAMPING };
    let linear = Cg::new().tolerance(1e-3);
    let aid = Aid::with(linear).lower(lower).curvature(curvature);
    let rate = settings.rate();
    Arc::new(Descent::new(
        aid,
        Optimiser::Adam { rate },
        settings.iterations(),
    ))
}
