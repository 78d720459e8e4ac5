//! Mini-batches, stochastic methods and first-order methods.

mod aggregated;
mod batches;
mod draws;
mod estimators;
mod family;
mod first_order;
mod gda;
mod loop_of_aid;
mod official_errors;
mod own;
mod without_value_function;

use autodiff::{Sampled, Var, objective, sampled};
use nalgebra::DVector;
use solvers::{Bilevel, Method, Progress};

/// F = mean ½(y − bᵢ)² + ½x², g = mean ½aⱼ(y − x)² with means 1 of a and b: on all samples this is
/// the closed form with solution ½.
fn noisy() -> Bilevel<f64> {
    let b = [0.5, 1.0, 1.5, 0.0, 2.0];
    let a = [0.8, 1.2, 0.9, 1.1];
    let upper = sampled(b.len(), move |x: Var, y: Var, batch: &[usize]| {
        let terms = batch.iter().map(|i| 0.5 * (y - b[*i]).norm_squared());
        Var::sum_of(terms) / batch.len() as f64 + 0.5 * x.norm_squared()
    });
    Bilevel::sampled(upper, scaled(a.to_vec()), 1, 1).expect("a valid problem")
}

/// `mean ½aⱼ(y − x)²`.
fn scaled(a: Vec<f64>) -> impl Sampled<f64> + 'static {
    sampled(a.len(), move |x: Var, y: Var, batch: &[usize]| {
        let mean = batch.iter().map(|j| a[*j]).sum::<f64>() / batch.len() as f64;
        0.5 * mean * (y - x).norm_squared()
    })
}

/// The same problem without samples.
fn exact() -> Bilevel<f64> {
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    Bilevel::new(upper, lower, 1, 1).expect("a valid problem")
}

/// Runs a method to its end: the reports, x and y.
fn run(
    method: &dyn Method<f64>,
    problem: &Bilevel<f64>,
    x: &[f64],
) -> (Vec<Progress>, Vec<f64>, Vec<f64>) {
    let x = DVector::from_column_slice(x);
    let mut run = method.begin(problem, x).expect("valid settings");
    let mut reports = Vec::new();
    while let Some(progress) = run.step() {
        assert!(progress.status.is_success(), "{}", progress.status);
        reports.push(progress);
    }
    (
        reports,
        run.x().as_slice().to_vec(),
        run.y().as_slice().to_vec(),
    )
}

#[track_caller]
fn close(got: f64, want: f64, tolerance: f64) {
    assert!(
        (got - want).abs() <= tolerance,
        "got {got}, expected {want}"
    );
}
