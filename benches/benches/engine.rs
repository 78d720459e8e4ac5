//! The engine on logistic and softmax regression: gradients, products, unrolled loops.
//!
//! `cargo bench -p bilevel-benches --bench engine`; sizes as in the names, seeded data.

use std::hint::black_box;

use autodiff::{Point, Real, Var, objective};
use criterion::{Criterion, criterion_group, criterion_main};
use models::Dataset;
use models::data::Samples;
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::{Aid, Bilevel, Itd, StepLength, Strategy};

fn samples(n: usize, d: usize, classes: usize, seed: u64) -> Samples {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let features = DMatrix::from_fn(d, n, |_, _| rng.random_range(-1.7..1.7));
    let labels = (0..n)
        .map(|_| rng.random_range(0..classes))
        .map(|c| match classes {
            2 => 2.0 * c as f64 - 1.0,
            _ => c as f64,
        });
    Samples {
        labels: labels.collect(),
        features,
    }
}

/// Logistic regression with a penalty for each feature.
fn logistic<T: Real>(n: usize, d: usize) -> Bilevel<T> {
    let train = Dataset::<T>::binary(&samples(n, d, 2, 0));
    let valid = Dataset::<T>::binary(&samples(n, d, 2, 1));
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        train.logistic_loss(y) + x.exp().dot(y.square()) * T::of(0.5)
    });
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| valid.logistic_loss(y));
    Bilevel::new(upper, lower, d, d).expect("a problem")
}

/// Softmax regression with a weight for each sample.
fn softmax<T: Real>(n: usize, d: usize, classes: usize) -> Bilevel<T> {
    let train = Dataset::<T>::classes(&samples(n, d, classes, 0), classes);
    let valid = Dataset::<T>::classes(&samples(n, d, classes, 1), classes);
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        train.weighted_cross_entropy(y, x.sigmoid()) + y.norm_squared() * T::of(5e-4)
    });
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| valid.cross_entropy(y));
    Bilevel::new(upper, lower, n, classes * d).expect("a problem")
}

fn sweeps<T: Real>(c: &mut Criterion, name: &str, problem: &Bilevel<T>) {
    let vector = |n: usize, k: f64| -> Vec<T> {
        (0..n).map(|i| T::of(0.1 * (k * i as f64).sin())).collect()
    };
    let (x, y) = (vector(problem.dim_x(), 1.3), vector(problem.dim_y(), 1.7));
    let v = vector(problem.dim_y(), 2.1);
    let mut point: Point<T> = problem.lower().point();
    let mut group = c.benchmark_group(format!("{name}/{}", T::NAME));
    group.bench_function("gradient", |b| {
        b.iter(|| black_box(point.differentiate(&[&x, &y], autodiff::Inputs::one(1))));
    });
    point.linearise(&[&x, &y]);
    group.bench_function("hvp, linearised once", |b| {
        b.iter(|| point.second_by(&[None, Some(black_box(&v))], autodiff::Inputs::one(1)));
    });
    group.bench_function("hvp and cross product, fresh", |b| {
        b.iter(|| {
            black_box(point.linearise(&[&x, &y]));
            point.second(&[None, Some(&v)]);
        });
    });
    group.finish();
}

fn strategies<T: Real>(c: &mut Criterion, name: &str, problem: &Bilevel<T>) {
    let mut group = c.benchmark_group(format!("{name}/{}", T::NAME));
    group.sample_size(10);
    let x = DVector::zeros(problem.dim_x());
    let mut work = problem.workspace();
    let mut bench = |what: &str, strategy: &dyn Strategy<T>| {
        group.bench_function(what, |b| {
            b.iter(|| {
                black_box(
                    strategy
                        .hypergradient(problem, &x, &mut work)
                        .expect("valid"),
                )
            });
        });
    };
    bench("itd, 100 steps", &Itd::reverse(100).step(0.5));
    let steps = StepLength::Fixed(0.5);
    bench("aid-cg after 50 steps", &Aid::cg().lower_steps(50, steps));
    group.finish();
}

fn benches(c: &mut Criterion) {
    sweeps(c, "logistic 2000x500", &logistic::<f64>(2000, 500));
    sweeps(c, "logistic 2000x500", &logistic::<f32>(2000, 500));
    sweeps(c, "softmax 2000x784x10", &softmax::<f64>(2000, 784, 10));
    sweeps(c, "softmax 2000x784x10", &softmax::<f32>(2000, 784, 10));
    strategies(c, "logistic 2000x500", &logistic::<f64>(2000, 500));
    strategies(c, "softmax 500x100x10", &softmax::<f64>(500, 100, 10));
}

criterion_group!(engine, benches);
criterion_main!(engine);
