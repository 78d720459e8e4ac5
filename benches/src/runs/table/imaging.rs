//! Stochastic inexact descent against an adaptive deterministic method, at equal computations.

use autodiff::Real;
use models::{
    Filters, HeldOut, Images, Photographs, Task, foe_denoising, tv_deblurring, tv_denoising_on,
};
use nalgebra::{DMatrix, DVector};
use solvers::sampling::{DrawRule, Sampling};
use solvers::{Hoag, Isgd, Maid, Method, Schedule};

use super::claims::{Claimed, above_0, cases, differences, methods as rows};
use super::spent::spent;
use super::{Kind, Record, Table, values};

/// What is learned, of which images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Model<'a> {
    /// Total variation of images with noise.
    Noisy,
    /// The same of images that are blurred too.
    Blurred,
    /// Ten filters of 7 × 7 on images with noise: those given, or the embedded ones, whole.
    Experts(&'a [DMatrix<f64>]),
}

/// More steps than any budget lets a method make.
const STEPS: usize = 1_000_000;
/// Powers of steps and accuracies that fall.
const POWER: (f64, f64) = (0.6, 0.75);
/// The first row of `isgd`, whose steps and accuracies fall, and that of a fixed accuracy.
const ISGD: [&str; 2] = ["isgd", "isgd, accuracy fixed"];

/// The lengths of `isgd`.
struct Lengths {
    /// Of steps that are kept, and the first of those that fall.
    steps: (f64, f64),
    /// The accuracy that is kept, or that falls from here.
    accuracy: f64,
}

impl Model<'_> {
    fn table(self) -> Table {
        match self {
            Model::Noisy => Table::Denoising,
            Model::Blurred => Table::Deblurring,
            Model::Experts(_) => Table::Foe,
        }
    }

    fn task<T: Real>(self, seed: u64) -> Task<T> {
        match self {
            Model::Noisy => tv_denoising_on(&Photographs::tiled(seed)),
            Model::Blurred => tv_deblurring(&Photographs::tiled(seed)),
            Model::Experts([]) => {
                foe_denoising(&Photographs::whole(seed), Filters::published(seed))
            }
            Model::Experts(clean) => {
                let train = (2 * clean.len()).div_ceil(3);
                let clean = clean.to_vec();
                let images = Images::Own { clean, train, seed };
                foe_denoising(images, Filters::published(seed))
            }
        }
    }

    fn lengths(self, pixels: usize) -> Lengths {
        match self {
            Model::Noisy | Model::Blurred => Lengths {
                steps: (0.03, 0.2),
                accuracy: 0.1,
            },
            // Chosen on seeds from 100 on; F is a sum over pixels.
            Model::Experts(_) => {
                let length = 0.1 * 1024.0 / pixels as f64;
                Lengths {
                    steps: (length, length),
                    accuracy: 0.3,
                }
            }
        }
    }

    /// The methods, and whether they take all samples at once: of `isgd`, steps and accuracies that
    /// fall or stay.
    fn methods<T: Real>(
        self,
        pixels: usize,
        seed: u64,
    ) -> Vec<(&'static str, Box<dyn Method<T>>, bool)> {
        let sampling = Sampling::new(seed).batches(1, 1).rule(DrawRule::Epochs);
        let Lengths { steps, accuracy } = self.lengths(pixels);
        let power = |a, q| Schedule::Power { a, q };
        let (falling_step, falling) = (power(steps.1, POWER.0), power(accuracy, POWER.1));
        let (step, fixed) = (Schedule::Constant(steps.0), Schedule::Constant(accuracy));
        let isgd = |step, accuracy| -> Box<dyn Method<T>> {
            let isgd = Isgd::new(STEPS, 1.0).step(step).accuracy(accuracy);
            Box::new(isgd.sampling(sampling))
        };
        // The Field of Experts states no constants, which `maid` needs.
        let (name, deterministic): (_, Box<dyn Method<T>>) = match self {
            Model::Experts(_) => ("hoag", Box::new(Hoag::new(STEPS))),
            _ => ("maid", Box::new(Maid::new(STEPS).accuracy(accuracy))),
        };
        vec![
            (ISGD[0], isgd(falling_step, falling), false),
            (ISGD[1], isgd(falling_step, fixed), false),
            ("isgd, steps fixed", isgd(step, falling), false),
            ("isgd, both fixed", isgd(step, fixed), false),
            (name, deterministic, true),
        ]
    }
}

/// The rows of one seed: the start, and each method at each budget of computations.
///
/// A computation is an iteration on one sample's lower level or linear system. A sweep of a method
/// that takes all samples at once is one for each of them.
pub(super) fn run<T: Real>(
    model: Model<'_>,
    budgets: &[usize],
    seed: u64,
) -> Result<Vec<Record>, String> {
    let (table, task) = (model.table().name(), model.task::<T>(seed));
    let samples = task.bilevel.blocks();
    let pixels = task.bilevel.dim_y() / samples;
    let judge = Judge::of(&task);
    let mut records = vec![Record {
        task: table,
        case: String::new(),
        method: "start".into(),
        kind: Kind::Baseline,
        values: judge.measure(&task.x, 0, 0),
        seed,
        status: "start".into(),
        message: String::new(),
        success: true,
    }];
    for (label, method, at_once) in model.methods::<T>(pixels, seed) {
        let each = if at_once { samples } else { 1 };
        let ends = spent(&task, &*method, budgets, |progress| {
            let sweeps = progress.oracles.lower;
            each * (sweeps.gradients + sweeps.hvps)
        })?;
        for (budget, end) in budgets.iter().zip(ends) {
            records.push(Record {
                task: table,
                case: case(*budget),
                method: label.to_owned(),
                kind: Kind::Method,
                values: judge.measure(&end.x, end.spent, end.steps),
                seed,
                status: end.status.code().into(),
                message: end.status.to_string(),
                success: end.status.is_success(),
            });
        }
    }
    Ok(records)
}

fn case(budget: usize) -> String {
    format!("{budget} computations")
}

/// Who is ahead early, late, and on images kept apart; and whether a fixed accuracy has a floor. The last
/// row is the deterministic method's.
pub(super) fn claims(records: &[Record]) -> Vec<Claimed> {
    let (cases, rows) = (cases(records), rows(records, Kind::Method));
    // The first case is the start's.
    let budgets = cases.get(1..).unwrap_or_default();
    let (Some(first), Some(last), Some(other)) = (budgets.first(), budgets.last(), rows.last())
    else {
        return Vec::new();
    };
    let [falling, fixed] = ISGD;
    let gains = |case: &str, of, column| differences(records, case, of, column);
    let claim = |text, gains: Vec<f64>| above_0(text, &gains, "dB");
    let mut all = vec![
        claim(
            format!("at {first} {falling} is ahead of {other} on the training images"),
            gains(first, [falling, other], "train_psnr"),
        ),
        claim(
            format!("at {last} {other} is ahead of {falling} on the training images"),
            gains(last, [other, falling], "train_psnr"),
        ),
    ];
    for isgd in rows.iter().filter(|row| *row != other) {
        all.push(claim(
            format!("at {last} {isgd} is ahead of {other} on the images kept apart"),
            gains(last, [isgd, other], "test_psnr"),
        ));
    }
    let gap = gains(last, [other, falling], "gap");
    all.push(claim(
        format!("at {last} {other} loses more from training to other images than {falling}"),
        gap,
    ));
    all.push(claim(
        format!("at {last} {falling} is ahead of {fixed} on the training images"),
        gains(last, [falling, fixed], "train_psnr"),
    ));
    all.into_iter().flatten().collect()
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
