//! Small lower levels with known answers that are unkind to a method: each estimate is right within
//! 1 %, or it is told that it may not be.

mod cancelling;
mod evidence;
mod implicit;
mod kinks;
mod loops;
mod loose;
mod page;
mod units;
mod words;

use autodiff::{Objective, Var, objective};
use nalgebra::DVector;
use solvers::{Bilevel, Estimate, Strategy};

/// F = ½‖y − 1‖².
fn to_one() -> impl Objective<f64> {
    objective(|_x: Var, y: Var| 0.5 * (y - 1.0).norm_squared())
}

fn run(problem: &Bilevel<f64>, strategy: &dyn Strategy<f64>, x: &[f64]) -> Estimate<f64> {
    let x = DVector::from_column_slice(x);
    strategy
        .hypergradient(problem, &x, &mut problem.workspace())
        .expect("valid settings")
}

/// How far the hypergradient is off, as a part of what is wanted.
fn off(estimate: &Estimate<f64>, want: &[f64]) -> f64 {
    let want = DVector::from_column_slice(want);
    (&estimate.hypergradient - &want).norm() / want.norm()
}

/// A success within this part of what is wanted, whatever else is said.
#[track_caller]
fn succeeds_within(part: f64, estimate: &Estimate<f64>, want: &[f64]) {
    let off = off(estimate, want);
    let good = estimate.status.is_success() && off <= part;
    assert!(good, "off by {off:.1e} of {want:?}: {estimate}");
}

/// A success without a warning, within 1 %.
#[track_caller]
fn right(estimate: &Estimate<f64>, want: &[f64]) {
    succeeds_within(1e-2, estimate, want);
    let silent = estimate.warnings.is_empty();
    assert!(silent, "expected a success without a word: {estimate}");
}

/// A failure or a warning, unless it is right.
#[track_caller]
fn right_or_told(estimate: &Estimate<f64>, want: &[f64]) {
    let told = !estimate.status.is_success() || !estimate.warnings.is_empty();
    let off = off(estimate, want);
    assert!(
        told || off <= 1e-2,
        "off by {off:.1e} of {want:?} in silence: {estimate}"
    );
}

/// A failure, with this code.
#[track_caller]
fn fails(estimate: &Estimate<f64>, codes: &[&str]) {
    assert!(
        !estimate.status.is_success() && codes.contains(&estimate.status.code()),
        "expected one of {codes:?}: {estimate}"
    );
}
