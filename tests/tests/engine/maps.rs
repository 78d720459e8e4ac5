//! Fixed points of maps of one's own.

use autodiff::unroll::{Memory, Step};
use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use solvers::{AidStep, Bilevel, Estimate, InnerStep, Itd, Status, Strategy};

/// y ← W y + Bx, whose fixed point is (I − W)⁻¹Bx; F = ½‖y − 1‖².
fn linear(w: DMatrix<f64>) -> Bilevel<f64> {
    let n = w.nrows();
    let b = coupling(n);
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    Bilevel::fixed_point(upper, move |x: Var, y: Var| &w * y + &b * x, 2, n).expect("a map")
}

fn coupling(n: usize) -> DMatrix<f64> {
    DMatrix::from_fn(n, 2, |i, j| (1.0 + i as f64 + 3.0 * j as f64).sin())
}

fn run(problem: &Bilevel<f64>, x: &DVector<f64>) -> Estimate<f64> {
    let aid = AidStep::new(InnerStep::GradientDescent);
    let estimate = aid
        .hypergradient(problem, x, &mut problem.workspace())
        .expect("a map");
    assert_eq!(
        estimate.bytes.peak,
        aid.predicted_peak_bytes(problem),
        "{estimate}"
    );
    estimate
}

fn holds(w: DMatrix<f64>, warned: bool) {
    let (n, x) = (w.nrows(), dvector![0.4, -0.7]);
    let estimate = run(&linear(w.clone()), &x);
    let inverse = (DMatrix::identity(n, n) - &w)
        .try_inverse()
        .expect("regular");
    let y = &inverse * coupling(n) * &x;
    let h = (&inverse * coupling(n)).tr_mul(&y.add_scalar(-1.0));
    assert_eq!(estimate.status, Status::Converged, "{estimate}");
    assert!((&estimate.y - &y).norm() <= 1e-8 * y.norm(), "{estimate}");
    assert!(
        (&estimate.hypergradient - &h).norm() <= 1e-7 * h.norm(),
        "{estimate}"
    );
    let told = estimate
        .warnings
        .iter()
        .any(|w| w.contains("does not contract"));
    assert_eq!(told, warned, "{estimate}");
}

#[test]
fn maps_that_contract_are_solved_symmetric_or_not() {
    holds(dmatrix![0.5, 0.2; 0.2, -0.3], false);
    holds(dmatrix![0.5, 0.8; -0.6, 0.1], false);
    holds(
        DMatrix::from_fn(30, 30, |i, j| 0.15 * ((i * 7 + j * 3) as f64).cos()),
        false,
    );
    holds(DMatrix::identity(4, 4) * 0.99, false);
}

#[test]
fn a_map_that_does_not_contract_is_solved_and_told() {
    holds(dmatrix![-3.0, 0.0; 0.5, 0.2], true);
    holds(dmatrix![1.8, 0.4; 0.0, 0.3], true);
}

#[test]
fn a_map_without_one_fixed_point_is_no_success() {
    // I − W is singular, and Bx is in its range or not.
    let estimate = run(&linear(dmatrix![1.0, 0.0; 0.0, 0.5]), &dvector![0.4, -0.7]);
    assert!(!estimate.status.is_success(), "{estimate}");
    let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    let problem = Bilevel::fixed_point(upper, |x: Var, y: Var| y + y.square() + x, 1, 1);
    let estimate = run(&problem.expect("a map"), &dvector![1.0]);
    assert!(!estimate.status.is_success(), "{estimate}");
    let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    let problem = Bilevel::fixed_point(upper, |x: Var, y: Var| (y - 1.0).ln() + x, 1, 1);
    let estimate = run(&problem.expect("a map"), &dvector![1.0]);
    assert!(
        matches!(estimate.status, Status::NonFinite { .. }),
        "{estimate}"
    );
}

