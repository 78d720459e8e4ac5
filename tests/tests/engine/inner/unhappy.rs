//! What goes wrong, and that it is said.

use autodiff::{Var, objective};
use models::closed_form;
use nalgebra::{DMatrix, DVector, dvector};
use solvers::{
    AidStep, Bilevel, Constraint, Exact, InnerStep, Itd, ProblemError, Status, StepSystem, Strategy,
};

use crate::inner::{beside, cube, kinds, quadratic, run, soft};

#[test]
fn a_step_that_is_too_long_is_divergence() {
    let (a, x) = (DMatrix::from_element(1, 1, 1.0), dvector![0.3]);
    for (inner, part) in [
        (InnerStep::GradientDescent, None),
        (InnerStep::Nesterov(0.5), None),
        (InnerStep::Fista, None),
        (InnerStep::GradientDescent, Some(cube(-1e9, 1e9).into())),
        (InnerStep::GradientDescent, Some(soft(1e-3))),
    ] {
        let problem = beside(quadratic(&a, &[1.0]), part);
        let itd = Itd::reverse(12).step(4.5).inner(inner.clone());
        let estimate = run(&problem, &itd, &x);
        let diverged = matches!(estimate.status, Status::LowerDiverged { .. });
        assert!(diverged, "{inner}: {}", estimate.status);
        assert!(estimate.status.to_string().contains("shorter step"));
        // A tolerance does not hide it.
        let stopping = run(&problem, &itd.tolerance(1e-6), &x);
        assert!(
            !stopping.status.is_success(),
            "{inner}: {}",
            stopping.status
        );
        let aid = run(
            &problem,
            &AidStep::new(inner.clone()).step(4.5).limit(12),
            &x,
        );
        assert!(!aid.status.is_success(), "{inner}: {}", aid.status);
    }
    // Until numbers end: the loop stops there, and the step is named.
    let problem = quadratic(&a, &[1.0]);
    for strategy in [
        &Itd::reverse(100_000).step(4.5).tolerance(1e-6) as &dyn Strategy<f64>,
        &AidStep::new(InnerStep::GradientDescent).step(4.5),
    ] {
        let estimate = run(&problem, strategy, &x);
        let Status::NonFinite { place } = &estimate.status else {
            panic!("{estimate}");
        };
        assert!(place.contains("step"), "{place}");
        assert!(estimate.lower_iterations < 2000, "{estimate}");
    }
}

#[test]
fn an_entry_held_in_a_set_cannot_diverge() {
    // The step is too long, and the box holds y: what is left is a residual, and said.
    let problem = quadratic(&DMatrix::from_element(1, 1, 1.0), &[1.0]);
    let problem = beside(problem, Some(cube(-1.0, 1.0).into()));
    let itd = Itd::reverse(31).step(4.5).tolerance(1e-6);
    let estimate = run(&problem, &itd, &dvector![0.3]);
    assert!(estimate.lower_residual > 0.1, "{estimate}");
    assert_ne!(estimate.status, Status::Converged);
}

#[test]
fn one_step_of_one_entry_is_as_good_as_many() {
    let smooth = quadratic(&DMatrix::from_element(1, 1, 2.0), &[1.0]);
    for (inner, part) in kinds() {
        let problem = beside(smooth.clone(), part);
        let estimate = run(
            &problem,
            &Itd::reverse(1).inner(inner.clone()),
            &dvector![0.3],
        );
        assert!(estimate.hypergradient[0].is_finite(), "{inner}: {estimate}");
        assert_eq!(estimate.lower_iterations, 1);
        let aid = AidStep::new(inner.clone()).system(StepSystem::Gmres { restart: 1 });
        if Strategy::<f64>::validate(&aid).is_ok() {
            let estimate = run(&problem, &aid, &dvector![0.3]);
            assert!(estimate.status.is_success(), "{inner}: {estimate}");
        }
    }
    // On the simplex of one entry y is 1 whatever x is.
    let problem = beside(smooth, Some(Constraint::Simplex.into()));
    let held: [&dyn Strategy<f64>; 2] = [&AidStep::new(InnerStep::GradientDescent), &Exact];
    for strategy in held {
        let estimate = run(&problem, strategy, &dvector![0.3]);
        assert_eq!((estimate.y[0], estimate.hypergradient[0]), (1.0, 0.3));
    }
}

