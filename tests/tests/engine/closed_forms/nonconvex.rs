//! Lower levels that are not convex: right on the branch they end on, and honest elsewhere.

use std::f64::consts::PI;

use models::{Task, shifted_sines, sine_product};
use nalgebra::{DVector, dvector};
use solvers::{
    Aid, AidStep, Bilevel, Constraint, Descent, Estimate, Exact, InnerStep, Itd, Optimiser, Status,
    Strategy,
};

use super::{at, close, run};

#[test]
fn every_strategy_is_right_on_the_branch_of_its_start() {
    let task = shifted_sines::<f64>();
    let known = task.known.clone().expect("a closed form");
    for x in [1.8, 2.0, 2.4] {
        let want = (known.hypergradient)(&dvector![x])[0];
        for strategy in [
            &Aid::cg() as &dyn Strategy<f64>,
            &Aid::direct(),
            &Exact,
            &Itd::reverse(200).step(0.5),
        ] {
            let estimate = at(&task, strategy, x);
            assert!(estimate.status.is_success(), "{estimate}");
            close(estimate.hypergradient[0], want, 1e-9);
        }
    }
}

#[test]
fn descent_finds_the_solution_of_the_branch() {
    let task = shifted_sines::<f64>();
    let rule = Optimiser::GradientDescent { rate: 0.1 };
    let (x, y) = run(&Descent::new(Aid::cg(), rule, 60), &task, task.x.clone());
    close(x[0], PI - 2.0 / 3.0, 1e-8);
    let upper = (x[0] - 2.0).powi(2) + y.add_scalar(-4.0).norm_squared();
    close(y[0], 4.237463, 1e-6);
    close(upper, 0.338332, 1e-6);
}

/// The hypergradient of `shifted_sines` at x = 2 from this y.
fn from(y: f64) -> (Estimate<f64>, Bilevel<f64>) {
    let problem = shifted_sines::<f64>()
        .bilevel
        .starting_from(DVector::from_element(2, y));
    let mut work = problem.workspace();
    let estimate = Aid::cg().hypergradient(&problem, &dvector![2.0], &mut work);
    (estimate.expect("valid settings"), problem)
}

#[test]
fn another_start_ends_on_another_branch_with_that_ones_hypergradient() {
    let (near, _) = from(4.0);
    // x + y − 2 = −π/2 is where the sine is least next to 0.
    let (other, _) = from(-1.0);
    assert!(near.status.is_success() && other.status.is_success());
    close(other.y[0], -PI / 2.0, 1e-9);
    close(other.hypergradient[0], -4.0 * (-PI / 2.0 - 4.0), 1e-8);
    assert!((near.hypergradient[0] - other.hypergradient[0]).abs() > 1.0);
}

#[test]
fn a_stationary_point_that_is_no_minimum_is_reported() {
    // The top of the sine: ∇_y g = 0 to rounding, and the Hessian is −I.
    let (top, _) = from(PI / 2.0);
    assert!(
        matches!(top.status, Status::NegativeCurvature { .. }),
        "{top}"
    );
}

/// With |y| ≤ 2.
fn held() -> Task<f64> {
    let task = sine_product::<f64>();
    let inside = Constraint::Box {
        low: -2.0,
        high: 2.0,
    };
    let bilevel = task.bilevel.with_part(inside.into()).expect("a valid part");
    Task { bilevel, ..task }
}

#[test]
fn a_solution_held_at_its_bound_moves_with_the_bound() {
    let (task, held) = (sine_product::<f64>(), held());
    for (x, want, y) in [(9.0, 1.0, -5.5 * PI / 9.0), (8.5, -1.0, -2.0)] {
        let step = AidStep::new(InnerStep::GradientDescent);
        for strategy in [
            &step as &dyn Strategy<f64>,
            &Itd::reverse(300),
            &Aid::cg(),
            &Exact,
        ] {
            let estimate = at(&held, strategy, x);
            assert!(estimate.status.is_success(), "{estimate}");
            close(estimate.y[0], y, 1e-8);
            close(estimate.hypergradient[0], want, 1e-7);
        }
        // Without the constraint the branch goes on.
        close(at(&task, &Exact, x).hypergradient[0], 1.0, 1e-8);
    }
}

#[test]
fn descent_ends_at_the_kink() {
    let task = held();
    let rate = 0.01;
    let rule = Optimiser::GradientDescent { rate };
    let method = Descent::new(AidStep::new(InnerStep::GradientDescent), rule, 80).bounds(1.0, 10.0);
    let (x, y) = run(&method, &task, task.x.clone());
    close(x[0], 2.75 * PI, 1.5 * rate);
    close(y[0], -2.0, 0.01);
}
