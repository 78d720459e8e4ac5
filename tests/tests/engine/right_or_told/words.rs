//! What is said fits what happened, and nothing stale is handed out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use autodiff::{Inputs, Objective, Var, objective};
use nalgebra::dvector;
use solvers::{Aid, AidStep, Bilevel, Constraint, InnerStep, Status, linear};

use crate::right_or_told::{right_or_told, run};

/// y ln y starts at 0, where its derivative is −∞: what is said is the place.
#[test]
fn a_start_outside_of_the_domain_is_named_and_no_step_is_blamed() {
    let upper = objective(|_x: Var, y: Var| y.at(1));
    let lower = objective(|x: Var, y: Var| 0.25 * y.xlogx().sum() - x.dot(y));
    let problem = Bilevel::new(upper, lower, 2, 2).expect("a valid problem");
    let problem = problem
        .with_part(Constraint::Simplex.into())
        .expect("a part");
    let simplex = AidStep::new(InnerStep::GradientDescent);
    let estimate = run(&problem, &simplex, &[1.0, 0.6]);
    let Status::NonFinite { place } = &estimate.status else {
        panic!("{estimate}");
    };
    assert!(place.contains("xlogx"), "{place}");
    // From inside it is softmax(4x): dy₁/dx = 4 y₀y₁ (−1, 1).
    let inside = problem.starting_from(dvector![0.5, 0.5]);
    let first = 1.0 / (1.0 + f64::exp(4.0 * (0.6 - 1.0)));
    let slope = 4.0 * first * (1.0 - first);
    right_or_told(&run(&inside, &simplex, &[1.0, 0.6]), &[-slope, slope]);
}

/// Curvatures from 1e-12 to 1e12: within precision the small ones are 0, and that is what is said.
#[test]
fn a_hessian_beyond_the_precision_is_not_said_to_have_residuals_of_millions() {
    let d = [1e-12, 1e-6, 1.0, 1e6, 1e12];
    let upper = objective(|_x: Var, y: Var| 0.5 * (y - 2.0).norm_squared());
    let lower = objective(move |x: Var, y: Var| {
        0.5 * y.square().dot(y.vector(&d)) - y.dot(x * y.vector(&d))
    });
    let problem = Bilevel::new(upper, lower, 5, 5).expect("a valid problem");
    let x = [1.0; 5];
    let minres = Aid::with(linear::Minres::new());
    for estimate in [run(&problem, &minres, &x), run(&problem, &Aid::cg(), &x)] {
        right_or_told(&estimate, &[-1.0; 5]);
        if let Status::InconsistentSystem { residual } = estimate.status {
            assert!(residual <= 1.0, "0 has 1: {}", estimate.status);
        }
        if !estimate.status.is_success() {
            let said = estimate.status.to_string();
            assert!(said.contains("units of like curvature"), "{said}");
        }
    }
}

/// z = x − mean(x) + ½ with the multiplier mean(x) − ½: a saddle, and the start is that point.
#[test]
fn a_saddle_that_is_meant_is_differentiated() {
    let upper = objective(|_x: Var, y: Var| 0.5 * (y.slice(0, 2) - 1.0).norm_squared());
    let lower = objective(|x: Var, y: Var| {
        let (z, m) = (y.slice(0, 2), y.at(2));
        0.5 * z.norm_squared() - x.dot(z) + m * (z.sum() - 1.0)
    });
    let problem = Bilevel::new(upper, lower, 2, 3).expect("a valid problem");
    for (x, want) in [([0.5, -0.25], [0.375, -0.375]), ([0.5, 1.0], [-0.25, 0.25])] {
        let mean = 0.5 * (x[0] + x[1]);
        let start = dvector![x[0] - mean + 0.5, x[1] - mean + 0.5, mean - 0.5];
        let at = problem.clone().starting_from(start);
        let estimate = run(&at, &Aid::with(linear::Minres::new()), &x);
        assert!(estimate.status.is_success(), "{estimate}");
        assert!((&estimate.hypergradient - dvector![want[0], want[1]]).norm() < 1e-9);
        assert!(estimate.warnings.iter().any(|w| w.contains("no minimiser")));
        // From elsewhere it is no minimiser, and so no success.
        let elsewhere = problem.clone().starting_from(dvector![0.0, 0.0, 0.0]);
        let estimate = run(&elsewhere, &Aid::cg(), &x);
        assert!(!estimate.status.is_success(), "{estimate}");
    }
}

#[test]
fn a_product_of_another_point_is_not_handed_out() {
    let g = objective(|a: Var, b: Var| (a.powi(3) + a * b.square()).sum()).record(1, 1);
    let mut point = g.point();
    point.linearise(&[&[1.0], &[1.0]]);
    point.second(&[Some(&[1.0]), None]);
    assert_eq!(point.product(0), [6.0]);
    point.linearise(&[&[5.0], &[5.0]]);
    let stale = |point: &autodiff::Point<f64>, input: usize| {
        let look = AssertUnwindSafe(|| point.product(input).to_vec());
        let thrown = catch_unwind(look).expect_err("nothing was computed");
        let said = thrown.downcast::<String>().expect("words");
        assert!(said.contains("was not computed"), "{said}");
    };
    stale(&point, 0);
    point.second_by(&[Some(&[1.0]), None], Inputs::one(1));
    stale(&point, 0);
    assert_eq!(point.product(1), [10.0]);
    point.second(&[Some(&[1.0]), None]);
    assert_eq!(point.product(0), [30.0]);
}
