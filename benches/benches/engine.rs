//! The criterion suite: every workload in both precisions, on one thread and on two.
//!
//! `cargo bench -p bilevel-benches --bench engine` takes some minutes; a part of a name after `--`
//! picks what to run, as `W4/f64/1 thread`. The workloads are those that `benches/peers` times
//! beside other systems: see `bilevel_benches::workloads`. `pass` picks the fused losses alone, of 2
//! to 1000 classes on one thread. `SOBA` picks iterations of a stochastic method, its batches inputs
//! of one recording, and recorded one by one. `entry` picks what it costs to give two halves of a
//! small pass to two threads.

use std::time::Duration;

use autodiff::threads::for_each;
use autodiff::{Batch, Objective, Real, Var, batched, objective, sampled};
use bilevel_benches::workloads::{GROUPS, Named, build, in_single_precision};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use models::Dataset;
use models::data::Samples;
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use solvers::sampling::Sampling;
use solvers::{Bilevel, Estimator, Method, Outer, Schedule, Soba};

fn group<T: Real>(c: &mut Criterion, name: &str, tasks: &[&str], pool: &ThreadPool) {
    let threads = match pool.current_num_threads() {
        1 => "1 thread".to_owned(),
        n => format!("{n} threads"),
    };
    // Built by the first bench that the filter lets through.
    let mut built: Option<Vec<Named>> = None;
    let mut group = c.benchmark_group(format!("{name}/{}/{threads}", T::NAME));
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    let able = |task: &&&str| T::NAME == "f64" || in_single_precision(task);
    for (k, task) in tasks.iter().filter(able).enumerate() {
        group.bench_function(*task, |b| {
            let task = &mut built.get_or_insert_with(|| build::<T>(name))[k].1;
            pool.install(|| b.iter(|| task.call()));
        });
    }
    group.finish();
}

fn suite(c: &mut Criterion) {
    let pools = [1, 2].map(|n| ThreadPoolBuilder::new().num_threads(n).build());
    for (name, tasks) in GROUPS {
        for pool in &pools {
            let pool = pool.as_ref().expect("a pool of threads");
            group::<f64>(c, name, tasks, pool);
            group::<f32>(c, name, tasks, pool);
        }
    }
}

/// Samples of a linear model with noise.
fn samples(n: usize, d: usize, classes: usize) -> Samples {
    let wave = |i: usize, j: usize| ((1 + i) as f64 * 0.7 + (1 + j) as f64 * 1.3).sin();
    let features = DMatrix::from_fn(d, n, |i, j| wave(i * 131, j * 17));
    let label = |j: usize| match classes {
        2 => f64::from(features[(0, j)] + 0.3 * wave(j, 5) > 0.0) * 2.0 - 1.0,
        _ => ((features[(0, j)] + 1.0) * 0.499 * classes as f64).floor(),
    };
    let labels = (0..n).map(label).collect();
    Samples {
        features: features.into(),
        labels,
    }
}

/// `½ eˣ ‖y‖²`.
fn penalty<'r>(x: Var<'r>, y: Var<'r>) -> Var<'r> {
    0.5 * x.exp().sum() * y.norm_squared()
}

/// Cross-entropy of a linear model of two or more classes with a penalty for all, on batches that are
/// inputs of one recording, or that are recorded one by one.
fn means(n: usize, d: usize, classes: usize, inputs: bool) -> Bilevel<f64> {
    let data = samples(n, d, classes);
    let two = classes == 2;
    let data = match two {
        true => Dataset::<f64>::binary(&data),
        false => Dataset::classes(&data, classes),
    };
    let (f, g) = (data.clone(), data);
    let dim_y = if two { d } else { d * classes };
    let problem = match (inputs, two) {
        (true, true) => Bilevel::sampled(
            batched(n, move |_: Var, y: Var, batch: Batch| {
                f.logistic_loss_of(batch, y)
            }),
            batched(n, move |x: Var, y: Var, batch: Batch| {
                g.logistic_loss_of(batch, y) + penalty(x, y)
            }),
            1,
            dim_y,
        ),
        (true, false) => Bilevel::sampled(
            batched(n, move |_: Var, y: Var, batch: Batch| {
                f.cross_entropy_of(batch, y)
            }),
            batched(n, move |x: Var, y: Var, batch: Batch| {
                g.cross_entropy_of(batch, y) + penalty(x, y)
            }),
            1,
            dim_y,
        ),
        (false, true) => Bilevel::sampled(
            sampled(n, move |_: Var, y: Var, batch: &[usize]| {
                f.select(batch).logistic_loss(y)
            }),
            sampled(n, move |x: Var, y: Var, batch: &[usize]| {
                g.select(batch).logistic_loss(y) + penalty(x, y)
            }),
            1,
            dim_y,
        ),
        (false, false) => Bilevel::sampled(
            sampled(n, move |_: Var, y: Var, batch: &[usize]| {
                f.select(batch).cross_entropy(y)
            }),
            sampled(n, move |x: Var, y: Var, batch: &[usize]| {
                g.select(batch).cross_entropy(y) + penalty(x, y)
            }),
            1,
            dim_y,
        ),
    };
    problem.expect("a bilevel problem")
}

