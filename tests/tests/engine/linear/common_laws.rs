//! What holds for every solver and every system.

use autodiff::Real;
use nalgebra::DVector;
use proptest::prelude::*;
use solvers::linear::{LinearSolver, Outcome};

use crate::linear::system::{System, definite, relative};
use crate::linear::{all_solvers, exact_solvers};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn definite_systems_are_solved(system in definite(2.0)) {
        let want = system.solution();
        for solver in exact_solvers::<f64>(1e-12) {
            let solved = system.solve(&*solver);
            prop_assert_eq!(solved.report.outcome, Outcome::Converged, "{:?}", solver);
            let error = relative(&solved.v, &want);
            prop_assert!(error < 1e-9, "{solver:?}: {error:e}");
        }
    }

    #[test]
    fn a_scaled_right_hand_side_scales_the_solution(system in definite(2.0), exponent in -60..60i32) {
        // Powers of two and signs scale without rounding, so that not a bit may differ.
        for factor in [2f64.powi(exponent), -(2f64.powi(exponent))] {
            for solver in all_solvers::<f64>() {
                let one = system.solve(&*solver);
                let scaled = system.with(&system.b * factor).solve(&*solver);
                prop_assert_eq!(&scaled.v, &(&one.v * factor), "{:?}", solver);
                prop_assert_eq!(scaled.report, one.report);
            }
        }
    }

    #[test]
    fn solutions_add_up(system in definite(2.0), seed in any::<u64>()) {
        let other = System::new(&vec![1.0; system.dim()], seed).b;
        let (sum, other) = (system.with(&system.b + &other), system.with(other));
        let scale = system.condition() * (system.b.norm() + other.b.norm()) / system.largest();
        for solver in all_solvers::<f64>() {
            let of = |s: &System| s.solve(&*solver).v;
            let error = (of(&sum) - of(&system) - of(&other)).norm() / scale;
            prop_assert!(error < 1e-8, "{solver:?}: {error:e}");
        }
    }

    #[test]
    fn the_first_guess_does_not_move_the_solution(system in definite(2.0), seed in any::<u64>()) {
        let start = System::new(&vec![1.0; system.dim()], seed).b * 10.0;
        let want = system.solution();
        for solver in exact_solvers::<f64>(1e-12) {
            let error = relative(&system.solve_from(&*solver, &start).v, &want);
            prop_assert!(error < 1e-8, "{solver:?}: {error:e}");
        }
    }
}

#[test]
fn zero_has_the_solution_zero() {
    let system = System::new(&[3.0, 1.0, 0.5], 1).with(DVector::zeros(3));
    let start = DVector::from_column_slice(&[3.0, -1.0, 2.0]);
    for solver in all_solvers::<f64>() {
        for start in [&start, &DVector::zeros(3)] {
            let solved = system.solve_from(&*solver, start);
            assert_eq!(solved.v, DVector::zeros(3), "{solver:?}");
        }
    }
}

#[test]
fn one_unknown() {
    for (h, b) in [(4.0, 3.0), (0.25, -1.0), (1e-9, 1e9)] {
        let system = System::diagonal(&[h], &[b]);
        for solver in exact_solvers::<f64>(1e-12) {
            let solved = system.solve(&*solver);
            assert_eq!(solved.report.outcome, Outcome::Converged, "{solver:?}");
            assert!((solved.v[0] * h / b - 1.0).abs() < 1e-11, "{solver:?}");
        }
    }
}

#[test]
fn single_precision() {
    let values: Vec<f64> = (0..8).map(|i| 10f64.powf(-f64::from(i) / 7.0)).collect();
    let system = System::new(&values, 5);
    let want = system.solution();
    for solver in exact_solvers::<f32>(1e-5) {
        let solved = system.solve(&*solver);
        assert_eq!(solved.report.outcome, Outcome::Converged, "{solver:?}");
        let error = relative(&solved.v, &want);
        assert!(error < 1e-3, "{solver:?}: {error:e}");
    }
}

#[test]
fn products_that_are_not_finite_are_reported() {
    fn check<T: Real>(solver: &dyn LinearSolver<T>) {
        let mut system = System::new(&[3.0, 2.0, 1.0], 2);
        system.h[(1, 2)] = f64::NAN;
        let report = system.solve(solver).report;
        assert_eq!(report.outcome, Outcome::NonFinite, "{solver:?}");
    }
    all_solvers::<f64>().iter().for_each(|s| check(&**s));
    all_solvers::<f32>().iter().for_each(|s| check(&**s));
}
