//! The solvers inside implicit differentiation: identities with unrolling, statuses and settings.

use autodiff::{Var, objective};
use models::closed_form;
use nalgebra::{DMatrix, DVector, dvector};
use proptest::prelude::*;
use solvers::arbitrary::problem;
use solvers::linear::{Cg, FixedPoint, LinearSolver, Minres, Neumann, Nystrom, OneStep};
use solvers::{Aid, Bilevel, Estimate, Exact, Itd, Status, StepLength, Strategy};

use crate::linear::all_solvers;
use crate::linear::system::System;

fn fixed(s: f64) -> StepLength {
    StepLength::Fixed(s)
}

pub(super) fn run(
    problem: &Bilevel<f64>,
    x: &DVector<f64>,
    strategy: &dyn Strategy<f64>,
) -> Estimate<f64> {
    strategy
        .hypergradient(problem, x, &mut problem.workspace())
        .expect("valid settings")
}

/// g = ½ yᵀHy − xᵀy and F = bᵀy, so that the hypergradient is the solution v = H⁺b.
pub(super) fn problem_of(system: &System) -> Bilevel<f64> {
    let n = system.dim();
    let (h, b) = (
        system.h.clone(),
        DMatrix::from_row_slice(1, n, system.b.as_slice()),
    );
    let lower = objective(move |x: Var, y: Var| 0.5 * y.dot(&h * y) - x.dot(y));
    let upper = objective(move |_x: Var, y: Var| (&b * y).sum());
    Bilevel::new(upper, lower, n, n).expect("a valid problem")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn unrolling_from_the_solution_is_the_fixed_point_iteration(
        drawn in problem(),
        depth in 1..60usize,
    ) {
        let (bilevel, x) = (drawn.bilevel::<f64>(), drawn.x());
        let solution = run(&bilevel, &x, &Exact).y;
        let bilevel = bilevel.starting_from(solution);
        let s = 1.0 / drawn.constants().smoothness;
        let unrolled = run(&bilevel, &x, &Itd::reverse(depth).step(s)).hypergradient;
        // The lower level is solved already: its solver takes no step.
        let implicit = |linear: &dyn Fn() -> Box<dyn Strategy<f64>>| run(&bilevel, &x, &*linear());
        let mut same = vec![
            implicit(&|| {
                let steps = FixedPoint::new().steps(depth).step(fixed(s));
                Box::new(Aid::with(steps).lower_tolerance(1e-6))
            }),
            implicit(&|| {
                let series = Neumann::new().order(depth - 1).step(fixed(s));
                Box::new(Aid::with(series).lower_tolerance(1e-6))
            }),
        ];
        if depth == 1 {
            let one = OneStep::new().step(fixed(s));
            same.push(run(&bilevel, &x, &Aid::with(one).lower_tolerance(1e-6)));
        }
        for estimate in same {
            let error = (&estimate.hypergradient - &unrolled).norm();
            prop_assert!(error < 1e-11 * (1.0 + unrolled.norm()), "{error:e} {estimate}");
        }
    }

    #[test]
    fn every_solver_to_a_tolerance_gives_the_exact_hypergradient(mut drawn in problem()) {
        drawn.decades = drawn.decades.min(2.0);
        let (bilevel, x) = (drawn.bilevel::<f64>(), drawn.x());
        let exact = run(&bilevel, &x, &Exact).hypergradient;
        let strategies: [&dyn Strategy<f64>; 5] = [
            &Aid::with(Cg::new()),
            &Aid::with(Minres::new()),
            &Aid::with(Neumann::new()),
            &Aid::with(FixedPoint::new()),
            &Aid::with(Nystrom::new(usize::MAX)),
        ];
        for strategy in strategies {
            let estimate = run(&bilevel, &x, strategy);
            prop_assert_eq!(&estimate.status, &Status::Converged, "{}", estimate);
            let error = (&estimate.hypergradient - &exact).norm() / (1.0 + exact.norm());
            prop_assert!(error < 1e-7, "{}: {error:e}", strategy.name());
        }
    }
}

