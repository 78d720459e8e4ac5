//! A learned start of a few steps of training.

use std::collections::BTreeMap;

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::catalogue::{Data, Defaults, Entry, Given, Size, make};
use crate::data::{DataError, Labels, Splits};
use crate::gaussian::Gaussian;
use crate::task::Task;

/// The sines of `maml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sines {
    /// Tasks.
    pub tasks: usize,
    /// Points that a network is trained on, and as many that it is judged by.
    pub shots: usize,
    /// Units of each of the two hidden layers.
    pub hidden: usize,
}

impl Default for Sines {
    /// 10 tasks of 10 points, 20 units.
    fn default() -> Self {
        Sines {
            tasks: 10,
            shots: 10,
            hidden: 20,
        }
    }
}

impl Sines {
    /// Entries of a network's parameters: two layers of tanh and one without.
    pub fn parameters(&self) -> usize {
        self.network().parameters()
    }

    fn network(&self) -> Network {
        Network {
            inputs: 1,
            hidden: self.hidden,
        }
    }

    /// The tasks: of each the points to fit and those to judge by.
    fn draw<T: Real>(&self, seed: u64) -> Vec<[Points<T>; 2]> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
        let mut task = || {
            let (a, phase) = (draw(0.1, 5.0), draw(0.0, std::f64::consts::PI));
            [(); 2].map(|()| {
                let at = Vec::from_iter((0..self.shots).map(|_| draw(-5.0, 5.0)));
                Points {
                    values: row(at.iter().map(|p| T::of(a * (p + phase).sin()))),
                    at: row(at.iter().map(|p| T::of(*p))),
                }
            })
        };
        (0..self.tasks).map(|_| task()).collect()
    }
}

/// One row of these entries.
fn row<T: Real>(entries: impl ExactSizeIterator<Item = T>) -> DMatrix<T> {
    DMatrix::from_iterator(1, entries.len(), entries)
}

/// Points of a task and the values there, in columns.
#[derive(Clone, Debug)]
struct Points<T: Real> {
    at: DMatrix<T>,
    values: DMatrix<T>,
}

/// A network of two hidden layers of tanh with one value.
#[derive(Clone, Copy, Debug)]
struct Network {
    inputs: usize,
    hidden: usize,
}

impl Network {
    /// Its layers: rows, and columns of the weights.
    fn layers(self) -> [(usize, usize); 3] {
        let h = self.hidden;
        [(h, self.inputs), (h, h), (1, h)]
    }

    fn parameters(self) -> usize {
        let layers = self.layers().into_iter();
        layers.map(|(rows, cols)| rows * (cols + 1)).sum()
    }

    /// Its values at points, one after the other.
    fn values<'r, T: Real>(self, y: Var<'r, T>, points: &DMatrix<T>) -> Var<'r, T> {
        let [mut at, last] = [0, self.layers().len() - 1];
        let mut value = y.matrix(points);
        for (k, (rows, cols)) in self.layers().into_iter().enumerate() {
            let weights = y.slice(at, rows * cols).reshape(rows, cols);
            value = weights.matmul(value) + y.slice(at + rows * cols, rows);
            at += rows * (cols + 1);
            if k < last {
                value = value.tanh();
            }
        }
        value
    }

    /// The sum over tasks of the mean squared errors of their networks on these points.
    fn errors<'r, T: Real>(self, y: Var<'r, T>, points: &[Points<T>]) -> Var<'r, T> {
        let d = self.parameters();
        Var::sum_of(points.iter().enumerate().map(|(t, points)| {
            let found = self.values(y.slice(t * d, d), &points.at);
            let count = points.values.len() as f64;
            (found - y.matrix(&points.values)).norm_squared() * T::of(1.0 / count)
        }))
    }

    /// Parameters layer by layer: normal weights of variance one over the inputs of a unit, biases 0.
    fn draw<T: Real>(self, seed: u64) -> DVector<T> {
        let mut numbers = Gaussian::new(seed, 1);
        let layers = self.layers().into_iter().flat_map(|(rows, cols)| {
            let weight = |_| T::of(numbers.draw() / f64::sqrt(cols as f64));
            let weights = Vec::from_iter((0..rows * cols).map(weight));
            weights.into_iter().chain((0..rows).map(|_| T::zero()))
        });
        DVector::from_vec(layers.collect())
    }
}

