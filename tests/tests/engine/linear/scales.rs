//! What an answer may not depend on, and what a solver does where there is no end to come to.

use autodiff::Meter;
use nalgebra::{DMatrix, DVector, dvector};
use solvers::linear::{
    Cg, Direct, FixedPoint, LinearSolver, Minres, Neumann, Nystrom, OneStep, Outcome, solve,
};

use crate::linear::system::{Solved, System};
use crate::linear::{Solver, exact_solvers};

#[test]
fn names_are_those_of_the_records() {
    let names = [
        LinearSolver::<f64>::name(&Cg::new()),
        LinearSolver::<f64>::name(&Direct),
        LinearSolver::<f64>::name(&FixedPoint::new()),
        LinearSolver::<f64>::name(&Minres::new()),
        LinearSolver::<f64>::name(&Neumann::new()),
        LinearSolver::<f64>::name(&Nystrom::new(3)),
        LinearSolver::<f64>::name(&OneStep::new()),
    ];
    let expected = [
        "cg",
        "direct",
        "fixed-point",
        "minres",
        "neumann",
        "nystrom",
        "one-step",
    ];
    assert_eq!(names, expected);
}

/// Definite, indefinite, and singular ones with and without a solution.
fn systems() -> Vec<System> {
    let mut systems = Vec::new();
    for seed in 0..8 {
        let values = |f: fn(f64) -> f64| (0..7).map(|i| f(f64::from(i))).collect::<Vec<_>>();
        systems.push(System::new(&values(|i| 1.0 + i), seed));
        systems.push(System::new(&values(|i| 1.5 - i), seed));
        let singular = System::new(&values(|i| i), seed);
        systems.push(singular.with(&singular.h * &singular.b));
        systems.push(singular);
    }
    // Along the first residual there is no curvature, though H is regular.
    systems.push(System::diagonal(&[1.0, -1.0], &[1.0, 1.0]));
    systems
}

/// H 2ᵏ has the same answer, scaled, after the same iterations, with the same outcome.
#[test]
fn the_scale_of_a_system_does_not_matter() {
    let exactly: [Solver<f64>; 4] = [
        Box::new(Cg::new()),
        Box::new(Minres::new()),
        Box::new(Neumann::new()),
        Box::new(FixedPoint::new()),
    ];
    for system in systems() {
        for exponent in [-100, -30, 30, 100] {
            let scale = 2f64.powi(exponent);
            let other = system.scaled(scale);
            for solver in &exactly {
                let (one, two) = (system.solve(&**solver), other.solve(&**solver));
                assert_eq!(one.report, two.report, "{solver:?}, 2^{exponent}");
                assert_eq!(one.v, two.v * scale, "{solver:?}, 2^{exponent}");
            }
            // Libraries for dense matrices round otherwise.
            let solver: &dyn LinearSolver<f64> = &Direct;
            let (one, two) = (system.solve(solver), other.solve(solver));
            let kind = |s: &Solved| std::mem::discriminant(&s.report.outcome);
            assert_eq!(kind(&one), kind(&two), "{solver:?}, 2^{exponent}");
            let off = (&one.v - two.v * scale).norm();
            assert!(
                off <= 1e-12 * one.v.norm(),
                "{solver:?}, 2^{exponent}: {off:e}"
            );
        }
    }
}

#[test]
fn no_curvature_along_one_residual_is_no_singular_system() {
    for scale in [1e-9, 1.0, 1e9] {
        let system = System::diagonal(&[1.0, -1.0], &[1.0, 1.0]).scaled(scale);
        let solved = system.solve::<f64>(&Minres::new());
        // Nor is there any along the answer: nothing that was computed tells that H is indefinite.
        assert_eq!(solved.report.outcome, Outcome::Converged);
        let want = dvector![1.0, -1.0] / scale;
        assert!(
            (&solved.v - &want).norm() <= 1e-14 * want.norm(),
            "{solved:?}"
        );
    }
}

/// ‖Hr‖ is small beside ‖r‖ for an ill-conditioned H as for a singular one; rᵀHr tells them apart.
#[test]
fn an_ill_conditioned_system_is_no_singular_one() {
    for least in [1e-8, 1e-10] {
        let system = System::diagonal(&[1.0, least], &[1e-3, 1.0]);
        let solved = system.solve::<f64>(&Minres::new().tolerance(1e-4));
        assert_eq!(solved.report.outcome, Outcome::Converged, "{least:e}");
        assert!((solved.v[1] * least - 1.0).abs() < 1e-3, "{solved:?}");
    }
}

/// A semidefinite system with a solution is no indefinite one, whatever its scale and however small
/// its least positive eigenvalue.
#[test]
fn rounding_is_no_negative_curvature() {
    for seed in 0..20 {
        for least in [1.0, 1e-6] {
            let singular = System::new(&[0.0, 0.0, least, 2.0, 3.0], seed);
            let system = singular.with(&singular.h * &singular.b);
            for scale in [1e-9, 1.0, 1e9] {
                let solved = system
                    .scaled(scale)
                    .solve::<f64>(&Minres::new().tolerance(1e-9));
                let outcome = solved.report.outcome;
                assert_eq!(outcome, Outcome::Converged, "{seed}, {least}, {scale:e}");
            }
        }
    }
}

