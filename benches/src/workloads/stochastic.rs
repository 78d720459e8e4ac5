//! Iterations of stochastic methods, on batches that are inputs of one recording.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use autodiff::{Batch, Real, Table, Var, batched};
use models::Dataset;
use nalgebra::{DMatrix, DVector};
use solvers::sampling::{DrawRule, Draws, Sampling};
use solvers::{Amigo, Bilevel, Estimator, F2sa, Method, Outer, Schedule, Soba, StocBio};

use super::Task;
use super::inputs::{LinearModel, Recipe, Source, Writer};
use super::sweep::wide;

pub(super) const LOGISTIC: [&str; 5] = [
    "iteration-logistic-soba",
    "iteration-logistic-amigo",
    "iteration-logistic-stocbio",
    "iteration-logistic-saba",
    "iteration-logistic-f2sa",
];
pub(super) const SOFTMAX: [&str; 5] = [
    "iteration-softmax-soba",
    "iteration-softmax-amigo",
    "iteration-softmax-stocbio",
    "iteration-softmax-saba",
    "iteration-softmax-f2sa",
];
pub(super) const QUADRATICS: [&str; 5] = [
    "iteration-quadratics-soba",
    "iteration-quadratics-amigo",
    "iteration-quadratics-stocbio",
    "iteration-quadratics-saba",
    "iteration-quadratics-f2sa",
];

/// Samples in a batch of each level.
const BATCH: usize = 64;
/// Steps on y, on the linear system, and factors of the Neumann series.
const INNER: usize = 10;
/// λ of F2SA.
const PENALTY: f64 = 10.0;
const SEED: u64 = 12;

/// How a method draws, and how many iterations a call makes: few where one is long.
struct Shape {
    name: &'static str,
    iterations: usize,
    batch: usize,
    /// Batches of the upper and of the lower level in an iteration.
    draws: [usize; 2],
}

const METHODS: [Shape; 5] = [
    shape("soba", 5000, BATCH, [1, 1]),
    shape("amigo", 500, BATCH, [1, 2 * INNER + 1]),
    shape("stocbio", 500, BATCH, [1, 2 * INNER + 1]),
    // Its tables are of single samples.
    shape("saba", 5000, 1, [1, 1]),
    shape("f2sa", 500, BATCH, [INNER + 1, 2 * INNER + 1]),
];

const fn shape(name: &'static str, iterations: usize, batch: usize, draws: [usize; 2]) -> Shape {
    Shape {
        name,
        iterations,
        batch,
        draws,
    }
}

/// The method of this name with steps of this length on y and on the linear system.
fn method<T: Real>(shape: &Shape, length: f64) -> Box<dyn Method<T>> {
    let (y, v, x) = (length.into(), length, (length / 10.0).into());
    let inner = INNER;
    let of = |estimator| Soba::new(estimator, Schedule::Constant(length), 10.0);
    match shape.name {
        "soba" => outer(of(Estimator::Plain), shape),
        "amigo" => {
            let rule = Amigo {
                inner,
                linear: INNER,
                y,
                v: y,
                x,
            };
            outer(rule, shape)
        }
        "stocbio" => {
            let rule = StocBio {
                inner,
                factors: INNER,
                y,
                v,
                x,
            };
            outer(rule, shape)
        }
        "saba" => outer(of(Estimator::Saga), shape),
        _ => {
            let rule = F2sa {
                order: 1,
                penalty: PENALTY,
                growth: 0.0,
                inner,
                y,
                x: (length / 100.0).into(),
                acceleration: None,
            };
            outer(rule, shape)
        }
    }
}

fn outer<T: Real, R: solvers::Rule<T> + Clone + 'static>(
    rule: R,
    shape: &Shape,
) -> Box<dyn Method<T>> {
    let sampling = Sampling::new(SEED).batches(shape.batch, shape.batch);
    let method = Outer::new(rule, usize::MAX).sampling(sampling);
    // F and ∇g on all samples are part of a call, once.
    Box::new(method.report_every(shape.iterations))
}

/// What the levels are means of.
pub(super) enum Data {
    /// Cross-entropies, the lower level's with the penalty ½ eˣ ‖y‖².
    Linear(LinearModel),
    Quadratics(Quadratics),
}

