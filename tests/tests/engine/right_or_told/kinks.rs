//! Kinks: smooth functions that are made of operations with one, solutions at one, and bounds that
//! nothing presses.

use autodiff::check::Check;
use autodiff::{Objective, Var, objective};
use solvers::{Aid, AidStep, Bilevel, Constraint, Exact, InnerStep, Itd, Strategy};

use crate::right_or_told::{fails, off, right, right_or_told, run, to_one};

/// ½‖y‖² − xᵀy, the square written in five ways: y* = x.
fn squares() -> Vec<(&'static str, Bilevel<f64>)> {
    fn of(square: impl for<'r> Fn(Var<'r>) -> Var<'r>) -> Bilevel<f64> {
        let lower = objective(|x: Var, y: Var| 0.5 * square(y) - x.dot(y));
        Bilevel::new(to_one(), lower, 2, 2).expect("a valid problem")
    }
    vec![
        ("norm", of(|y| y.norm().square())),
        ("abs", of(|y| y.abs().square().sum())),
        ("hypot", of(|y| y.at(0).hypot(y.at(1)).square())),
        (
            "relu",
            of(|y| y.relu().square().sum() + (-y).relu().square().sum()),
        ),
    ]
}

#[test]
fn a_square_made_of_kinked_operations_is_the_square() {
    let strategies: [&dyn Strategy<f64>; 5] = [
        &Itd::reverse(30),
        &Itd::reverse(300),
        &Aid::cg(),
        &AidStep::new(InnerStep::GradientDescent),
        &Exact,
    ];
    for (_, problem) in &squares() {
        for x in [[0.0, 0.0], [0.4, 0.0], [0.3, -2.0]] {
            for strategy in strategies {
                let want = x.map(|x| x - 1.0);
                right(&run(problem, strategy, &x), &want);
            }
        }
    }
}

#[test]
fn sums_of_such_squares_have_their_hessian() {
    let g = objective(|x: Var, y: Var| {
        let squares = (1..4).map(|i| (y.slice(i, 1) - y.slice(i - 1, 1)).norm().square());
        Var::sum_of(squares) + 0.0 * x.sum()
    });
    let program = g.record(1, 4);
    let mut point = program.point();
    point.linearise(&[&[0.0], &[1.0, 0.0, 0.0, 1.0]]);
    point.second(&[None, Some(&[0.0, 1.0, 0.0, 0.0])]);
    assert_eq!(point.product(1), [-2.0, 4.0, -2.0, 0.0]);
}

#[test]
fn the_checker_passes_the_smooth_and_decides_nothing_at_a_kink() {
    let smooth = objective(|x: Var, y: Var| 0.5 * y.norm().square() - x.dot(y));
    let report = Check::new().objective(&smooth, &[0.3, -0.2], &[0.0, 0.0]);
    assert!(report.passed(), "{report}");
    let kink = |x: &[f64]| x[0].abs();
    let report = Check::new().gradient(kink, |x| vec![x[0].signum()], &[0.0]);
    assert!(!report.passed(), "{report}");
}

/// Two halves that only their numbers make a square: H is 2 where it should be 1.
#[test]
fn a_kink_that_a_derivative_was_taken_at_is_named() {
    let lower = objective(|x: Var, y: Var| {
        let none = x * 0.0;
        let halves = y.max(none).square() + (-y).max(none).square();
        0.5 * halves.sum() - x.dot(y)
    });
    let problem = Bilevel::new(to_one(), lower, 1, 1).expect("a valid problem");
    let strategies: [&dyn Strategy<f64>; 3] = [&Itd::reverse(30), &Aid::cg(), &Exact];
    for strategy in strategies {
        let estimate = run(&problem, strategy, &[0.0]);
        let named = |w: &String| w.contains("max at entry 0") && w.contains("kinks.rs");
        assert!(estimate.warnings.iter().any(named), "{estimate}");
        right(&run(&problem, strategy, &[0.3]), &[-0.7]);
    }
}

/// The mean of |y − t| has its minimum at the median, a kink, for all x: y does not move with x, and
/// h = ∇_xF = ½(1 − 3)² = 2. Steps go to and fro
/// over the kink, and the second derivative there is not the solution's.
#[test]
fn a_solution_at_a_kink_is_told() {
    let upper = objective(|x: Var, y: Var| 0.5 * x.sum() * (y - 3.0).norm_squared());
    let lower = objective(|x: Var, y: Var| {
        let t = y.vector(&[-4.0, 1.0, 5.0]);
        (y - t).abs().mean() + 0.5 * x.exp() * y.norm_squared()
    });
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let strategies: [&dyn Strategy<f64>; 6] = [
        &Itd::reverse(3000),
        &Itd::reverse(9000).step(0.001),
        &Itd::reverse(3000).tolerance(1e-6),
        &Aid::cg(),
        &AidStep::new(InnerStep::GradientDescent).limit(3000),
        &Exact,
    ];
    for strategy in strategies {
        right_or_told(&run(&problem, strategy, &[-2.0]), &[2.0]);
    }
}

/// y* = max(0, 2x) at x = 0, whose derivative is 2 on one side and 0 on the other.
#[test]
fn a_bound_that_nothing_presses_is_named() {
    let upper = objective(|_x: Var, y: Var| y.sum());
    let lower = objective(|x: Var, y: Var| (y - 2.0 * x).norm_squared());
    let problem = Bilevel::new(upper, lower, 3, 3).expect("a valid problem");
    let low = Constraint::Box {
        low: 0.0,
        high: f64::INFINITY,
    };
    let problem = problem.with_part(low.into()).expect("a valid part");
    let strategies: [&dyn Strategy<f64>; 4] = [
        &AidStep::new(InnerStep::GradientDescent),
        &Itd::reverse(300),
        &Aid::cg(),
        &Exact,
    ];
    for strategy in strategies {
        let estimate = run(&problem, strategy, &[1.0, 0.0, -1.0]);
        let named = estimate.warnings.iter().any(|w| w.contains("entry 1 of y"));
        assert!(named, "{estimate}");
        assert!(estimate.hypergradient[1] >= -1e-9 && estimate.hypergradient[1] <= 2.0 + 1e-9);
        right(
            &run(&problem, strategy, &[1.0, 0.5, -1.0]),
            &[2.0, 2.0, 0.0],
        );
    }
}

/// With a kink between y and a minimum that steps cannot reach, no status is a success.
#[test]
fn the_absolute_value_has_no_curvature_to_differentiate() {
    let lower = objective(|x: Var, y: Var| (y - x).abs().sum());
    let problem = Bilevel::new(to_one(), lower, 1, 1).expect("a valid problem");
    for x in [0.3, 0.7, -1.1] {
        let estimate = run(&problem, &Aid::cg(), &[x]);
        let codes = [
            "singular-hessian",
            "lower-inaccurate",
            "lower-not-converged",
        ];
        fails(&estimate, &codes);
        assert!(off(&estimate, &[x - 1.0]).is_finite());
    }
}
