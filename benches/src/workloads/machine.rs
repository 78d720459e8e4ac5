//! What the machine can do: how fast it reads, and how fast it multiplies.

use std::hint::black_box;
use std::time::Instant;

use autodiff::kernels::dot;
use autodiff::{Program, Real, Shape};
use rayon::prelude::*;

/// How long each is tried.
const SECONDS: f64 = 0.2;
/// Rows and columns of the product.
const SIDE: usize = 1024;

/// Bytes a second that all threads of the pool read together, of so many bytes that are read again and
/// again: each thread takes the product of its part with itself.
pub fn bandwidth<T: Real>(bytes: usize) -> f64 {
    let entries = vec![T::one(); (bytes / size_of::<T>()).max(1)];
    let part = entries.len().div_ceil(rayon::current_num_threads());
    let calls_a_second = best(|| {
        let sums = entries.par_chunks(part).map(|part| dot(part, part));
        black_box(sums.reduce(T::zero, |a, b| a + b));
    });
    (entries.len() * size_of::<T>()) as f64 * calls_a_second
}

/// Floating-point operations a second of a product of two square matrices, as a recorded program
/// computes it.
pub fn peak<T: Real>() -> f64 {
    let shape = Shape::matrix(SIDE, SIDE);
    let program = Program::<T>::record(&[shape, shape], |v| v[0].matmul(v[1]));
    let entries = vec![T::of(0.5); SIDE * SIDE];
    let mut point = program.point();
    let calls_a_second = best(|| {
        black_box(point.evaluate(&[&entries, &entries]));
    });
    2.0 * (SIDE as f64).powi(3) * calls_a_second
}

/// Calls a second, of the fastest one.
fn best(mut call: impl FnMut()) -> f64 {
    call();
    let (started, mut least) = (Instant::now(), f64::INFINITY);
    while started.elapsed().as_secs_f64() < SECONDS {
        let call_started = Instant::now();
        call();
        least = least.min(call_started.elapsed().as_secs_f64());
    }
    1.0 / least
}
