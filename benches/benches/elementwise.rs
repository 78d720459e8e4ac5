//! The vector kernels against loops over the C library's functions, and the rows of the table in
//! the sweeps.
//!
//! `cargo bench -p bilevel-benches --bench elementwise`; sizes as in the names.

use std::hint::black_box;

use autodiff::{Program, Real, Shape, Var, vector};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SIZES: [usize; 3] = [10, 1000, 100_000];

fn arguments<T: Real>(n: usize) -> Vec<T> {
    (0..n)
        .map(|i| T::of(4.0 * (1.3 * i as f64).sin()))
        .collect()
}

/// A function's name, its kernel, and the loop.
type Pair<T> = (&'static str, fn(&[T], &mut [T]), fn(T) -> T);

fn softplus<T: Real>(a: T) -> T {
    a.max(T::zero()) + (-a.abs()).exp().ln_1p()
}

fn kernels<T: Real>(c: &mut Criterion) {
    let pairs: [Pair<T>; 5] = [
        ("exp", vector::exp, |a| a.exp()),
        ("ln", vector::ln, |a| a.ln()),
        ("tanh", vector::tanh, |a| a.tanh()),
        ("sigmoid", vector::sigmoid, |a| {
            autodiff::rules::elementwise::sigmoid(a)
        }),
        ("softplus", vector::softplus, softplus),
    ];
    for (name, kernel, scalar) in pairs {
        for n in SIZES {
            let mut a = arguments::<T>(n);
            if name == "ln" {
                a.iter_mut().for_each(|a| *a = *a * *a + T::of(0.1));
            }
            let mut out = vec![T::zero(); n];
            let mut group = c.benchmark_group(format!("{name}/{}/{n}", T::NAME));
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function("vector", |b| b.iter(|| kernel(black_box(&a), &mut out)));
            group.bench_function("library", |b| {
                b.iter(|| {
                    for (o, a) in out.iter_mut().zip(black_box(&a)) {
                        *o = scalar(*a);
                    }
                });
            });
            group.finish();
        }
    }
}

/// A chain of one operation over and over: time for each operation and sweep.
fn sweeps<T: Real>(c: &mut Criterion) {
    const DEPTH: usize = 64;
    type Step<T> = for<'r> fn(Var<'r, T>) -> Var<'r, T>;
    let steps: [(&str, Step<T>); 4] = [
        ("tanh", |v| v.tanh()),
        ("softplus", |v| v.softplus()),
        ("square", |v| v.square()),
        ("relu", |v| v.relu()),
    ];
    for (name, step) in steps {
        for n in [10, 1000] {
            let program = Program::<T>::record(&[Shape::vector(n)], |v| {
                (0..DEPTH).fold(v[0], |v, _| step(v)).sum()
            });
            let mut point = program.point();
            let (a, t) = (arguments::<T>(n), arguments::<T>(n));
            let mut group = c.benchmark_group(format!("sweeps {name}/{}/{n}", T::NAME));
            group.throughput(Throughput::Elements(DEPTH as u64));
            group.bench_function("value", |b| {
                b.iter(|| black_box(point.value(&[black_box(&a)])));
            });
            group.bench_function("value and gradient", |b| {
                b.iter(|| black_box(point.linearise(&[black_box(&a)])));
            });
            group.bench_function("product, linearised once", |b| {
                b.iter(|| point.second(&[Some(black_box(&t))]));
            });
            group.finish();
        }
    }
}

fn benches(c: &mut Criterion) {
    kernels::<f64>(c);
    kernels::<f32>(c);
    sweeps::<f64>(c);
    sweeps::<f32>(c);
}

criterion_group!(elementwise, benches);
criterion_main!(elementwise);