/// Iterations in one thing to time: F and ∇g on all samples are computed once for them.
const ITERATIONS: usize = 1000;

/// A thousand iterations of stochastic methods with batches of 64.
fn stochastic(c: &mut Criterion) {
    let soba = Soba::new(Estimator::Plain, Schedule::Constant(0.01), 10.0);
    for (size, n, d, classes) in [("20000x22", 20_000, 22, 2), ("50000x54x7", 50_000, 54, 7)] {
        let mut group = c.benchmark_group(format!("SOBA/batch 64/{size}"));
        group.sample_size(10);
        group.throughput(Throughput::Elements(ITERATIONS as u64));
        for (name, inputs) in [("batch is an input", true), ("batch is recorded", false)] {
            group.bench_function(name, |b| {
                let problem = means(n, d, classes, inputs);
                let method = Outer::new(soba, usize::MAX).report_every(ITERATIONS);
                let method = method.sampling(Sampling::new(0).batches(64, 64));
                let run = method.begin(&problem, DVector::from_element(1, -3.0));
                let mut run = run.expect("settings that suit");
                b.iter(|| run.step().expect("iterations are left"));
            });
        }
        group.finish();
    }
}

/// Cross-entropy of linear models of `classes` classes: a gradient, a product linearised once, and
/// both in one pass at a fresh point. Two classes are the logistic loss.
fn passes<T: Real>(c: &mut Criterion) {
    let (n, d) = (1000, 784);
    let pool = ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.expect("a pool of one thread");
    for classes in [2, 3, 7, 10, 26, 100, 1000] {
        let mut group = c.benchmark_group(format!("pass/{}/{n}x{d}x{classes}", T::NAME));
        group.sample_size(10);
        group.warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_secs(1));
        let of = if classes == 2 { 1 } else { classes };
        // Multiplications and additions of a product and of what is added up.
        group.throughput(Throughput::Elements((4 * n * d * of) as u64));
        let data = samples(n, d, classes);
        let loss = objective(|_: Var<'_, T>, y: Var<'_, T>| match classes {
            2 => Dataset::<T>::binary(&data).logistic_loss(y),
            _ => Dataset::<T>::classes(&data, classes).cross_entropy(y),
        });
        let mut point = loss.record(1, of * d).point();
        let x = [T::one()];
        let y = Vec::from_iter((0..of * d).map(|i| T::of(0.1 * (i as f64 * 1.7).sin())));
        let v = Vec::from_iter((0..of * d).map(|i| T::of((i as f64 * 0.3).cos())));
        let (inputs, moves) = ([&x[..], &y], [None, Some(&v[..])]);
        group.bench_function("gradient", |b| {
            pool.install(|| b.iter(|| point.linearise(&inputs)));
        });
        group.bench_function("product", |b| {
            point.linearise(&inputs);
            pool.install(|| b.iter(|| point.second(&moves)));
        });
        group.bench_function("joint", |b| {
            pool.install(|| {
                b.iter(|| point.linearise_along(&inputs, &moves));
            });
        });
        group.finish();
    }
}

/// Two halves of a small pass on two threads, by a caller outside of any pool: on the engine's own
/// threads, and by entering the global `rayon` pool for each pass.
fn entry(c: &mut Criterion) {
    let mut group = c.benchmark_group("entry");
    for entries in [2, 4096, 16_384] {
        let mut numbers = vec![1.0f64; entries];
        let half = |part: &mut &mut [f64]| part.iter_mut().for_each(|v| *v = *v * 0.999 + 0.1);
        let mut bench = |name: &str, pass: &dyn Fn(&mut [&mut [f64]])| {
            group.bench_function(format!("{entries} entries/{name}"), |b| {
                b.iter(|| {
                    let (left, right) = numbers.split_at_mut(entries / 2);
                    pass(&mut [left, right]);
                });
            });
        };
        bench("one thread", &|parts| parts.iter_mut().for_each(half));
        // As much work as is given away, whatever it is.
        bench("for_each", &|parts| for_each(parts, usize::MAX, half));
        bench("rayon", &|parts| parts.par_iter_mut().for_each(half));
    }
    group.finish();
}

criterion_group!(
    engine,
    suite,
    passes::<f64>,
    passes::<f32>,
    stochastic,
    entry
);
criterion_main!(engine);
