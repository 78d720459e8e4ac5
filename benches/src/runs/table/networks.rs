//! Small networks: baselines and methods, each judged by the same training at the x that it came to.

use std::sync::Arc;

use autodiff::Real;
use models::data::digits_classes;
use models::{FewShot, Stages, Task, few_shot, learning_rates, mlp};
use nalgebra::DVector;
use serde_json::{Map, Value};
use solvers::catalogue::Settings;
use solvers::linear::Cg;
use solvers::{Aid, Descent, Itd, LowerCurvature, LowerSolve, Method, Optimiser, Strategy};

use super::to_end::to_end;
use super::{Kind, Record, values};
use crate::catalogue::methods::method;
use crate::catalogue::settings::SolveSettings;

/// What x is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// A weight decay for each layer of a 64-32-10 network.
    Decay,
    /// Its learning rates by stage and layer.
    Rates,
    /// A representation for five-way tasks of so many shots.
    FewShot {
        /// Images of each class that a head is fitted to.
        shots: usize,
    },
}

/// Units of the hidden layer.
const HIDDEN: [usize; 1] = [32];
/// Steps of a training.
const DEPTH: usize = 100;

impl Model {
    fn task<T: Real>(self, seed: u64) -> Result<Task<T>, String> {
        let task = match self {
            Model::Decay => mlp(&digits_classes(seed), &HIDDEN, seed),
            Model::Rates => learning_rates(&digits_classes(seed), &HIDDEN, Stages::default(), seed),
            Model::FewShot { shots } => Ok(few_shot(FewShot {
                shots,
                ..FewShot::new(seed)
            })),
        };
        task.map_err(|e| e.to_string())
    }

    /// The methods that take it.
    fn methods(self) -> &'static [&'static str] {
        match self {
            // x is in the steps: whatever needs ∇_y g = 0 or the penalty of g refuses it.
            Model::Rates => &["itd"],
            Model::Decay => &["itd", "bda", AID, GAUSS_NEWTON, "gda"],
            Model::FewShot { .. } => &["itd", "bda", AID, "gda"],
        }
    }

    /// What a method is given beside the problem's defaults: chosen on seeds from 100 on.
    fn given(self, name: &str) -> Settings {
        if name == "gda" {
            let (iterations, rate) = match self {
                // Three times as long is better on those seeds, and runs away on one of the first ten.
                Model::FewShot { .. } => (2000, Some(0.001)),
                _ => (1000, None),
            };
            return Settings {
                iterations: Some(iterations),
                stage_iterations: Some(iterations / 5),
                rate,
                ..Settings::NONE
            };
        }
        let (iterations, rate) = match self {
            Model::Decay => (15, 0.4),
            Model::Rates => (40, 0.1),
            Model::FewShot { .. } => (40, 0.02),
        };
        Settings {
            iterations: Some(iterations),
            rate: Some(rate),
            depth: matches!(name, "itd" | "bda").then_some(DEPTH),
            ..Settings::NONE
        }
    }

    /// What is searched in by hand: the entries of x that are moved together, and by how much.
    fn grid(self, dim_x: usize) -> (std::ops::Range<usize>, &'static [f64]) {
        match self {
            Model::Decay => (0..dim_x, &[-4.0, -3.0, -2.0, -1.0, 1.0]),
            Model::Rates => (0..dim_x, &[-0.7, 0.7, 1.4, 2.1, 2.8]),
            // The ridge.
            Model::FewShot { .. } => (dim_x - 2..dim_x - 1, &[-4.0, -2.0, -1.0, 1.0, 2.0]),
        }
    }

    /// What x is worth: the upper objective and the accuracy on what is kept apart, at the end of the same
    /// training for all.
    fn judged<T: Real>(self, task: &Task<T>, x: &DVector<T>) -> Result<Map<String, Value>, String> {
        let strategy: Box<dyn Strategy<T>> = match self {
            Model::Rates => Box::new(Itd::reverse(DEPTH)),
            Model::Decay => Box::new(stationary()),
            Model::FewShot { .. } => Box::new(Aid::cg()),
        };
        let estimate = strategy.hypergradient(&task.bilevel, x, &mut task.bilevel.workspace());
        let estimate = estimate.map_err(|e| e.to_string())?;
        let mut judged = values([("validation_loss", estimate.upper)]);
        let measured = match &task.held_out {
            Some(held) => (&held.metrics, held.solution(x)),
            None => (&task.metrics, estimate.y),
        };
        let (metrics, y) = measured;
        for metric in metrics {
            judged.insert(metric.name.into(), (metric.measure)(x, &y).into());
        }
        Ok(judged)
    }
}