/// F = ½(y−1)² + ½x², g = ½·2(y−x)²: x + (1 − (1−sa)^q)(y_K − 1) with q terms.
#[test]
fn the_truncated_series_of_the_scalar_problem() {
    let problem = closed_form::scalar::<f64>().bilevel;
    let (a, s, depth, x) = (2.0_f64, 0.2_f64, 5, 0.3);
    let y = (1.0 - (1.0 - s * a).powi(5)) * x;
    for q in 1..12 {
        let want = x + (1.0 - f64::powi(1.0 - s * a, q)) * (y - 1.0);
        let q = q as usize;
        let linear: [&dyn Strategy<f64>; 2] = [
            &Aid::with(Neumann::new().order(q - 1).step(fixed(s))).lower_steps(depth, fixed(s)),
            &Aid::with(FixedPoint::new().steps(q).step(fixed(s))).lower_steps(depth, fixed(s)),
        ];
        for strategy in linear {
            let estimate = run(&problem, &dvector![x], strategy);
            let error = (estimate.hypergradient[0] - want).abs();
            assert!(error < 1e-15, "{q}: {estimate}");
            let Status::LinearApproximate { residual } = estimate.status else {
                panic!("{estimate}");
            };
            assert!((residual - (1.0 - s * a).powi(q as i32)).abs() < 1e-14);
        }
    }
}

#[test]
fn the_residual_of_one_step_is_recomputed() {
    let system = System::new(&[3.0, 2.0, 1.0, 0.5], 5);
    let (problem, x) = (problem_of(&system), DVector::zeros(4));
    let estimate = run(&problem, &x, &Aid::with(OneStep::new().step(fixed(0.3))));
    assert!((&estimate.hypergradient - &system.b * 0.3).norm() < 1e-15);
    let want = system.residual(&(&system.b * 0.3));
    assert!((estimate.linear_residual.unwrap() - want).abs() < 1e-14);
    assert!(
        matches!(estimate.status, Status::LinearApproximate { .. }),
        "{estimate}"
    );
    assert!(estimate.status.is_success());
}

/// A spectrum of 24 values, too many for the probe of small problems.
pub(super) fn spectrum(first: f64) -> Vec<f64> {
    let mut values: Vec<f64> = (0..24).map(|i| 1.0 + f64::from(i) / 8.0).collect();
    values[0] = first;
    values
}

#[test]
fn statuses_say_what_is_wrong_and_what_to_do() {
    let (definite, singular, indefinite) = (
        System::new(&spectrum(1.0), 1),
        System::new(&spectrum(0.0), 1),
        System::new(&spectrum(-1.0), 1),
    );
    let long = fixed(10.0);
    // From a start that is stationary even where the lower level has no minimiser.
    let x = DVector::zeros(24);
    let code = |system: &System, linear: &dyn Strategy<f64>| {
        let estimate = run(&problem_of(system), &x, linear);
        let status = estimate.status;
        assert!(!status.is_success(), "{status}");
        assert!(estimate.hypergradient.iter().all(|v| v.is_finite()));
        (status.code(), status.to_string())
    };
    for (system, linear, want, remedy) in [
        (
            &definite,
            &Aid::with(Neumann::new().step(long)) as &dyn Strategy<f64>,
            "linear-diverged",
            "step",
        ),
        (
            &definite,
            &Aid::with(FixedPoint::new().steps(9).step(long)),
            "linear-diverged",
            "step",
        ),
        (
            &definite,
            &Aid::with(Minres::new().max_iterations(2)),
            "linear-not-converged",
            "iterations",
        ),
        (
            &definite,
            &Aid::with(Neumann::new().max_iterations(2)),
            "linear-not-converged",
            "iterations",
        ),
        (
            &singular,
            &Aid::with(Minres::new()),
            "inconsistent-system",
            "BDA",
        ),
        (
            &singular,
            &Aid::with(Neumann::new()),
            "inconsistent-system",
            "BDA",
        ),
        (
            &singular,
            &Aid::with(FixedPoint::new()),
            "inconsistent-system",
            "BDA",
        ),
        (
            &singular,
            &Aid::with(Nystrom::new(24)),
            "singular-hessian",
            "BDA",
        ),
        (
            &indefinite,
            &Aid::with(Neumann::new()),
            "negative-curvature",
            "further",
        ),
        (
            &indefinite,
            &Aid::with(FixedPoint::new()),
            "negative-curvature",
            "further",
        ),
        (
            &indefinite,
            &Aid::with(Nystrom::new(24)),
            "negative-curvature",
            "further",
        ),
    ] {
        let (got, words) = code(system, linear);
        assert_eq!(got, want, "{}: {words}", linear.name());
        assert!(words.contains(remedy), "{words}");
    }
    // At a stationary start the saddle may be what is meant: minres solves for it, and says so.
    let saddle = run(&problem_of(&indefinite), &x, &Aid::with(Minres::new()));
    assert_eq!(saddle.status, Status::Converged, "{saddle}");
    assert!(saddle.warnings[0].contains("no minimiser"), "{saddle}");
    // What has no products of its own is judged along its answer.
    let along = System::diagonal(&spectrum(-1.0), dvector![1.0].resize(24, 1, 0.0).as_slice());
    assert_eq!(
        code(&along, &Aid::with(OneStep::new())).0,
        "negative-curvature"
    );
    // The answers of minimal residuals are those of the pseudo-inverse all the same.
    for system in [&singular, &indefinite] {
        let got = run(&problem_of(system), &x, &Aid::with(Minres::new())).hypergradient;
        assert!((got - system.solution()).norm() < 1e-6 * system.b.norm());
    }
}