/// Problem `maml`: each task is a sine `a sin(p + φ)` on [−5, 5] with a in [0.1, 5] and φ in [0, π];
/// a network of two hidden layers of tanh with parameters y_t is fitted to some points of it, and judged
/// by others. Lower = Σ_t mean squared error of task t on its points, upper = the mean over tasks of that
/// on the others, and all y_t start at x, the parameters of such a network, one after the other:
/// [`Bilevel::starting_at`](solvers::Bilevel::starting_at). So y is what a few steps of the strategy make
/// of x, and the hypergradient goes through them to the start.
///
/// # Panics
/// If a number is 0.
///
/// # Reference
/// C. Finn, P. Abbeel and S. Levine, Model-agnostic meta-learning for fast adaptation of deep
/// networks, ICML 2017, section 5.1.
#[track_caller]
#[inline(never)]
pub fn maml<T: Real>(sines: Sines, seed: u64) -> Task<T> {
    let numbers = [sines.tasks, sines.shots, sines.hidden];
    assert!(!numbers.contains(&0), "{sines:?}: expected no number 0");
    of_tasks(sines.network(), sines.draw(seed), seed)
}

fn of_tasks<T: Real>(network: Network, points: Vec<[Points<T>; 2]>, seed: u64) -> Task<T> {
    let (tasks, d) = (points.len(), network.parameters());
    let (fitted, judged): (Vec<_>, Vec<_>) = points.into_iter().map(<(_, _)>::from).unzip();
    let over = T::of(1.0 / tasks as f64);
    let upper = objective(move |_: Var<'_, T>, y: Var<'_, T>| network.errors(y, &judged) * over);
    let lower = objective(move |_: Var<'_, T>, y: Var<'_, T>| network.errors(y, &fitted));
    let task = Task::plain("maml", upper, lower, network.draw(seed), tasks * d);
    Task {
        bilevel: task.bilevel.starting_at(move |x: Var<'_, T>| x.tile(tasks)),
        ..task
    }
}

/// The tasks of a user's table: rows of one number in the first column are a task, the others are the
/// point, and the target is the value. Half of a task's rows, rounded down, are for judging.
fn of_table<T: Real>(splits: &Splits, given: &mut Given) -> Result<Task<T>, DataError> {
    let too_few = |found, expected, what| DataError::TooFewFor {
        file: splits.source.clone(),
        found,
        expected,
        what,
    };
    let inputs = splits.train.dim() - 1;
    if inputs == 0 {
        return Err(DataError::Empty {
            file: splits.source.clone(),
            place: "the table, whose first column is the number of the task,".into(),
            what: "column of points",
        });
    }
    // By the bits, whose order is that of positive numbers.
    let mut rows: BTreeMap<u64, Vec<(Vec<f64>, f64)>> = BTreeMap::new();
    for part in [
        Some(&splits.train),
        Some(&splits.valid),
        splits.test.as_ref(),
    ] {
        let Some(part) = part else { continue };
        let features = part.features.to_dense();
        for (column, label) in features.column_iter().zip(&part.labels) {
            let point = column.iter().skip(1).copied().collect();
            let task = rows.entry((column[0] + 0.0).to_bits()).or_default();
            task.push((point, *label));
        }
    }
    let least = rows.values().map(Vec::len).min().unwrap_or(0);
    let most = rows.values().map(Vec::len).max().unwrap_or(0);
    if least < 2 {
        return Err(too_few(
            least,
            2,
            "each task (the first column says of which)",
        ));
    }
    given.notes.push(format!(
        "{} tasks by the first column, of {least} to {most} rows, half of which are to judge by",
        rows.len()
    ));
    let points = |rows: &[(Vec<f64>, f64)]| Points {
        at: DMatrix::from_fn(inputs, rows.len(), |i, j| T::of(rows[j].0[i])),
        values: row(rows.iter().map(|(_, value)| T::of(*value))),
    };
    let task = |rows: &Vec<(Vec<f64>, f64)>| {
        let (fitted, judged) = rows.split_at(rows.len().div_ceil(2));
        [points(fitted), points(judged)]
    };
    let network = Network {
        inputs,
        hidden: Sines::default().hidden,
    };
    Ok(of_tasks(
        network,
        rows.values().map(task).collect(),
        given.seed,
    ))
}

/// The entry of [`maml`].
pub static MAML: Entry = Entry::new(
    "maml",
    "a learned start of a network's training on sines, task by task: itd through few steps",
    [
        "parameters that every task starts from",
        "parameters of each task's network, task by task",
    ],
    make!(|given| {
        if let Some(splits) = given.table.take() {
            return of_table(&splits, given);
        }
        let sines = match given.size {
            Size::Small => Sines {
                tasks: 2,
                shots: 3,
                hidden: 2,
            },
            _ => Sines::default(),
        };
        Ok(maml(sines, given.seed))
    }),
)
.takes(Data::Table(Labels::Targets))
.defaults(Defaults::adam(0.001, 0.001).depth(5).lower_step(0.01));