/// Implicit differentiation at a minimiser of a network that L-BFGS goes down to.
const AID: &str = "aid-cg";
/// ‖∇_y g‖ at which L-BFGS ends, and its most iterations.
const LBFGS: (f64, usize) = (1e-4, 1000);

/// The same with Gauss–Newton's matrix, which the decay makes definite, in the Hessian's place.
const GAUSS_NEWTON: &str = "aid-cg, gauss-newton";

fn stationary() -> Aid<Cg> {
    Aid::cg().lower(LowerSolve::Lbfgs {
        tolerance: Some(LBFGS.0),
        limit: Some(LBFGS.1),
    })
}

/// The rows of one seed.
pub(super) fn run<T: Real>(model: Model, seed: u64) -> Result<Vec<Record>, String> {
    let task = model.task::<T>(seed)?;
    let record = |name: &str, kind, values| Record {
        task: task.name,
        case: String::new(),
        method: name.to_owned(),
        kind,
        values,
        seed,
        status: "measured".into(),
        message: String::new(),
        success: true,
    };
    let start = model.judged(&task, &task.x)?;
    let (entries, moves) = model.grid(task.x.len());
    let mut best = start.clone();
    for moved in moves {
        let mut x = task.x.clone();
        let mut moving = x.rows_mut(entries.start, entries.len());
        moving.add_scalar_mut(T::of(*moved));
        let judged = model.judged(&task, &x)?;
        let loss = |judged: &Map<String, Value>| judged["validation_loss"].as_f64();
        if loss(&judged).is_some_and(|l| loss(&best).is_none_or(|b| l < b)) {
            best = judged;
        }
    }
    let mut records = vec![
        record("start", Kind::Baseline, start),
        record("one number by grid", Kind::Baseline, best),
    ];
    for name in model.methods() {
        let settings = SolveSettings {
            seed,
            ..SolveSettings::of(task.name, name, model.given(name))
        };
        let made = match (model, *name) {
            (Model::Decay, AID) => by_lbfgs(stationary(), &settings),
            (Model::Decay, GAUSS_NEWTON) => {
                let curvature = LowerCurvature::GaussNewton { damping: 0.0 };
                by_lbfgs(stationary().curvature(curvature), &settings)
            }
            _ => method::<T>(name, &task, &settings)?,
        };
        records.push(of_method(&*made, (model, name), &task, seed)?);
    }
    Ok(records)
}

/// Descent along implicit hypergradients at what L-BFGS goes down to from the last y.
fn by_lbfgs<T: Real>(aid: Aid<Cg>, settings: &SolveSettings) -> Arc<dyn Method<T>> {
    let rate = settings.method.rate();
    let iterations = settings.method.iterations();
    let descent = Descent::new(aid, Optimiser::Adam { rate }, iterations);
    Arc::new(descent.warm_start(true))
}

fn of_method<T: Real>(
    method: &dyn Method<T>,
    (model, name): (Model, &str),
    task: &Task<T>,
    seed: u64,
) -> Result<Record, String> {
    let ended = to_end(method, task)?;
    let worth = model.judged(task, &ended.x)?;
    Ok(ended.record((task.name, String::new()), name, worth, seed))
}