#[test]
fn steps_of_a_problem_s_own_have_a_fixed_point_unless_they_change() {
    // Gradient steps of ½ y² − xy: y = x, symmetric.
    let problem = |count: usize| {
        let upper = objective(|_: Var, y: Var| 0.5 * (y - 0.5).norm_squared());
        let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
        let step = Step::scheduled(1, 1, count, |_, c| c.fill(0.5), |x, y, _| y - (y - x) * 0.3);
        Bilevel::new(upper, lower, 1, 1)
            .expect("a valid problem")
            .with_step(step)
    };
    let estimate = run(&problem(0), &dvector![0.2]);
    assert!((estimate.hypergradient[0] + 0.3).abs() < 1e-9, "{estimate}");
    let aid = AidStep::new(InnerStep::GradientDescent);
    let scheduled = problem(1);
    let refused = aid.hypergradient(&scheduled, &dvector![0.2], &mut scheduled.workspace());
    let reason = refused.expect_err("they change").to_string();
    assert!(reason.contains("expected itd"), "{reason}");
    let long = aid.clone().step(0.1);
    let refused = long.hypergradient(&problem(0), &dvector![0.2], &mut problem(0).workspace());
    let reason = refused.expect_err("a length").to_string();
    assert!(
        reason.contains("step length 0.1: expected none"),
        "{reason}"
    );
}

#[test]
fn loops_of_a_map_say_how_far_they_are_and_count_their_bytes_under_every_policy() {
    let x = dvector![0.4, -0.7];
    let (quick, slow) = (
        linear(dmatrix![0.3, 0.2; -0.2, 0.1]),
        linear(dmatrix![1.0 - 1e-5, 0.0; 0.0, 0.1]),
    );
    for memory in [
        Memory::Stored,
        Memory::Taped,
        Memory::Forward,
        Memory::Checkpointed { slots: 3 },
        Memory::Online { slots: 3 },
        Memory::Disk { slots: 3 },
        Memory::Truncated { steps: 40 },
    ] {
        for depth in [1, 60] {
            let itd = Itd::reverse(depth).memory(memory);
            for problem in [&quick, &slow] {
                let mut work = problem.workspace();
                let estimate = itd.hypergradient(problem, &x, &mut work).expect("a map");
                let predicted = itd.predicted_peak_bytes(problem);
                assert_eq!(estimate.bytes.peak, predicted, "{memory} {depth}");
                let solved = std::ptr::eq(problem, &raw const quick) && depth == 60;
                let told = !estimate.status.is_success() || !estimate.warnings.is_empty();
                assert_eq!(told, !solved, "{memory} {depth}: {estimate}");
                if std::ptr::eq(problem, &raw const slow) && depth == 60 {
                    // The first entry of the solution is (Bx)₁/1e-5.
                    let want = 1e5 * (coupling(2) * &x)[0].abs() / estimate.y.norm();
                    let distance = estimate.distance.expect("of an equation");
                    let near = (0.3..3.0).contains(&(distance / want));
                    assert!(near, "{memory}: {distance:e} for {want:e}");
                }
            }
        }
    }
}

#[test]
fn a_fixed_point_at_a_kink_of_its_map_is_told() {
    // Without x it is (0.4, 0.2), where nothing stands before the second maximum but that.
    let w = dmatrix![0.3, 0.2; -0.2, 0.1];
    let upper = || objective(|_: Var, y: Var| y.sum());
    for (offset, at_kink) in [(0.0, true), (0.3, false), (-0.3, false)] {
        let z = dvector![0.4, f64::max(offset, 0.0)];
        let before = dvector![0.4, offset];
        let (d, w) = (before - &w * z, w.clone());
        let problem = Bilevel::fixed_point(upper(), move |x, y| (&w * y + x + &d).relu(), 2, 2);
        let problem = problem.expect("a map");
        let start = problem.starting_from(dvector![3.0, -1.0]);
        for strategy in [
            &AidStep::new(InnerStep::GradientDescent) as &dyn Strategy<f64>,
            &Itd::reverse(200),
        ] {
            let estimate =
                strategy.hypergradient(&start, &dvector![0.0, 0.0], &mut start.workspace());
            let estimate = estimate.expect("a map");
            assert!(estimate.status.is_success(), "{estimate}");
            let told = estimate.warnings.iter().any(|w| w.contains("kink"));
            assert_eq!(told, at_kink, "{estimate}");
        }
    }
}
