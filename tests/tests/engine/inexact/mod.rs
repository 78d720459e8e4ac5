//! The certificate, and the methods whose accuracies it drives.

mod beside;
mod bound;
mod estimated;
mod hoag;
mod isgd;
mod maid;
mod per_sample;

use std::sync::Arc;

use autodiff::Program;
use models::Task;
use models::catalogue::{self, Source};
use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use solvers::{Bilevel, Exact, Method, Progress, Strategy};

/// The problem that the program has under this name.
fn named(name: &str) -> Task<f64> {
    let task = catalogue::named(name).and_then(|entry| entry.task(&Source::default()));
    task.expect("a name of the catalogue")
}

/// A vector of numbers from −1 to 1.
fn random(rng: &mut ChaCha8Rng, len: usize) -> DVector<f64> {
    DVector::from_fn(len, |_, _| rng.random_range(-1.0..1.0))
}

/// φ(x) and ∇φ(x), to rounding.
fn exact(problem: &Bilevel<f64>, x: &DVector<f64>) -> (f64, DVector<f64>, DVector<f64>) {
    let estimate = Exact
        .hypergradient(problem, x, &mut problem.workspace())
        .expect("it has no settings");
    assert!(estimate.status.is_success(), "{}", estimate.status);
    (estimate.upper, estimate.hypergradient, estimate.y)
}

/// ‖∇²_xy f(x, y)‖ by its columns: what the description of a drawn problem does not state.
fn cross_norm(f: &Arc<Program<f64>>, x: &[f64], y: &[f64]) -> f64 {
    let mut point = f.point();
    point.linearise(&[x, y]);
    let mut matrix = DMatrix::zeros(x.len(), y.len());
    for j in 0..y.len() {
        let unit = DVector::from_fn(y.len(), |i, _| f64::from(i == j));
        point.second(&[None, Some(unit.as_slice())]);
        matrix.column_mut(j).copy_from_slice(point.product(0));
    }
    matrix.singular_values().max()
}

/// Runs a method to its end: the reports, and x before each of them and at the end.
fn run(
    method: &dyn Method<f64>,
    problem: &Bilevel<f64>,
    x: &DVector<f64>,
) -> (Vec<Progress>, Vec<DVector<f64>>) {
    let mut run = method.begin(problem, x.clone()).expect("valid settings");
    let (mut reports, mut points) = (Vec::new(), vec![x.clone()]);
    while let Some(progress) = run.step() {
        assert!(progress.status.is_success(), "{}", progress.status);
        reports.push(progress);
        points.push(run.x().clone());
    }
    (reports, points)
}

/// The reason a method gives for refusing to begin.
fn refusal(method: &dyn Method<f64>, problem: &Bilevel<f64>) -> String {
    match method.begin(problem, DVector::zeros(problem.dim_x())) {
        Ok(_) => panic!("{} began", method.name()),
        Err(e) => e.to_string(),
    }
}
