//! The one-sample-swap experiment: how far two runs drift apart whose validation sets differ in one
//! sample.

use autodiff::Real;
use models::{MOST_SELECTING, Task, data_selection, stability};
use nalgebra::DVector;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rayon::prelude::*;
use serde::Serialize;
use solvers::sampling::Sampling;
use solvers::{Constraint, Method, Outer, Schedule, StochasticAid};

use super::flatness::Flatness;
use super::spread::Spread;

/// Problems of the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Toy {
    /// The point that ridge regression tends to.
    RidgePrior,
    /// A near-orthogonal 10 x 10 map: the published toy.
    OrthogonalMap,
    /// Weights of digits of which half have labels drawn at random.
    DataSelection,
}

impl Toy {
    /// The problem's name.
    pub fn name(self) -> &'static str {
        match self {
            Toy::RidgePrior => stability::RIDGE_PRIOR.row.name,
            Toy::OrthogonalMap => stability::ORTHOGONAL_MAP.row.name,
            Toy::DataSelection => "data-selection",
        }
    }

    /// The most validation samples that it can have.
    pub fn most(self) -> usize {
        match self {
            Toy::RidgePrior | Toy::OrthogonalMap => usize::MAX,
            Toy::DataSelection => MOST_SELECTING,
        }
    }

    fn task<T: Real>(self, n: usize, seed: u64, swapped: Option<usize>) -> Task<T> {
        match self {
            Toy::RidgePrior => stability::ridge_prior(n, seed, swapped),
            Toy::OrthogonalMap => stability::orthogonal_map(n, seed, swapped),
            Toy::DataSelection => data_selection(n, seed, swapped),
        }
    }

    /// The lengths of steps on y and on the linear system.
    fn inner_lengths(self) -> (f64, f64) {
        match self {
            Toy::RidgePrior => (0.1, 0.2),
            Toy::OrthogonalMap | Toy::DataSelection => (0.05, 0.01),
        }
    }
}

/// What the two runs of a pair have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Experiment {
    /// The problem.
    pub toy: Toy,
    /// T, steps.
    pub steps: usize,
    /// K, steps on the linear system within each.
    pub inner: usize,
}

/// A pair of runs on the same indices.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The problem's name.
    pub problem: &'static str,
    /// The schedule of η_x.
    pub schedule: String,
    /// Validation samples.
    pub n: usize,
    /// Seed of the data, of the swap and of the draws.
    pub seed: u64,
    /// ‖x_T − x'_T‖.
    pub distance: f64,
    /// n ‖x_T − x'_T‖.
    pub n_distance: f64,
    /// F(x_T, y_T) on test samples.
    pub test_loss: f64,
    /// F(x_T, y_T) on the validation samples that x was trained on.
    pub train_loss: f64,
    /// The difference of the two: test less train.
    pub train_gap: f64,
    /// The accuracy on test samples in percent, of problems with classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// How the runs ended, in a word.
    pub status: &'static str,
    /// The status in a sentence.
    #[serde(skip)]
    pub message: String,
    /// Whether both runs ended well.
    #[serde(skip)]
    pub success: bool,
}

/// One record for each schedule, number of samples and seed, in this order.
///
/// # Panics
/// If there are more samples than the problem can [have](Toy::most).
pub fn run<T: Real>(
    experiment: Experiment,
    schedules: &[Schedule],
    samples: &[usize],
    seeds: &[u64],
    done: impl Fn() + Sync,
) -> Vec<Record> {
    let cases: Vec<(Schedule, usize, u64)> = schedules
        .iter()
        .flat_map(|s| samples.iter().map(move |n| (*s, *n)))
        .flat_map(|(s, n)| seeds.iter().map(move |seed| (s, n, *seed)))
        .collect();
    cases
        .into_par_iter()
        .map(|(schedule, n, seed)| {
            let record = pair::<T>(experiment, schedule, n, seed);
            done();
            record
        })
        .collect()
}

fn pair<T: Real>(experiment: Experiment, schedule: Schedule, n: usize, seed: u64) -> Record {
    let toy = experiment.toy;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(u32::MAX));
    let swapped = (rng.next_u64() % n as u64) as usize;
    let [this, other] = [None, Some(swapped)].map(|swapped| {
        let problem = toy.task::<T>(n, seed, swapped);
        let end = solve(&problem, experiment, schedule, seed);
        (problem, end)
    });
    let (problem, end) = this;
    let other = other.1;
    let (at, status) = ([end.x.as_slice(), end.y.as_slice()], &end.status);
    let train_loss = problem.bilevel.upper().point().value(&at).f64();
    let test_loss = (problem.metrics[0].measure)(&end.x, &end.y);
    let test_accuracy = problem.metrics.get(1).map(|m| (m.measure)(&end.x, &end.y));
    let distance = (&end.x - &other.x).norm().f64();
    let status = if status.is_success() {
        &other.status
    } else {
        status
    };
    Record {
        problem: toy.name(),
        schedule: schedule.to_string(),
        n,
        seed,
        distance,
        n_distance: n as f64 * distance,
        test_loss,
        train_loss,
        train_gap: test_loss - train_loss,
        test_accuracy,
        status: status.code(),
        message: status.to_string(),
        success: status.is_success(),
    }
}