pub(super) fn data(group: &str) -> Data {
    let linear = |n, d, classes, features| {
        let recipe = Recipe {
            n,
            n_valid: n,
            d,
            classes,
            features,
            corrupted: 0.1,
            x: (-3.0, 0.0),
            dim_x: 1,
            y: 0.0,
        };
        Data::Linear(LinearModel::draw(&recipe, SEED))
    };
    match group {
        "iteration-logistic" => linear(20_000, 22, 2, 1.0),
        "iteration-softmax" => linear(50_000, 54, 7, 0.5),
        _ => Data::Quadratics(Quadratics::draw(10_000, 50, 100)),
    }
}

impl Data {
    /// Steps that are stable on single samples too.
    fn length(&self) -> f64 {
        match self {
            Data::Linear(_) => 0.05,
            Data::Quadratics(_) => 0.005,
        }
    }

    /// Samples of the upper and of the lower level, which are as many.
    fn samples(&self) -> usize {
        match self {
            Data::Linear(data) => data.train.len(),
            Data::Quadratics(data) => data.rows[0].nrows(),
        }
    }

    fn start<T: Real>(&self) -> DVector<T> {
        match self {
            Data::Linear(data) => DVector::from_element(1, T::of(data.x[0])),
            Data::Quadratics(data) => DVector::zeros(data.rows[4].ncols()),
        }
    }

    pub(super) fn problem<T: Real>(&self) -> Bilevel<T> {
        match self {
            Data::Linear(data) => linear(data),
            Data::Quadratics(data) => data.problem(),
        }
    }
}

fn linear<T: Real>(data: &LinearModel) -> Bilevel<T> {
    let (n, two) = (data.train.len(), data.classes == 2);
    let [f, g] = [&data.valid, &data.train].map(|samples| match two {
        true => Dataset::<T>::binary(samples),
        false => Dataset::classes(samples, data.classes),
    });
    let upper = batched(
        n,
        move |_: Var<'_, T>, y: Var<'_, T>, batch: Batch<'_, T>| match two {
            true => f.logistic_loss_of(batch, y),
            false => f.cross_entropy_of(batch, y),
        },
    );
    let lower = batched(
        n,
        move |x: Var<'_, T>, y: Var<'_, T>, batch: Batch<'_, T>| {
            let loss = match two {
                true => g.logistic_loss_of(batch, y),
                false => g.cross_entropy_of(batch, y),
            };
            loss + x.exp().sum() * y.norm_squared() * T::of(0.5)
        },
    );
    Bilevel::sampled(upper, lower, 1, data.y.len()).expect("a bilevel problem")
}

/// Quadratics of rank one, in the manner of the bilevel benchmark: the means over the rows of
/// `½ (u·y)² + (p·x)(u·y) + d·y` below and `½ (v·y)² + ½ (w·x)² + a·y + b·x` above.
pub(super) struct Quadratics {
    /// u, p, d, v, w, a, b.
    rows: [DMatrix<f64>; 7],
}

impl Quadratics {
    const NAMES: [&str; 7] = ["u", "p", "d", "v", "w", "a", "b"];

    /// The means of the squares have curvatures from 0.1 to 1; p is a tenth of a part of u.
    fn draw(samples: usize, dim_x: usize, dim_y: usize) -> Self {
        let mut source = Source::new(SEED);
        let mut rows = |dim: usize| source.matrix(samples, dim, 1.0);
        let (mut u, mut v, mut w) = (rows(dim_y), rows(dim_y), rows(dim_x));
        let (d, a, b) = (rows(dim_y), rows(dim_y), rows(dim_x));
        for squared in [&mut u, &mut v, &mut w] {
            let last = (squared.ncols() - 1) as f64;
            for (j, mut column) in squared.column_iter_mut().enumerate() {
                column *= 10f64.powf(0.5 * (j as f64 / last - 1.0));
            }
        }
        let p = u.columns(0, dim_x) * 0.1;
        Quadratics {
            rows: [u, p, d, v, w, a, b],
        }
    }

