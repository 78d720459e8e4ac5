//! Loops that lead nowhere, away, or not far enough.

use autodiff::unroll::Step;
use autodiff::{Var, objective};
use nalgebra::dvector;
use solvers::{Bilevel, InnerStep, Itd};

use crate::right_or_told::{fails, off, right, right_or_told, run, to_one};

fn centred(n: usize) -> Bilevel<f64> {
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    Bilevel::new(to_one(), lower, n, n).expect("a valid problem")
}

/// ¼y⁴ − ½y² has a maximum at 0, where the loop starts, and minima at ±1, where dy/dx = ½.
#[test]
fn a_maximum_that_the_loop_starts_at_is_no_success() {
    let upper = objective(|_x: Var, y: Var| y.sum());
    let well = objective(|x: Var, y: Var| (0.25 * y.powi(4) - 0.5 * y.square() - x * y).sum());
    let problem = Bilevel::new(upper, well, 1, 1).expect("a valid problem");
    for depth in [3, 30, 300] {
        fails(
            &run(&problem, &Itd::reverse(depth), &[0.0]),
            &["cotangent-grew"],
        );
        let beside = problem.clone().starting_from(dvector![0.3]);
        right_or_told(&run(&beside, &Itd::reverse(depth), &[0.0]), &[0.5]);
    }
    let beside = problem.starting_from(dvector![0.3]);
    right(&run(&beside, &Itd::reverse(300), &[0.0]), &[0.5]);
}

#[test]
fn a_level_without_a_minimum_is_no_success() {
    let upper = || objective(|_x: Var, y: Var| 0.5 * y.norm_squared());
    let line = objective(|x: Var, y: Var| x.dot(y));
    let line = Bilevel::new(upper(), line, 1, 1).expect("a valid problem");
    let tail = objective(|x: Var, y: Var| (y - x).softplus().sum());
    let tail = Bilevel::new(upper(), tail, 1, 1).expect("a valid problem");
    for depth in [10, 100, 1000] {
        for problem in [&line, &tail] {
            let estimate = run(problem, &Itd::reverse(depth), &[0.5]);
            let told = !estimate.status.is_success() || !estimate.warnings.is_empty();
            assert!(told, "{depth}: {estimate}");
        }
        fails(
            &run(&line, &Itd::reverse(depth), &[0.5]),
            &["lower-stuck", "lower-diverged"],
        );
    }
}

/// A first gradient of 0 has the published Adam divide by it.
#[test]
fn adam_through_a_zero_gradient_is_no_large_number() {
    let (problem, adam) = (centred(2), InnerStep::Adam { rate: 0.05 });
    for depth in [2, 10, 50] {
        let estimate = run(
            &problem,
            &Itd::reverse(depth).inner(adam.clone()),
            &[0.3, 0.0],
        );
        assert!(estimate.hypergradient.amax() < 2.0, "{estimate}");
        right_or_told(&estimate, &[-0.7, -1.0]);
    }
    let estimate = run(&problem, &Itd::reverse(1000).inner(adam), &[0.3, 0.0]);
    right(&estimate, &[-0.7, -1.0]);
}

/// x is the length of the problem's own gradient steps on ½y², whose limit is 2.
#[test]
fn steps_of_the_problems_own_that_are_too_long_diverge() {
    let upper = objective(|_x: Var, y: Var| 0.5 * y.norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5 * y.norm_squared() + 0.0 * x.sum());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let g = problem.lower().clone();
    let step = Step::new(1, 1, move |x, y, _| y - x * Var::gradient(&g, 1, &[x, y]));
    let problem = problem.starting_from(dvector![1.0]).with_step(step);
    for rate in [2.5, 5.0, 40.0] {
        for depth in [20, 200] {
            let estimate = run(&problem, &Itd::reverse(depth), &[rate]);
            let codes: &[&str] = if estimate.y[0].is_finite() {
                &["lower-diverged"]
            } else {
                &["lower-diverged", "non-finite"]
            };
            fails(&estimate, codes);
        }
    }
    // y_K = (1 − x)ᴷ, so h = −K(1 − x)^(2K − 1).
    let estimate = run(&problem, &Itd::reverse(3), &[0.5]);
    assert!(estimate.status.is_success() && off(&estimate, &[-3.0 * 0.5f64.powi(5)]) < 1e-12);
}

#[test]
fn a_tolerance_that_was_not_met_is_no_success() {
    let problem = centred(2);
    let x = [0.3, 0.6];
    for (depth, step) in [(20, 0.01), (5, 0.1), (100, 1e-3)] {
        let itd = Itd::reverse(depth).step(step).tolerance(1e-8);
        fails(
            &run(&problem, &itd, &x),
            &["lower-not-converged", "lower-stuck"],
        );
    }
    let enough = Itd::reverse(5000).step(0.01).tolerance(1e-8);
    let estimate = run(&problem, &enough, &x);
    right(&estimate, &[-0.7, -0.4]);
    assert_eq!(estimate.status.code(), "converged");
}
