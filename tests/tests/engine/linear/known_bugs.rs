//! Bugs found in well-known libraries, looked for in every solver.

use solvers::linear::{FixedPoint, LinearSolver, Minres, Neumann, Outcome};

use crate::linear::exact_solvers;
use crate::linear::system::{System, relative};

/// Breaking off before the new iterate was stored returned the one before.
#[test]
fn the_last_iterate_is_the_answer() {
    for (values, b, want) in [
        ([0.5; 3], [1.0, 2.0, 3.0], [2.0, 4.0, 6.0]),
        ([1.0, 2.0, 3.0], [1.0; 3], [1.0, 0.5, 1.0 / 3.0]),
    ] {
        let want = want.to_vec().into();
        for solver in exact_solvers::<f64>(1e-12) {
            let error = relative(&System::diagonal(&values, &b).solve(&*solver).v, &want);
            assert!(error < 1e-11, "{solver:?}: {error:e}");
        }
    }
}

/// The first residual was b although the first guess was not zero.
#[test]
fn a_solution_as_first_guess_stays() {
    let system = System::new(&[3.0, 2.0, 1.0, 0.3], 8);
    let want = system.solution();
    for solver in exact_solvers::<f64>(1e-10) {
        let solved = system.solve_from(&*solver, &want);
        let error = relative(&solved.v, &want);
        assert!(error < 1e-13, "{solver:?}: {error:e}");
    }
    let iterative: [&dyn LinearSolver<f64>; 3] =
        [&Minres::new(), &Neumann::new(), &FixedPoint::new()];
    for solver in iterative {
        let report = system.solve_from(solver, &want).report;
        assert_eq!(report.iterations, 0, "{solver:?}");
    }
}

/// Giving up returned zeros without a word.
#[test]
fn giving_up_is_said_and_the_best_iterate_returned() {
    let values: Vec<f64> = (1..=20).map(|i| f64::from(i * i)).collect();
    let system = System::new(&values, 3);
    let limited: [&dyn LinearSolver<f64>; 3] = [
        &Minres::new().max_iterations(3),
        &Neumann::new().max_iterations(3),
        &FixedPoint::new().max_iterations(3),
    ];
    for solver in limited {
        let solved = system.solve(solver);
        let said = (solved.report.outcome, solved.report.iterations);
        assert_eq!(said, (Outcome::Exhausted, 3), "{solver:?}");
        let residual = system.residual(&solved.v);
        assert!((1e-6..0.99).contains(&residual), "{solver:?}: {residual}");
        assert!(solved.v.iter().all(|v| *v != 0.0), "{solver:?}");
    }
}

/// Tiny cotangents underflowed in single precision.
#[test]
fn tiny_right_hand_sides_do_not_underflow() {
    let system = System::diagonal(&[1.0, 2.0, 3.0], &[1e-30, 2e-30, 3e-30]);
    let want = vec![1e-30; 3].into();
    for solver in exact_solvers::<f32>(1e-6) {
        let solved = system.solve(&*solver);
        assert_eq!(solved.report.outcome, Outcome::Converged, "{solver:?}");
        let error = relative(&solved.v, &want);
        assert!(error < 1e-4, "{solver:?}: {error:e}");
    }
}
