//! The steps of the lower level, its constraints, and what differentiates them.

mod aggregation;
mod closed;
mod constraints;
mod own;
mod rates;
mod steps;
mod stopping;
mod unhappy;

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::{Bilevel, Constraint, Estimate, FixedPart, InnerStep, RmsProp, Strategy};

/// Lower level ½(y − x)ᵀA(y − x), upper ½‖y − c‖² + ½‖x‖².
fn quadratic(a: &DMatrix<f64>, c: &[f64]) -> Bilevel<f64> {
    let (a, n, c) = (a.clone(), c.len(), c.to_vec());
    let lower = objective(move |x: Var, y: Var| {
        let d = y - x;
        0.5 * d.dot(&a * d)
    });
    let upper = objective(move |x: Var, y: Var| {
        0.5 * (y - y.vector(&c)).norm_squared() + 0.5 * x.norm_squared()
    });
    Bilevel::new(upper, lower, n, n).expect("a valid problem")
}

/// A lower level that is strongly convex and no quadratic, with second derivatives that x moves.
fn curved(n: usize) -> Bilevel<f64> {
    let lower = objective(|x: Var, y: Var| {
        let convex = x.exp().dot(y.square()) + (y - 1.0).norm_squared();
        0.5 * convex + 0.25 * y.square().norm_squared() + 0.3 * (y.sum() - x.sum()).sin()
    });
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 2.0).norm_squared() + x.dot(y.sin()));
    Bilevel::new(upper, lower, n, n).expect("a valid problem")
}

/// A point of `n` entries, none of them equal.
fn point(n: usize) -> DVector<f64> {
    DVector::from_fn(n, |i, _| 0.4 * (1.0 + 2.3 * i as f64).sin())
}

#[track_caller]
fn run(problem: &Bilevel<f64>, strategy: &dyn Strategy<f64>, x: &DVector<f64>) -> Estimate<f64> {
    strategy
        .hypergradient(problem, x, &mut problem.workspace())
        .expect("valid settings")
}

#[track_caller]
fn close(got: &DVector<f64>, want: &DVector<f64>, tolerance: f64) {
    let error = (got - want).amax();
    assert!(
        error <= tolerance,
        "off by {error:.1e}: got {:?}, expected {:?}",
        got.as_slice(),
        want.as_slice()
    );
}

fn soft(weight: f64) -> FixedPart {
    FixedPart::L1 { weight }
}

fn cube(low: f64, high: f64) -> Constraint {
    Constraint::Box { low, high }
}

/// The problem with this part, if there is one.
#[track_caller]
fn beside(problem: Bilevel<f64>, part: Option<FixedPart>) -> Bilevel<f64> {
    match part {
        Some(part) => problem.with_part(part.into()).expect("a valid part"),
        None => problem,
    }
}

/// Every kind of step with an acceleration or a scaling of its own, and steps beside every kind of part.
fn kinds() -> Vec<(InnerStep, Option<FixedPart>)> {
    let (cube, ball) = (cube(0.05, 0.6).into(), Constraint::Ball { radius: 0.7 });
    let of_sets = |part| (InnerStep::GradientDescent, Some(part));
    vec![
        (InnerStep::Adam { rate: 0.1 }, None),
        (InnerStep::own(RmsProp::new(0.1).eps_root(0.25)), None),
        of_sets(cube),
        of_sets(Constraint::Simplex.into()),
        of_sets(ball.into()),
        of_sets(soft(0.4)),
        (InnerStep::Fista, None),
        (InnerStep::Fista, Some(cube)),
        (InnerStep::Fista, Some(soft(0.4))),
    ]
}