#[test]
fn a_nearly_singular_matrix_of_any_scale_is_found_out() {
    for scale in [1e-12, 1.0, 1e12] {
        let system = System::diagonal(&[scale, scale * 1e-18], &[1.0, 1.0]);
        let solved = system.solve::<f64>(&Direct);
        assert!(
            matches!(solved.report.outcome, Outcome::Singular { .. }),
            "{solved:?}"
        );
        let sound = System::diagonal(&[scale, scale * 1e-12], &[1.0, 1.0]);
        assert_eq!(
            sound.solve::<f64>(&Direct).report.outcome,
            Outcome::Converged
        );
    }
}

#[test]
fn nothing_can_be_made_of_the_zero_matrix() {
    let system = System::diagonal(&[0.0; 3], &[1.0, -2.0, 0.5]);
    for solver in exact_solvers::<f64>(1e-10) {
        let solved = system.solve(&*solver);
        let outcome = solved.report.outcome;
        assert_ne!(outcome, Outcome::Converged, "{solver:?}");
        assert_ne!(outcome, Outcome::NonFinite, "{solver:?}");
        assert_eq!(solved.v, DVector::zeros(3), "{solver:?}");
    }
}

/// Products that never agree with each other: no residual comes to its end.
#[test]
fn without_an_end_the_limit_is_four_times_the_unknowns_and_a_hundred() {
    for n in [2, 5, 20] {
        for solver in [
            &Cg::new().tolerance(1e-300) as &dyn LinearSolver<f64>,
            &Minres::new().tolerance(1e-300),
        ] {
            let mut calls = 0;
            let mut product = |p: &[f64], out: &mut [f64]| {
                calls += 1;
                for i in 0..p.len() {
                    let noise = (12.9898 * (calls * n + i) as f64).sin();
                    out[i] = p[i] * (1.0 + i as f64 + 0.9 * noise);
                }
            };
            let b: Vec<f64> = (0..n).map(|i| (1.0 + i as f64).cos()).collect();
            let mut v = vec![0.0; n];
            let report = solve(solver, &mut product, &b, &mut v, &Meter::new());
            assert_eq!(report.iterations, 4 * n + 100, "{solver:?}: {report:?}");
            assert_ne!(report.outcome, Outcome::Converged, "{solver:?}");
        }
    }
}

/// Conjugate gradients' residual rises now and then; the answer's does not.
#[test]
fn more_iterations_never_make_the_answer_worse() {
    let mut rises = 0;
    for seed in 0..5 {
        let values: Vec<f64> = (0..12).map(|i| 10f64.powi(-(i % 6))).collect();
        let system = System::new(&values, seed);
        let mut last = f64::INFINITY;
        for k in 1..30 {
            let cg = Cg::new().tolerance(1e-15).max_iterations(k);
            let residual = system.residual(&system.solve::<f64>(&cg).v);
            // The recurrence of residuals strays from the truth by about this much.
            assert!(residual <= last + 1e-10, "{seed}, {k}: {residual:e}");
            rises += usize::from(residual == last);
            last = residual;
        }
    }
    assert!(rises > 0, "no residual rose: nothing was tested");
}

#[test]
fn a_fixed_point_iteration_ends_where_rounding_is_all_that_is_left() {
    let system = System::new(&[1.0, 2.0, 3.0, 4.0], 3);
    let endless = FixedPoint::new().tolerance(1e-300);
    let solved = system.solve::<f64>(&endless);
    assert!(
        matches!(
            solved.report.outcome,
            Outcome::Exhausted | Outcome::Converged
        ),
        "{solved:?}"
    );
    assert!(solved.report.iterations < 1000, "{solved:?}");
    assert!(system.residual(&solved.v) < 1e-14, "{solved:?}");
    // A count of steps is made, come what may.
    let solved = system.solve::<f64>(&FixedPoint::new().steps(700));
    if solved.report.outcome != Outcome::Converged {
        assert_eq!(solved.report.iterations, 700);
    }
}

#[test]
fn a_curvature_is_told_relative_to_the_largest() {
    let h = DMatrix::from_diagonal(&dvector![3.0, -1.5]);
    let system = System::diagonal(&[3.0, -1.5], &[0.1, 1.0]);
    assert_eq!(system.h, h);
    for solver in [
        &Cg::new() as &dyn LinearSolver<f64>,
        &Minres::new(),
        &FixedPoint::new(),
        &Neumann::new(),
        &Direct,
    ] {
        let outcome = system.solve(solver).report.outcome;
        let Outcome::Negative { relative_curvature } = outcome else {
            panic!("{solver:?}: {outcome:?}");
        };
        assert!(
            (-1.0..=-0.25).contains(&relative_curvature),
            "{solver:?}: {relative_curvature}"
        );
    }
}
