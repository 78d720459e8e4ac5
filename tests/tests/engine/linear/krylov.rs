//! Conjugate gradients and minimal residuals.

use proptest::prelude::*;
use solvers::linear::{Cg, Gmres, LinearSolver, Minres, Outcome};

use crate::linear::system::{System, definite, relative};

/// ‖v − v*‖_H.
fn energy(system: &System, v: &nalgebra::DVector<f64>) -> f64 {
    let e = v - system.solution();
    e.dot(&(&system.h * &e)).max(0.0).sqrt()
}

/// 2((√κ−1)/(√κ+1))^k.
fn rate(condition: f64, k: usize) -> f64 {
    let root = condition.sqrt();
    2.0 * ((root - 1.0) / (root + 1.0)).powi(k as i32)
}

#[test]
fn conjugate_gradients_obey_their_law() {
    for (seed, decades) in [(0, 0.5), (1, 1.0), (2, 2.0), (3, 3.0)] {
        let values: Vec<f64> = (0..40)
            .map(|i| 10f64.powf(-decades * f64::from(i) / 39.0))
            .collect();
        let system = System::new(&values, seed);
        let first = energy(&system, &nalgebra::DVector::zeros(40));
        for k in 1..=30 {
            let cg = Cg::new().tolerance(1e-13).max_iterations(k);
            let error = energy(&system, &system.solve::<f64>(&cg).v) / first;
            let bound = rate(system.condition(), k);
            assert!(
                error <= bound + 1e-12,
                "κ = 10^{decades}, k = {k}: {error:e} > {bound:e}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// On any spectrum. The iterate of least residual is answered, so the bound has a factor √κ.
    #[test]
    fn the_answer_obeys_the_law_of_the_residual(system in definite(3.0), k in 1..12usize) {
        let cg = Cg::new().tolerance(1e-13).max_iterations(k);
        let error = energy(&system, &system.solve::<f64>(&cg).v);
        let first = energy(&system, &nalgebra::DVector::zeros(system.dim()));
        let bound = system.condition().sqrt() * rate(system.condition(), k);
        prop_assert!(error <= (bound + 1e-10) * first, "{error:e} > {bound:e} · {first:e}");
    }

    #[test]
    fn both_end_in_as_many_steps_as_unknowns(system in definite(1.0)) {
        for solved in [
            system.solve::<f64>(&Cg::new().tolerance(1e-8)),
            system.solve::<f64>(&Minres::new().tolerance(1e-8)),
        ] {
            prop_assert_eq!(solved.report.outcome, Outcome::Converged);
            prop_assert!(solved.report.iterations <= system.dim(), "{:?}", solved.report);
            prop_assert_eq!(solved.products, solved.report.iterations);
        }
    }

    /// Both search the same space, and only one of them minimises the residual there. Where the
    /// space is all but exhausted, rounding decides.
    #[test]
    fn minimal_residuals_are_minimal(system in definite(2.0), k in 1..8usize) {
        let cg = Cg::new().tolerance(1e-12).max_iterations(k);
        let minres = Minres::new().tolerance(1e-12).max_iterations(k);
        let of = |v| system.residual(&v);
        let (cg, minres) = (
            of(system.solve::<f64>(&cg).v),
            of(system.solve::<f64>(&minres).v),
        );
        prop_assert!(minres <= cg * (1.0 + 1e-8) + 1e-7, "{minres:e} > {cg:e}");
    }

    #[test]
    fn an_indefinite_system_is_solved_and_reported(
        system in definite(1.0),
        signs in any::<u16>(),
    ) {
        prop_assume!(system.dim() > 1);
        let n = system.dim();
        // At least one of each sign.
        let sign = |i: usize| match i {
            0 => 1.0,
            1 => -1.0,
            _ if signs >> i & 1 == 1 => -1.0,
            _ => 1.0,
        };
        let values: Vec<f64> = (0..n).map(|i| sign(i) * (1.0 + i as f64 / n as f64)).collect();
        let system = System::new(&values, u64::from(signs));
        let solved = system.solve::<f64>(&Minres::new().tolerance(1e-12));
        let Outcome::Negative { relative_curvature } = solved.report.outcome else {
            panic!("{:?}", solved.report);
        };
        prop_assert!((-1.0 - 1e-12..0.0).contains(&relative_curvature));
        prop_assert!(relative(&solved.v, &system.solution()) < 1e-9);
    }

    #[test]
    fn a_consistent_singular_system_has_the_solution_of_least_norm(
        system in definite(1.0),
        flat in 1..4usize,
        negative in any::<bool>(),
    ) {
        let n = system.dim() + flat;
        let mut values = vec![0.0; flat];
        values.extend((flat..n).map(|i| 1.0 + i as f64 / n as f64));
        if negative {
            values[n - 1] = -1.0;
        }
        let system = System::new(&values, n as u64);
        let system = system.with(&system.h * &system.b);
        let solved = system.solve::<f64>(&Minres::new().tolerance(1e-12));
        match solved.report.outcome {
            Outcome::Converged => {}
            Outcome::Negative { .. } if negative => {}
            other => panic!("{other:?}"),
        }
        let error = relative(&solved.v, &system.solution());
        prop_assert!(error < 1e-9, "{error:e}");
    }

    #[test]
    fn an_inconsistent_system_has_the_least_squares_solution_of_least_norm(
        system in definite(1.0),
        flat in 1..4usize,
        negative in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let n = system.dim() + flat;
        let mut values = vec![0.0; flat];
        values.extend((flat..n).map(|i| 1.0 + i as f64 / n as f64));
        if negative {
            values[n - 1] = -1.0;
        }
        let system = System::new(&values, seed);
        let want = system.solution();
        let least = system.residual(&want);
        // Nearly consistent ones are between the two cases.
        prop_assume!(least > 1e-3);
        let solved = system.solve::<f64>(&Minres::new());
        let Outcome::Inconsistent { residual } = solved.report.outcome else {
            panic!("{:?}", solved.report);
        };
        prop_assert!((residual / least - 1.0).abs() < 1e-9, "{residual:e} {least:e}");
        prop_assert!((system.residual(&solved.v) / least - 1.0).abs() < 1e-9);
        let error = (&solved.v - &want).norm() / system.b.norm();
        prop_assert!(error < 1e-6, "{error:e}");
    }
}

#[test]
fn as_many_steps_as_distinct_eigenvalues() {
    let values: Vec<f64> = (0..30).map(|i| [1.0, 0.7, 0.4, 0.2, 0.1][i % 5]).collect();
    let system = System::new(&values, 9);
    let cg = system.solve::<f64>(&Cg::new().tolerance(1e-11));
    let minres = system.solve::<f64>(&Minres::new().tolerance(1e-11));
    for solved in [cg, minres] {
        assert_eq!(solved.report.outcome, Outcome::Converged);
        assert!(solved.report.iterations <= 5, "{:?}", solved.report);
        assert!(relative(&solved.v, &system.solution()) < 1e-9);
    }
}

/// What the residual's direction hides on a larger singular system.
#[test]
fn a_large_inconsistent_system_is_found_out() {
    for seed in 0..4 {
        let value = |i: i32| {
            if i % 5 == 0 {
                0.0
            } else {
                10f64.powf(-f64::from(i) / 50.0)
            }
        };
        let values: Vec<f64> = (0..100).map(value).collect();
        let system = System::new(&values, seed);
        let least = system.residual(&system.solution());
        let solved = system.solve::<f64>(&Minres::new());
        let Outcome::Inconsistent { residual } = solved.report.outcome else {
            panic!("{:?}", solved.report);
        };
        assert!((residual - least).abs() < 1e-9);
        assert!(relative(&solved.v, &system.solution()) < 1e-4);
    }
}

/// Beyond the size up to which a probe looks for it, nobody but the solver can see it.
#[test]
fn an_indefinite_system_is_solved_and_told() {
    let value = |i: i32| {
        if i % 7 == 3 {
            -1.0
        } else {
            1.0 + f64::from(i) / 10.0
        }
    };
    let system = System::new(&Vec::from_iter((0..40).map(value)), 8);
    let solvers: [&dyn LinearSolver<f64>; 2] = [&Minres::new(), &Gmres::new(40)];
    for solver in solvers {
        let solved = system.solve(solver);
        let told = matches!(solved.report.outcome, Outcome::Negative { .. });
        assert!(told, "{solver:?}: {:?}", solved.report);
        let error = relative(&solved.v, &system.solution());
        assert!(error < 1e-8, "{solver:?}: {error:e}");
    }
}