    fn problem<T: Real>(&self) -> Bilevel<T> {
        let n = self.rows[0].nrows();
        let dims = (self.rows[4].ncols(), self.rows[0].ncols());
        let tables = self.rows.each_ref().map(|m| Table::of_rows(&m.map(T::of)));
        let [u, p, d, v, w, a, b] = tables;
        let half = T::of(0.5);
        let lower = batched(
            n,
            move |x: Var<'_, T>, y: Var<'_, T>, batch: Batch<'_, T>| {
                let of = |table, z| batch.columns(table).tr_matmul(z);
                let (along, cross, linear) = (of(&u, y), of(&p, x), of(&d, y));
                let sum = along.norm_squared() * half + cross.dot(along) + linear.sum();
                sum * T::of(1.0 / batch.len() as f64)
            },
        );
        let upper = batched(
            n,
            move |x: Var<'_, T>, y: Var<'_, T>, batch: Batch<'_, T>| {
                let of = |table, z| batch.columns(table).tr_matmul(z);
                let squares = of(&v, y).norm_squared() + of(&w, x).norm_squared();
                let linear = of(&a, y).sum() + of(&b, x).sum();
                (squares * half + linear) * T::of(1.0 / batch.len() as f64)
            },
        );
        Bilevel::sampled(upper, lower, dims.0, dims.1).expect("a bilevel problem")
    }
}

/// Writes the samples, and for each method what it draws in the first call: the indices of each batch
/// of an iteration, iteration by iteration, as `METHOD_upper` and `METHOD_lower`.
pub(super) fn write(to: &Writer<'_>, group: &str) -> io::Result<()> {
    let data = data(group);
    match &data {
        Data::Linear(data) => data.write(to, group)?,
        Data::Quadratics(data) => {
            for (name, rows) in Quadratics::NAMES.iter().zip(&data.rows) {
                to.samples(group, name, &rows.transpose())?;
            }
        }
    }
    for method in &METHODS {
        let levels = [("upper", Draws::UPPER), ("lower", Draws::LOWER)];
        for ((level, stream), draws) in levels.into_iter().zip(method.draws) {
            let (n, rule) = (data.samples(), DrawRule::WithReplacement);
            let mut stream = Draws::new(rule, n, method.batch, SEED, stream);
            let mut indices = Vec::new();
            for _ in 0..method.iterations * draws {
                indices.extend(stream.next_batch().iter().map(|i| *i as f64));
            }
            let shape = [method.iterations, draws, method.batch];
            to.array(group, &format!("{}_{level}", method.name), &shape, &indices)?;
        }
    }
    Ok(())
}

/// A run on a thread of its own, which owns the problem that it borrows. It goes on from call to call;
/// the result is that of the first.
struct Iterations {
    ask: Sender<()>,
    answer: Receiver<Vec<Vec<f64>>>,
    first: Option<Vec<Vec<f64>>>,
    iterations: usize,
}

impl Task for Iterations {
    fn call(&mut self) {
        self.ask.send(()).expect("the run goes on");
        let found = self.answer.recv().expect("a run that goes well");
        self.first.get_or_insert(found);
    }

    /// x, then y.
    fn result(&self) -> Vec<Vec<f64>> {
        self.first.clone().expect("a call before")
    }

    fn iterations(&self) -> usize {
        self.iterations
    }
}

/// The methods on the problem of a group, each with as many iterations a call as stated.
pub(super) fn tasks<T: Real>(group: &str) -> Vec<Box<dyn Task>> {
    let data = data(group);
    let (problem, x) = (data.problem::<T>(), data.start::<T>());
    let run = |shape: &Shape| -> Box<dyn Task> {
        let (ask, asked) = channel();
        let (answers, answer) = channel();
        let (problem, x) = (problem.clone(), x.clone());
        let method = method::<T>(shape, data.length());
        thread::spawn(move || {
            let mut run = method.begin(&problem, x).expect("settings that suit");
            for () in asked {
                let progress = run.step().expect("iterations are left");
                assert!(progress.status.is_success(), "{}", progress.status);
                let found = [run.x(), run.y()].map(|v| wide(v.as_slice()));
                if answers.send(found.to_vec()).is_err() {
                    break;
                }
            }
        });
        Box::new(Iterations {
            ask,
            answer,
            first: None,
            iterations: shape.iterations,
        })
    };
    METHODS.iter().map(run).collect()
}
