//! The Neumann series, the fixed-point iteration and the one step.

use proptest::prelude::*;
use solvers::StepLength;
use solvers::linear::{Cg, FixedPoint, LinearSolver, Neumann, OneStep, Outcome};

use crate::linear::system::{System, definite, relative};

fn fixed(s: f64) -> StepLength {
    StepLength::Fixed(s)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_series_of_order_k_is_k_plus_one_steps_and_has_a_closed_form(
        system in definite(2.0),
        order in 0..40usize,
        portion in 0.05..1.95f64,
        seed in any::<u64>(),
    ) {
        let s = portion / system.largest();
        let series = Neumann::new().order(order).step(fixed(s));
        let steps = FixedPoint::new().steps(order + 1).step(fixed(s));
        let (a, b) = (system.solve::<f64>(&series), system.solve::<f64>(&steps));
        for (solved, count) in [(&a, order), (&b, order + 1)] {
            match solved.report.outcome {
                Outcome::Approximate => {
                    prop_assert_eq!((solved.report.iterations, solved.products), (count, order));
                }
                // A residual of exactly zero has nothing to go on with.
                Outcome::Converged => prop_assert!(system.residual(&solved.v) < 1e-14),
                other => panic!("{other:?}"),
            }
        }
        // (1 − (1 − sλ)^q)/λ for q terms.
        let q = i32::try_from(order + 1).unwrap();
        let want = system.function(|l| (1.0 - (1.0 - s * l).powi(q)) / l);
        prop_assert!(relative(&a.v, &b.v) < 1e-13, "{:e}", relative(&a.v, &b.v));
        prop_assert!(relative(&a.v, &want) < 1e-12, "{:e}", relative(&a.v, &want));
        if order == 0 {
            let one = system.solve::<f64>(&OneStep::new().step(fixed(s)));
            prop_assert!(relative(&one.v, &a.v) < 1e-15 && one.products == 0);
        }
        // From a first guess both go on with its residual.
        let start = System::new(&vec![1.0; system.dim()], seed).b;
        let (a, b) = (
            system.solve_from::<f64>(&series, &start).v,
            system.solve_from::<f64>(&steps, &start).v,
        );
        let left = system.with(&system.b - &system.h * &start);
        let want = start + left.function(|l| (1.0 - (1.0 - s * l).powi(q)) / l);
        let scale = want.norm() + 1.0;
        prop_assert!((&a - &want).norm() < 1e-12 * scale && (b - want).norm() < 1e-12 * scale);
    }

    #[test]
    fn a_step_that_is_too_long_is_reported(system in definite(1.0), factor in 2.2..10.0f64) {
        prop_assume!(system.dim() > 1);
        let length = fixed(factor / system.largest());
        let solvers: [&dyn LinearSolver<f64>; 4] = [
            &Neumann::new().step(length),
            &Neumann::new().order(300).step(length),
            &FixedPoint::new().step(length),
            &FixedPoint::new().steps(300).step(length),
        ];
        for solver in solvers {
            let solved = system.solve(solver);
            let Outcome::Diverged { growth } = solved.report.outcome else {
                panic!("{solver:?}: {:?}", solved.report);
            };
            // The largest factor is that of the largest eigenvalue.
            prop_assert!(growth > 1.0 && growth <= (factor - 1.0) * (1.0 + 1e-9));
            prop_assert!(system.residual(&solved.v) <= 1.0 + 1e-12, "the best iterate");
        }
    }

    /// A residual that grows although no eigenvalue is above 2/s proves a negative one.
    #[test]
    fn negative_curvature_is_never_called_a_long_step(
        system in definite(1.0),
        negative in proptest::collection::vec(0.05..1.0f64, 1..4),
        portion in 0.1..1.9f64,
        seed in any::<u64>(),
    ) {
        let values: Vec<f64> = (0..system.dim())
            .map(|i| 1.0 / (1.0 + i as f64))
            .chain(negative.iter().map(|l| -l))
            .collect();
        let system = System::new(&values, seed);
        let length = fixed(portion);
        let solvers: [&dyn LinearSolver<f64>; 3] = [
            &Neumann::new().step(length),
            &FixedPoint::new().step(length),
            &FixedPoint::new().steps(3000).step(length),
        ];
        for solver in solvers {
            let outcome = system.solve(solver).report.outcome;
            prop_assert!(matches!(outcome, Outcome::Negative { .. }), "{solver:?}: {outcome:?}");
        }
    }
}

