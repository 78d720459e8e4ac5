//! Loops that end at a tolerance.

use autodiff::unroll::Memory;
use nalgebra::{DMatrix, dvector};
use solvers::{Exact, InnerStep, Itd, Status};

use crate::inner::{beside, close, curved, kinds, point, quadratic, run};

#[test]
fn a_loop_ends_where_the_lower_level_is_solved() {
    let (problem, x) = (curved(4), point(4));
    let exact = run(&problem, &Exact, &x).hypergradient;
    let mut depth = 0;
    for tolerance in [1e-3, 1e-6, 1e-10] {
        for inner in [
            InnerStep::GradientDescent,
            InnerStep::Momentum(0.5),
            InnerStep::Nesterov(0.5),
        ] {
            let itd = Itd::reverse(5000).inner(inner.clone()).tolerance(tolerance);
            let estimate = run(&problem, &itd, &x);
            assert_eq!(estimate.status, Status::Converged, "{inner}: {estimate}");
            assert!(estimate.lower_residual <= tolerance, "{inner}: {estimate}");
            assert!(estimate.linear_residual.expect("a tolerance") <= tolerance);
            assert!(estimate.warnings.is_empty(), "{estimate}");
            close(&estimate.hypergradient, &exact, 100.0 * tolerance);
            if inner == InnerStep::GradientDescent {
                assert!(estimate.lower_iterations > depth, "{estimate}");
                depth = estimate.lower_iterations;
            }
        }
    }
    assert!(depth < 1000, "{depth}");
}

#[test]
fn it_is_the_loop_of_the_depth_that_it_reached() {
    for (inner, part) in kinds() {
        let (problem, x) = (beside(curved(4), part), point(4));
        let itd = Itd::reverse(3000).inner(inner.clone()).tolerance(1e-4);
        let online = run(
            &problem,
            &itd.clone().memory(Memory::Online { slots: 4 }),
            &x,
        );
        if matches!(inner, InnerStep::Adam { .. }) {
            // Its rate does not fall, but on this problem it comes near enough.
            assert!(online.status.is_success(), "{online}");
        }
        let depth = online.lower_iterations;
        assert!(depth < 3000, "{inner} {part:?}: {online}");
        let counted = run(&problem, &Itd::reverse(depth).inner(inner.clone()), &x);
        assert_eq!(
            online.hypergradient, counted.hypergradient,
            "{inner} {part:?}"
        );
        for memory in [Memory::Stored, Memory::Taped] {
            let other = run(&problem, &itd.clone().memory(memory), &x);
            assert_eq!(
                other.hypergradient, online.hypergradient,
                "{inner} {part:?} {memory}"
            );
            assert_eq!(other.lower_iterations, depth, "{inner} {part:?} {memory}");
        }
    }
}

#[test]
fn a_warm_start_does_not_cut_the_derivative_short() {
    // At y* nothing is left to solve, and the derivative is as far as ever.
    let (a, x) = (DMatrix::from_element(1, 1, 2.0), dvector![0.3]);
    let problem = quadratic(&a, &[1.0]).starting_from(x.clone());
    let itd = Itd::reverse(1000).step(0.05).tolerance(1e-9);
    let warm = run(&problem, &itd, &x);
    assert_eq!(warm.status, Status::Converged);
    assert!(warm.lower_iterations > 100, "{warm}");
    assert!(
        (warm.hypergradient[0] - (2.0 * 0.3 - 1.0)).abs() < 1e-8,
        "{warm}"
    );
    // A truncated loop is what was asked for: there the tolerance is on y.
    let cut = run(&problem, &itd.memory(Memory::Truncated { steps: 1 }), &x);
    assert!(cut.lower_iterations < 10, "{cut}");
}

#[test]
fn a_loop_that_is_too_short_says_so() {
    let (problem, x) = (curved(4), point(4));
    let itd = Itd::reverse(5).step(0.05).tolerance(1e-8);
    let estimate = run(&problem, &itd, &x);
    let (residual, tolerance) = (estimate.lower_residual, 1e-8);
    assert!(residual > 0.1, "{estimate}");
    let short = Status::LowerNotConverged {
        residual,
        tolerance,
    };
    assert_eq!(estimate.status, short);
    assert_eq!(estimate.lower_iterations, 5);
    // The hypergradient is still that of five steps.
    let counted = run(&problem, &Itd::reverse(5).step(0.05), &x);
    assert_eq!(estimate.hypergradient, counted.hypergradient);
    assert_eq!(counted.linear_residual, None);
}

#[test]
fn the_residual_costs_a_gradient_only_where_the_step_does_not_show_it() {
    let (problem, x) = (curved(4), point(4));
    let gradients = |itd: Itd| {
        let e = run(&problem, &itd, &x);
        (e.lower_iterations, e.oracles.lower.gradients)
    };
    // A tolerance out of reach: the same 20 steps with and without it.
    let with = |inner| Itd::reverse(20).step(0.1).inner(inner).tolerance(1e-30);
    let without = |inner| Itd::reverse(20).step(0.1).inner(inner);
    let plain = InnerStep::GradientDescent;
    assert_eq!(gradients(with(plain.clone())), gradients(without(plain)));
    let ball = InnerStep::Momentum(0.5);
    let (depth, more) = gradients(with(ball.clone()));
    assert_eq!((depth, more), (20, gradients(without(ball)).1 + 19));
}
