//! One H and several right-hand sides.

use autodiff::{Meter, Real};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::linear::{Cg, Direct, LinearSolver, Outcome, Report, solve_block};

use crate::linear::system::{System, definite};
use crate::linear::{all_solvers, exact_solvers};

/// The solutions, the reports and the products.
fn solve<T: Real>(
    system: &System,
    solver: &dyn LinearSolver<T>,
    b: &DMatrix<f64>,
    start: &DMatrix<f64>,
) -> (DMatrix<f64>, Vec<Report>, usize) {
    let (n, h) = (system.dim(), system.h.map(T::of));
    let (b, mut v) = (b.map(T::of), start.map(T::of));
    let (mut products, count) = (0, b.ncols());
    let mut product = |p: &[T], out: &mut [T]| {
        let width = p.len() / n;
        assert!(width <= 16, "{width} at once");
        products += width;
        out.copy_from_slice((&h * DMatrix::from_column_slice(n, width, p)).as_slice());
    };
    let meter = Meter::new();
    let (b, out) = (b.as_slice(), v.as_mut_slice());
    let reports = solve_block(solver, &mut product, b, out, count, &meter);
    let beside = solver.bytes(n) - solver.scratch(n) * size_of::<T>();
    let predicted = solver.block_scratch(n, count) * size_of::<T>() + beside;
    assert_eq!(meter.read().peak, predicted, "{solver:?}");
    (v.map(|v| v.f64()), reports, products)
}

fn random(n: usize, count: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    DMatrix::from_fn(n, count, |_, _| rng.random_range(-1.0..1.0))
}

fn errors(system: &System, b: &DMatrix<f64>, v: &DMatrix<f64>) -> f64 {
    let each = b.column_iter().zip(v.column_iter()).map(|(b, v)| {
        let want = system.with(b.into_owned()).solution();
        (&want - v).norm() / want.norm().max(f64::MIN_POSITIVE)
    });
    each.fold(0.0, f64::max)
}

/// n/s iterations in exact arithmetic, since as many directions fill the space.
#[test]
fn as_many_block_iterations_as_unknowns_over_right_hand_sides() {
    for (n, count) in [(12, 1), (12, 3), (12, 12), (30, 10), (7, 5)] {
        let values: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
        let system = System::new(&values, 1);
        let b = random(n, count, 5);
        let zero = DMatrix::zeros(n, count);
        let (v, reports, products) = solve::<f64>(&system, &Cg::new(), &b, &zero);
        for report in &reports {
            assert_eq!(report.outcome, Outcome::Converged);
            assert!(
                report.iterations <= n.div_ceil(count),
                "{n}, {count}: {report:?}"
            );
        }
        assert!(products <= n.div_ceil(count) * count);
        assert!(errors(&system, &b, &v) < 1e-9);
    }
}