#[test]
fn the_found_step_length_converges_on_any_spectrum() {
    for (k, values) in [vec![1.0; 6], vec![1e6, 1e5, 1e6], vec![1e-7, 1e-8]]
        .iter()
        .enumerate()
    {
        let system = System::new(values, k as u64);
        for solver in [
            &Neumann::new() as &dyn LinearSolver<f64>,
            &FixedPoint::new(),
        ] {
            let solved = system.solve(solver);
            assert_eq!(
                solved.report.outcome,
                Outcome::Converged,
                "{solver:?} {values:?}"
            );
            assert!(system.residual(&solved.v) < 1e-9);
        }
        let one = system.solve::<f64>(&OneStep::new());
        assert_eq!((one.products, one.report.iterations), (20, 1));
        assert!(system.residual(&one.v) < 1.0);
    }
}

#[test]
fn negative_curvature_is_told_from_a_long_step() {
    let system = System::new(&[2.0, 1.0, 0.5, -0.7], 4);
    let solvers: [&dyn LinearSolver<f64>; 3] = [
        &Neumann::new(),
        &FixedPoint::new(),
        &FixedPoint::new().steps(500).step(fixed(0.3)),
    ];
    for solver in solvers {
        let outcome = system.solve(solver).report.outcome;
        let Outcome::Negative { relative_curvature } = outcome else {
            panic!("{solver:?}: {outcome:?}");
        };
        assert!(
            (-1.0..0.0).contains(&relative_curvature),
            "{relative_curvature}"
        );
    }
}

#[test]
fn negative_curvature_is_found_where_the_residual_meets_none() {
    let saddle = System::diagonal(&[1.0, -1.0], &[1.0, 1.0]);
    for solver in [
        &Neumann::new() as &dyn LinearSolver<f64>,
        &FixedPoint::new(),
        &Cg::new(),
    ] {
        let outcome = saddle.solve(solver).report.outcome;
        let Outcome::Negative { relative_curvature } = outcome else {
            panic!("{solver:?}: {outcome:?}");
        };
        assert!(
            (relative_curvature + 1.0).abs() < 1e-15,
            "{relative_curvature}"
        );
    }
}

/// A direction without curvature is none of negative curvature.
#[test]
fn a_long_step_on_a_singular_system_is_a_long_step() {
    let system = System::diagonal(&[1.0, 0.0], &[1.0, 1.0]);
    for solver in [
        &Neumann::new().step(fixed(3.0)) as &dyn LinearSolver<f64>,
        &FixedPoint::new().step(fixed(3.0)),
    ] {
        let outcome = system.solve(solver).report.outcome;
        assert!(matches!(outcome, Outcome::Diverged { .. }), "{outcome:?}");
    }
}

/// Growth by what rounding makes of 1 proves nothing.
#[test]
fn rounding_is_no_divergence() {
    let system = System::new(&[2.0 + 15.0 * f64::EPSILON], 3);
    let outcome = system
        .solve::<f64>(&FixedPoint::new().steps(2).step(fixed(1.0)))
        .report
        .outcome;
    assert_eq!(outcome, Outcome::Approximate);
}

/// A part of b outside the range of H would make v grow without end.
#[test]
fn an_inconsistent_system_is_reported() {
    let system = System::new(&[1.0, 0.8, 0.5, 0.3, 0.0], 6);
    let want = system.solution();
    for solver in [
        &Neumann::new() as &dyn LinearSolver<f64>,
        &FixedPoint::new(),
    ] {
        let solved = system.solve(solver);
        let Outcome::Inconsistent { residual } = solved.report.outcome else {
            panic!("{solver:?}: {:?}", solved.report);
        };
        assert!((residual - system.residual(&want)).abs() < 1e-12);
        assert!(relative(&solved.v, &want) < 1e-9, "{solver:?}");
        // A consistent one is solved all the same.
        let consistent = system.with(&system.h * &system.b);
        let solved = consistent.solve(solver);
        assert_eq!(solved.report.outcome, Outcome::Converged, "{solver:?}");
        assert!(relative(&solved.v, &consistent.solution()) < 1e-8);
    }
}
