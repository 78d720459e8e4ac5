//! Stochastic inexact descent against the adaptive deterministic method, at equal computations.

use autodiff::Real;
use models::{HeldOut, Photographs, Task, tv_deblurring, tv_denoising_on};
use nalgebra::DVector;
use solvers::sampling::{DrawRule, Sampling};
use solvers::{Isgd, Maid, Method, Schedule, Status};

use super::{Kind, Record, values};

/// What is seen of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Observed {
    /// The image with noise.
    Noisy,
    /// The image blurred, with noise.
    Blurred,
}

/// More steps than any budget lets a method make.
const STEPS: usize = 1_000_000;
/// Accuracy that is kept, or that falls from here.
const ACCURACY: f64 = 0.1;
/// Length of steps that are kept, and the first of those that fall.
const STEP: (f64, f64) = (0.03, 0.2);
/// Powers of steps and accuracies that fall.
const POWER: (f64, f64) = (0.6, 0.75);

/// The methods, and whether they take all samples at once: of `isgd`, steps and accuracies that fall
/// or stay.
fn methods<T: Real>(seed: u64) -> Vec<(&'static str, Box<dyn Method<T>>, bool)> {
    let sampling = Sampling::new(seed).batches(1, 1).rule(DrawRule::Epochs);
    let falling_step = Schedule::Power {
        a: STEP.1,
        q: POWER.0,
    };
    let falling = Schedule::Power {
        a: ACCURACY,
        q: POWER.1,
    };
    let (step, accuracy) = (Schedule::Constant(STEP.0), Schedule::Constant(ACCURACY));
    let isgd = |step, accuracy| -> Box<dyn Method<T>> {
        let isgd = Isgd::new(STEPS, 1.0).step(step).accuracy(accuracy);
        Box::new(isgd.sampling(sampling))
    };
    vec![
        ("isgd", isgd(falling_step, falling), false),
        ("isgd, accuracy fixed", isgd(falling_step, accuracy), false),
        ("isgd, steps fixed", isgd(step, falling), false),
        ("isgd, both fixed", isgd(step, accuracy), false),
        ("maid", Box::new(Maid::new(STEPS).accuracy(ACCURACY)), true),
    ]
}

/// The rows of one seed: the start, and each method at each budget of computations.
pub(super) fn run<T: Real>(
    observed: Observed,
    budgets: &[usize],
    seed: u64,
) -> Result<Vec<Record>, String> {
    let photographs = Photographs::tiled(seed);
    let (name, problem) = match observed {
        Observed::Noisy => ("denoising", tv_denoising_on::<T>(&photographs)),
        Observed::Blurred => ("deblurring", tv_deblurring::<T>(&photographs)),
    };
    let judge = Judge::of(&problem);
    let mut records = vec![Record {
        task: name,
        case: String::new(),
        method: "start".into(),
        kind: Kind::Baseline,
        values: judge.measure(&problem.x, 0, 0),
        seed,
        status: "start".into(),
        message: String::new(),
        success: true,
    }];
    for (label, method, at_once) in methods::<T>(seed) {
        let ends = spent(&problem, &*method, at_once, budgets)?;
        for (budget, end) in budgets.iter().zip(ends) {
            records.push(Record {
                task: name,
                case: String::new(),
                method: format!("{label} at {budget}"),
                kind: Kind::Method,
                values: judge.measure(&end.x, end.computations, end.steps),
                seed,
                status: end.status.code().into(),
                message: end.status.to_string(),
                success: end.status.is_success(),
            });
        }
    }
    Ok(records)
}

/// Where a method was when its budget was spent.
#[derive(Clone)]
struct End<T: Real> {
    x: DVector<T>,
    computations: usize,
    steps: usize,
    status: Status,
}

/// Runs a method until the last budget is spent: the last point within each of them.
///
/// A computation is an iteration on one sample's lower level or linear system. A sweep of a method
/// that takes all samples `at once` is one for each of them.
fn spent<T: Real>(
    problem: &Task<T>,
    method: &dyn Method<T>,
    at_once: bool,
    budgets: &[usize],
) -> Result<Vec<End<T>>, String> {
    let samples = if at_once { problem.bilevel.blocks() } else { 1 };
    let begun = method.begin(&problem.bilevel, problem.x.clone());
    let mut run = begun.map_err(|e| e.to_string())?;
    let mut end = End {
        x: problem.x.clone(),
        computations: 0,
        steps: 0,
        status: Status::Stepped,
    };
    let mut ends = Vec::new();
    while ends.len() < budgets.len() {
        let Some(progress) = run.step() else { break };
        let sweeps = progress.oracles.lower;
        let computations = samples * (sweeps.gradients + sweeps.hvps);
        while ends.len() < budgets.len() && computations > budgets[ends.len()] {
            ends.push(end.clone());
        }
        end = End {
            x: run.x().clone(),
            computations,
            steps: progress.iteration,
            status: progress.status,
        };
    }
    // It may end before its budget.
    ends.resize(budgets.len(), end);
    Ok(ends)
}

/// Measures x by the solutions of the lower levels.
struct Judge<T: Real> {
    sides: Vec<HeldOut<T>>,
}

impl<T: Real> Judge<T> {
    fn of(problem: &Task<T>) -> Self {
        let train = HeldOut {
            bilevel: problem.bilevel.clone(),
            metrics: problem.metrics.clone(),
        };
        let sides = std::iter::once(train).chain(problem.held_out.clone());
        Judge {
            sides: sides.collect(),
        }
    }

    fn measure(
        &self,
        x: &DVector<T>,
        computations: usize,
        steps: usize,
    ) -> serde_json::Map<String, serde_json::Value> {
        let psnr = |side: &HeldOut<T>| (side.metrics[0].measure)(x, &side.solution(x));
        let (train, test) = (psnr(&self.sides[0]), psnr(&self.sides[1]));
        values([
            ("train_psnr", train),
            ("test_psnr", test),
            ("gap", train - test),
            ("computations", computations as f64),
            ("steps", steps as f64),
        ])
    }
}