struct End<T: Real> {
    x: DVector<T>,
    y: DVector<T>,
    status: solvers::Status,
}

/// A run; its draws depend on the seed alone, so those of two problems are the same.
fn solve<T: Real>(
    problem: &Task<T>,
    experiment: Experiment,
    schedule: Schedule,
    seed: u64,
) -> End<T> {
    let (y, z) = experiment.toy.inner_lengths();
    let rule = StochasticAid {
        inner: experiment.inner,
        x: schedule.into(),
        y: y.into(),
        z,
        averaging: 0.9,
    };
    let held = problem
        .bounds
        .map(|(low, high)| Constraint::Box { low, high });
    let method = Outer::new(rule, experiment.steps)
        .sampling(Sampling::new(seed))
        .report_every(experiment.steps)
        .constraint(held.unwrap_or(Constraint::None));
    let mut run = method
        .begin(&problem.bilevel, problem.x.clone())
        .expect("settings that were checked");
    let progress = run.step().expect("one report of all steps");
    End {
        x: run.x().clone(),
        y: run.y().clone(),
        status: progress.status,
    }
}

/// The records of one schedule and number of samples, over the seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The schedule.
    pub schedule: String,
    /// Validation samples.
    pub n: usize,
    /// Seeds that ended well.
    pub seeds: usize,
    /// n · distance.
    pub n_distance: Spread,
    /// Test less train loss.
    pub train_gap: Spread,
}

/// Sums up records over seeds, in their order; runs that did not end well are left out.
pub fn summarise(records: &[Record]) -> Vec<Summary> {
    let mut groups: Vec<(&str, usize, Vec<&Record>)> = Vec::new();
    for r in records {
        let same = |g: &&mut (&str, usize, Vec<&Record>)| g.0 == r.schedule && g.1 == r.n;
        match groups.iter_mut().find(same) {
            Some(group) => group.2.push(r),
            None => groups.push((&r.schedule, r.n, vec![r])),
        }
    }
    let summary = |(schedule, n, records): (&str, usize, Vec<&Record>)| {
        let good: Vec<&Record> = records.into_iter().filter(|r| r.success).collect();
        let spread =
            |of: fn(&Record) -> f64| Spread::of(&good.iter().map(|r| of(r)).collect::<Vec<f64>>());
        Summary {
            schedule: schedule.to_owned(),
            n,
            seeds: good.len(),
            n_distance: spread(|r| r.n_distance),
            train_gap: spread(|r| r.train_gap),
        }
    };
    groups.into_iter().map(summary).collect()
}

/// A law with what was measured of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Law {
    /// The law.
    pub text: String,
    /// The numbers.
    pub value: String,
    /// Whether they follow it.
    pub holds: bool,
}

/// The laws of uniform stability on these summaries: n · distance is flat in n, and a smaller step
/// is more stable than a larger.
///
/// Flat is said as by [`Flatness`], of the means at every n. Schedules are compared by their means
/// over all n, in the order of the sums of their `steps` steps.
pub fn laws(summaries: &[Summary], schedules: &[Schedule], steps: usize) -> Vec<Law> {
    let of = |s: &Schedule| {
        let name = s.to_string();
        let rows = summaries.iter().filter(move |r| r.schedule == name);
        rows.collect::<Vec<&Summary>>()
    };
    let mut laws = Vec::new();
    for schedule in schedules {
        let rows = of(schedule);
        let means: Vec<(usize, Spread)> = rows.iter().map(|r| (r.n, r.n_distance)).collect();
        let Some(fit) = Flatness::of(&means) else {
            continue;
        };
        let (n, far) = fit.farthest;
        laws.push(Law {
            text: format!("{schedule}: n times the distance is flat in n"),
            value: format!(
                "it goes as n to the {:.2} ± {:.2} over {} numbers of samples; the farthest from \
                 their level {:.3} is {:.3} ± {:.3}, at n = {n}",
                fit.slope,
                fit.error,
                rows.len(),
                fit.level,
                far.mean,
                far.error
            ),
            holds: fit.holds(),
        });
    }
    let total = |s: &Schedule| (0..steps).map(|t| s.at(t)).sum::<f64>();
    let mean = |s: &Schedule| {
        let rows = of(s);
        rows.iter().map(|r| r.n_distance.mean).sum::<f64>() / rows.len() as f64
    };
    let mut ordered: Vec<(f64, String, f64)> = schedules
        .iter()
        .map(|s| (total(s), s.to_string(), mean(s)))
        .collect();
    ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
    for pair in ordered.windows(2).filter(|p| p[0].0 < p[1].0) {
        laws.push(Law {
            text: format!("{} is more stable than {}", pair[0].1, pair[1].1),
            value: format!(
                "n times the distance {:.3} against {:.3}",
                pair[0].2, pair[1].2
            ),
            holds: pair[0].2 < pair[1].2,
        });
    }
    laws
}