#[test]
fn a_variable_without_entries_is_refused() {
    let make = |dim_x, dim_y| {
        let lower = objective(|x: Var, y: Var| (y.sum() - x.sum()).square());
        let upper = objective(|_: Var, y: Var| y.sum().square());
        Bilevel::<f64>::new(upper, lower, dim_x, dim_y).err()
    };
    assert_eq!(make(0, 1), Some(ProblemError::Empty { level: "outer" }));
    assert_eq!(make(1, 0), Some(ProblemError::Empty { level: "inner" }));
    assert_eq!(make(1, 1), None);
}

#[test]
fn a_flat_lower_level_has_no_fixed_point_to_differentiate() {
    let problem = closed_form::bda_counterexample::<f64>(1).bilevel;
    for system in [StepSystem::Iteration, StepSystem::Gmres { restart: 5 }] {
        let aid = AidStep::new(InnerStep::GradientDescent)
            .step(0.2)
            .limit(500);
        let estimate = run(&problem, &aid.system(system), &dvector![0.3]);
        let stopped = matches!(estimate.status, Status::LinearNotConverged { .. });
        assert!(stopped, "{estimate}");
        assert!(
            estimate.warnings[0].contains("more than one solution"),
            "{estimate}"
        );
    }
    // A box that holds the flat direction at its bound makes it one.
    let lower = objective(|x: Var, y: Var| 0.5 * (y.at(0) - x).square() + 1e-3 * y.at(1));
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 2).expect("valid");
    let problem = beside(problem, Some(cube(0.0, 1.0).into()));
    let fixed_point = AidStep::new(InnerStep::GradientDescent).step(0.5);
    for strategy in [&fixed_point as &dyn Strategy<f64>, &Exact] {
        let estimate = run(&problem, strategy, &dvector![0.3]);
        assert!(estimate.status.is_success(), "{estimate}");
        assert!((estimate.hypergradient[0] + 0.7).abs() < 1e-9, "{estimate}");
    }
}

#[test]
fn steps_that_go_to_and_fro_are_told_to_be_shorter() {
    let problem = quadratic(&DMatrix::identity(2, 2), &[0.3, 0.6]);
    let aid = AidStep::new(InnerStep::GradientDescent)
        .step(2.0)
        .limit(100);
    let estimate = run(&problem, &aid, &dvector![0.3, 0.6]);
    assert_eq!(estimate.status.code(), "lower-not-converged", "{estimate}");
    assert_eq!(estimate.lower_iterations, 100);
    let said = &estimate.warnings[0];
    assert!(said.contains("take a shorter one"), "{estimate}");
}

#[test]
fn nothing_to_differentiate_gives_nothing() {
    // ∇_yF = 0 at the solution: the linear system has the solution 0, and no residual to divide by.
    let problem = quadratic(&DMatrix::identity(2, 2), &[0.3, 0.6]);
    for system in [StepSystem::Iteration, StepSystem::Gmres { restart: 5 }] {
        let aid = AidStep::new(InnerStep::GradientDescent).system(system);
        let x = dvector![0.3, 0.6];
        let problem = quadratic(&DMatrix::identity(2, 2), &[0.3, 0.5]);
        let problem = beside(problem, Some(cube(0.0, 0.5).into()));
        let estimate = run(&problem, &aid.step(1.0), &x);
        assert!(estimate.status.is_success(), "{estimate}");
        assert_eq!(estimate.linear_residual, Some(0.0));
        assert_eq!(estimate.hypergradient, x);
    }
    let itd = Itd::reverse(50).step(1.0).tolerance(1e-9);
    let estimate = run(&problem, &itd, &dvector![0.3, 0.6]);
    assert_eq!(estimate.hypergradient, DVector::from_row_slice(&[0.3, 0.6]));
    assert_eq!(estimate.linear_residual, Some(0.0));
}

#[test]
fn settings_of_the_fixed_point_are_checked() {
    let aid = |inner| AidStep::new(inner);
    let smooth = aid(InnerStep::GradientDescent);
    for (strategy, part) in [
        (
            &aid(InnerStep::Adam { rate: 0.1 }) as &dyn Strategy<f64>,
            "divides by what it has moved",
        ),
        (
            &smooth.clone().limit(0),
            "at most 0 steps: expected at least 1",
        ),
        (
            &smooth.clone().tolerance(-1.0),
            "tolerance -1: expected a positive number",
        ),
        (
            &smooth.clone().step(0.0),
            "step length 0: expected a positive number",
        ),
        (
            &smooth.system(StepSystem::Gmres { restart: 0 }),
            "restart after 0 iterations: expected at least 1",
        ),
    ] {
        let error = strategy.validate().expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}