#[test]
fn the_counter_example_is_never_answered_in_silence() {
    let problem = closed_form::bda_counterexample::<f64>(1).bilevel;
    fn named<L: LinearSolver<f64> + 'static>(linear: L) -> Box<dyn Strategy<f64>> {
        Box::new(Aid::with(linear))
    }
    for x in [0.0, 0.3, 2.0] {
        for strategy in [
            named(Minres::new()),
            named(Neumann::new()),
            named(FixedPoint::new().steps(7)),
            named(Nystrom::new(1)),
            named(OneStep::new()),
        ] {
            let code = run(&problem, &dvector![x], &*strategy).status.code();
            let said = ["singular-hessian", "inconsistent-system"].contains(&code);
            assert!(said, "{} at {x}: {code}", strategy.name());
        }
    }
}

#[test]
fn settings_are_checked_before_any_work() {
    let complaint = |linear: &dyn LinearSolver<f64>| linear.complaint().unwrap_or_default();
    let cases: [(&dyn LinearSolver<f64>, &[&str]); 10] = [
        (&Cg::new().tolerance(-1.0), &["tolerance -1", "positive"]),
        (
            &Minres::new().tolerance(f64::NAN),
            &["tolerance NaN", "positive"],
        ),
        (&Neumann::new().tolerance(0.0), &["tolerance 0", "positive"]),
        (
            &Neumann::new().order(5).tolerance(1e-3),
            &["order 5", "0.001", "one of them"],
        ),
        (
            &Neumann::new().order(5).max_iterations(9),
            &["order 5", "9", "one of them"],
        ),
        (
            &Neumann::new().step(fixed(-1.0)),
            &["step length -1", "positive"],
        ),
        (&FixedPoint::new().steps(0), &["steps 0", "at least 1"]),
        (&Nystrom::new(0), &["rank 0", "at least 1"]),
        (
            &Nystrom::new(2).damping(-0.1),
            &["damping -0.1", "positive"],
        ),
        (
            &OneStep::new().step(fixed(f64::INFINITY)),
            &["step length inf", "positive"],
        ),
    ];
    for (linear, words) in cases {
        for word in words {
            assert!(
                complaint(linear).contains(word),
                "{linear:?}: {}",
                complaint(linear)
            );
        }
    }
    assert!(all_solvers::<f64>().iter().all(|s| s.complaint().is_none()));
    let aid = Aid::with(Nystrom::new(0));
    let error = Strategy::<f64>::validate(&aid).unwrap_err().to_string();
    assert_eq!(error, "aid-nystrom: rank 0: expected at least 1");
}