#[test]
fn a_block_searches_further_than_each_alone() {
    let values: Vec<f64> = (0..200)
        .map(|i| 10f64.powf(-4.0 * f64::from(i) / 199.0))
        .collect();
    let system = System::new(&values, 2);
    let b = random(200, 16, 3);
    let zero = DMatrix::zeros(200, 16);
    let (_, together, _) = solve::<f64>(&system, &Cg::new(), &b, &zero);
    let alone = system
        .with(b.column(0).into_owned())
        .solve::<f64>(&Cg::new());
    let most = together
        .iter()
        .map(|r| r.iterations)
        .max()
        .expect("sixteen");
    assert!(
        5 * most < alone.report.iterations,
        "{most}, {:?}",
        alone.report
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_solver_answers_each_right_hand_side(
        system in definite(2.0),
        count in 1..20usize,
        seed in any::<u64>(),
    ) {
        let b = random(system.dim(), count, seed);
        let zero = DMatrix::zeros(system.dim(), count);
        for solver in exact_solvers::<f64>(1e-12) {
            let (v, reports, _) = solve::<f64>(&system, &*solver, &b, &zero);
            for report in reports {
                prop_assert_eq!(report.outcome, Outcome::Converged, "{:?}", solver);
            }
            let error = errors(&system, &b, &v);
            prop_assert!(error < 1e-9, "{solver:?}: {error:e}");
        }
    }

    /// Zeros, equal ones, multiples, sums, and ones that differ by little, from any start.
    #[test]
    fn right_hand_sides_that_depend_on_each_other_break_nothing_down(
        system in definite(2.0),
        kinds in proptest::collection::vec(0..5usize, 2..12),
        seed in any::<u64>(),
        warm in any::<bool>(),
    ) {
        let (n, count) = (system.dim(), kinds.len());
        let mut b = random(n, count, seed);
        for j in 1..count {
            let first = b.column(0).into_owned();
            let last = b.column(j - 1).into_owned();
            let new: DVector<f64> = match kinds[j] {
                0 => DVector::zeros(n),
                1 => last,
                2 => last * -1e6,
                3 => first + last,
                _ => first + b.column(j) * 1e-9,
            };
            b.set_column(j, &new);
        }
        let start = random(n, count, !seed) * f64::from(u8::from(warm));
        let cg = Cg::new().tolerance(1e-12);
        let (v, reports, _) = solve::<f64>(&system, &cg, &b, &start);
        for (j, report) in reports.iter().enumerate() {
            prop_assert_eq!(report.outcome, Outcome::Converged, "{}", j);
            if b.column(j).norm() == 0.0 {
                prop_assert_eq!(v.column(j).norm(), 0.0);
            }
        }
        let error = errors(&system, &b, &v);
        prop_assert!(error < 1e-8, "{error:e}");
    }

    #[test]
    fn one_right_hand_side_alone_is_that_of_conjugate_gradients(system in definite(2.0)) {
        let b = DMatrix::from_column_slice(system.dim(), 1, system.b.as_slice());
        let (v, reports, products) = solve::<f64>(&system, &Cg::new(), &b, &DMatrix::zeros(system.dim(), 1));
        let alone = system.solve::<f64>(&Cg::new());
        prop_assert!((v.column(0) - &alone.v).norm() <= 1e-8 * alone.v.norm());
        prop_assert_eq!(products, reports[0].iterations);
        prop_assert!(reports[0].iterations.abs_diff(alone.report.iterations) <= 1);
    }

    #[test]
    fn negative_curvature_is_told_of_each(
        values in proptest::collection::vec(0.1..1.0f64, 2..12),
        negative in -1.0..-0.01f64,
        count in 1..6usize,
        seed in any::<u64>(),
    ) {
        let values: Vec<f64> = values.iter().copied().chain([negative]).collect();
        let system = System::new(&values, seed);
        let b = random(system.dim(), count, !seed);
        let (v, reports, _) = solve::<f64>(&system, &Cg::new(), &b, &DMatrix::zeros(system.dim(), count));
        for report in reports {
            prop_assert!(matches!(report.outcome, Outcome::Negative { .. }), "{report:?}");
        }
        prop_assert!(v.iter().all(|v| v.is_finite()));
    }
}

#[test]
fn a_singular_matrix_is_told_of_each() {
    for zero in [0.0, 1e-18] {
        let values: Vec<f64> = (0..10)
            .map(|i| if i == 0 { zero } else { f64::from(i) })
            .collect();
        let system = System::new(&values, 4);
        let b = random(10, 3, 1);
        let (v, reports, _) = solve::<f64>(&system, &Cg::new(), &b, &DMatrix::zeros(10, 3));
        for report in reports {
            let told = matches!(
                report.outcome,
                Outcome::Singular { .. } | Outcome::Negative { .. }
            );
            assert!(told, "{report:?}");
        }
        assert!(v.iter().all(|v| v.is_finite()));
        let (_, reports, _) = solve::<f64>(&system, &Direct, &b, &DMatrix::zeros(10, 3));
        assert!(
            reports
                .iter()
                .all(|r| matches!(r.outcome, Outcome::Singular { .. }))
        );
    }
}

#[test]
fn a_right_hand_side_that_is_no_number_leaves_the_others_alone() {
    let system = System::new(&[3.0, 2.0, 1.0, 0.5], 2);
    let mut b = random(4, 3, 8);
    b[(2, 1)] = f64::NAN;
    for solver in [&Cg::new() as &dyn LinearSolver<f64>, &Direct] {
        let (v, reports, _) = solve::<f64>(&system, solver, &b, &DMatrix::zeros(4, 3));
        let outcomes: Vec<Outcome> = reports.iter().map(|r| r.outcome).collect();
        let (good, bad) = (Outcome::Converged, Outcome::NonFinite);
        assert_eq!(outcomes, [good, bad, good], "{solver:?}");
        for j in [0, 2] {
            assert!(
                system
                    .with(b.column(j).into_owned())
                    .residual(&v.column(j).into_owned())
                    < 1e-9
            );
        }
        assert_eq!(v.column(1).norm(), 0.0);
    }
}

#[test]
fn products_that_are_not_finite_are_told_of_each() {
    let mut system = System::new(&[3.0, 2.0, 1.0], 2);
    system.h[(1, 2)] = f64::NAN;
    let b = random(3, 2, 8);
    for solver in all_solvers::<f64>() {
        let (_, reports, _) = solve::<f64>(&system, &*solver, &b, &DMatrix::zeros(3, 2));
        let told = reports.iter().all(|r| r.outcome == Outcome::NonFinite);
        assert!(told, "{solver:?}");
    }
}

#[test]
fn single_precision_and_tiny_right_hand_sides() {
    let values: Vec<f64> = (0..20).map(|i| 1.0 + f64::from(i)).collect();
    let system = System::new(&values, 6);
    let b = random(20, 5, 7) * 1e-30;
    let (v, reports, _) = solve::<f32>(&system, &Cg::new(), &b, &DMatrix::zeros(20, 5));
    assert!(
        reports.iter().all(|r| r.outcome == Outcome::Converged),
        "{reports:?}"
    );
    assert!(errors(&system, &b, &v) < 1e-3);
}

#[test]
fn iterations_that_run_out_are_told_of_those_that_are_not_there_yet() {
    let values: Vec<f64> = (0..60).map(|i| 10f64.powf(-f64::from(i) / 20.0)).collect();
    let system = System::diagonal(&values, &[1.0; 60]);
    // An eigenvector, and all of them.
    let mut b = DMatrix::from_element(60, 2, 1.0);
    b.column_mut(0).fill(0.0);
    b[(3, 0)] = 1.0;
    let cg = Cg::new().max_iterations(4);
    let (v, reports, _) = solve::<f64>(&system, &cg, &b, &DMatrix::zeros(60, 2));
    assert_eq!(reports[0].outcome, Outcome::Converged);
    assert_eq!(
        (reports[1].outcome, reports[1].iterations),
        (Outcome::Exhausted, 4)
    );
    assert!(v.column(1).norm() > 0.0);
}

#[test]
fn what_stood_in_the_scratch_before_plays_no_part() {
    let system = System::new(&[4.0, 3.0, 2.0, 1.0], 2);
    let b = random(4, 2, 8);
    let mut product = |p: &[f64], out: &mut [f64]| {
        out.copy_from_slice((&system.h * DMatrix::from_column_slice(4, p.len() / 4, p)).as_slice());
    };
    let cg: &dyn LinearSolver<f64> = &Cg::new();
    let mut rooms = Vec::new();
    for filled in [0.0, f64::NAN] {
        let mut room = vec![filled; cg.block_scratch(4, 2)];
        let (meter, mut v) = (Meter::new(), [0.0; 8]);
        let mut reports = [Report {
            outcome: Outcome::Exhausted,
            iterations: 0,
        }; 2];
        let scratch = &mut solvers::linear::Scratch::new(&mut room, &meter);
        cg.solve_block(&mut product, b.as_slice(), &mut v, &mut reports, scratch);
        assert_eq!(meter.read().peak, 0);
        rooms.push(v);
    }
    assert_eq!(rooms[0], rooms[1]);
}
