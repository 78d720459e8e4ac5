//! Levels whose solution and derivative are known.

use autodiff::{Var, objective};
use nalgebra::dvector;
use solvers::{Bilevel, Constraints, Exact, Kkt, Status, Strategy};

use super::{kkt, nearest};

#[test]
fn a_bound_that_holds_moves_y_and_one_that_does_not_does_not() {
    // y = min(1, x): held below 1, free above.
    let held = Constraints::new().at_most_zero(|x: Var, y: Var| y - x);
    let problem = nearest(|x: Var| x * 0.0 + 1.0, held, (1, 1));
    for (x, y, slope, multiplier) in [(0.4, 0.4, 1.0, 0.6), (1.5, 1.0, 0.0, 0.0)] {
        let estimate = kkt(&problem, &[x]);
        assert_eq!(estimate.status, Status::Converged, "{estimate}");
        assert!(estimate.warnings.is_empty(), "{estimate}");
        assert!((estimate.y[0] - y).abs() < 1e-14, "{estimate}");
        let h = slope * (y - 1.0 / 3.0);
        assert!((estimate.hypergradient[0] - h).abs() < 1e-13, "{estimate}");
        assert!((estimate.multipliers[0] - multiplier).abs() < 1e-13);
        assert!(estimate.margin.is_some_and(|m| m > 0.09), "{estimate}");
        assert!(estimate.lower_residual < 1e-12, "{estimate}");
    }
}

#[test]
fn a_disc_gives_the_derivative_of_a_normalisation() {
    // Nearest point of the disc of radius r = x₂ to (x₀, x₁): r t/‖t‖, where t lies outside.
    let disc =
        Constraints::new().at_most_zero(|x: Var, y: Var| y.norm_squared() - x.at(2).square());
    let problem = nearest(|x: Var| x.slice(0, 2), disc, (3, 2));
    let (x, r) = ([3.0, 4.0, 2.0], 2.0);
    let estimate = kkt(&problem, &x);
    assert_eq!(estimate.status, Status::Converged, "{estimate}");
    let (t, size) = (dvector![3.0, 4.0], 5.0);
    let unit = &t / size;
    let y = &unit * r;
    assert!((&estimate.y - &y).norm() < 1e-13, "{estimate}");
    let b = &y - dvector![1.0 / 3.0, 2.0 / 3.0];
    let along = unit.dot(&b);
    let by_t = (&b - &unit * along) * (r / size);
    let want = dvector![by_t[0], by_t[1], along];
    assert!(
        (&estimate.hypergradient - want).norm() < 1e-12,
        "{estimate}"
    );
    // λ from y − t + 2λy = 0.
    assert!((estimate.multipliers[0] - 0.5 * (size / r - 1.0)).abs() < 1e-12);
    assert!(
        estimate.linear_residual.is_some_and(|r| r < 1e-13),
        "{estimate}"
    );
}

#[test]
fn equalities_and_inequalities_together() {
    // The simplex of sum x₀ nearest to (2, 1, −1)·1 + 0·x: y = (r/2 + ½, r/2 − ½, 0) for 1 < r < 5.
    let set = Constraints::new()
        .at_most_zero(|_: Var, y: Var| -y)
        .zero(|x: Var, y: Var| y.sum() - x.at(0));
    let problem = nearest(|x: Var| x.vector(&[2.0, 1.0, -1.0]), set, (1, 3));
    let estimate = kkt(&problem, &[2.0]);
    assert_eq!(estimate.status, Status::Converged, "{estimate}");
    let y = dvector![1.5, 0.5, 0.0];
    assert!((&estimate.y - &y).norm() < 1e-13, "{estimate}");
    let b = &y - dvector![1.0 / 3.0, 2.0 / 3.0, 1.0];
    let want = 0.5 * (b[0] + b[1]);
    assert!(
        (estimate.hypergradient[0] - want).abs() < 1e-13,
        "{estimate}"
    );
    // Equalities first: y − t − λ_i + ν = 0.
    assert!(
        (estimate.multipliers[0] - 0.5).abs() < 1e-12,
        "{:?}",
        estimate.multipliers
    );
    assert!(
        (estimate.multipliers[3] - 1.5).abs() < 1e-12,
        "{:?}",
        estimate.multipliers
    );
}

#[test]
fn the_reference_strategy_solves_constraints_too() {
    let held = Constraints::new().at_most_zero(|x: Var, y: Var| y - x);
    let problem = nearest(|x: Var| x * 0.0 + 1.0, held, (1, 1));
    let mut work = problem.workspace();
    let x = dvector![0.4];
    let exact = Exact
        .hypergradient(&problem, &x, &mut work)
        .expect("it suits");
    let kkt = Kkt::new()
        .hypergradient(&problem, &x, &mut work)
        .expect("it suits");
    assert_eq!(exact.hypergradient, kkt.hypergradient);
    assert_eq!(exact.bytes.peak, Exact.predicted_peak_bytes(&problem));
}

#[test]
fn a_linear_program_moves_with_its_vertex() {
    // min −y₀ − 2y₁ under y₀ + y₁ ≤ x₀, y₁ ≤ x₁, y ≥ 0: y = (x₀ − x₁, x₁).
    let set = Constraints::new()
        .at_most_zero(|x: Var, y: Var| y.sum() - x.at(0))
        .at_most_zero(|x: Var, y: Var| y.at(1) - x.at(1))
        .at_most_zero(|_: Var, y: Var| -y);
    let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    let lower = objective(|_: Var, y: Var| -(y.at(0) + 2.0 * y.at(1)));
    let problem = Bilevel::new(upper, lower, 2, 2)
        .and_then(|p| p.with_constraints(set))
        .expect("a valid problem");
    let estimate = kkt(&problem, &[3.0, 1.0]);
    assert_eq!(estimate.status, Status::Converged, "{estimate}");
    assert!(
        (&estimate.y - dvector![2.0, 1.0]).norm() < 1e-12,
        "{estimate}"
    );
    assert!(
        (&estimate.hypergradient - dvector![2.0, -1.0]).norm() < 1e-11,
        "{estimate}"
    );
}

#[test]
fn of_many_solutions_the_best_for_the_upper_level_is_told() {
    // y₀ + y₁ = x: F = ½(y₀ − 1)² + y₁² is least at y₀ = (1 + 2x)/3, where φ = (x − 1)²/3.
    let sum = Constraints::new().zero(|x: Var, y: Var| y.sum() - x.at(0));
    let upper = objective(|_: Var, y: Var| 0.5 * (y.at(0) - 1.0).square() + y.at(1).square());
    let lower = objective(|_: Var, y: Var| y.sum());
    let problem = Bilevel::new(upper, lower, 1, 2)
        .and_then(|p| p.with_constraints(sum))
        .expect("a valid problem");
    let estimate = kkt(&problem, &[0.25]);
    assert_eq!(estimate.status, Status::Converged, "{estimate}");
    assert!((estimate.y[0] - 0.5).abs() < 1e-9, "{estimate}");
    assert!((estimate.hypergradient[0] + 0.5).abs() < 1e-9, "{estimate}");
    assert!(
        estimate.warnings[0].contains("1 flat directions"),
        "{estimate}"
    );
}

#[test]
fn a_barrier_is_off_in_proportion_to_its_weight() {
    use nalgebra::DVector;
    use solvers::Aid;
    let disc =
        Constraints::new().at_most_zero(|x: Var, y: Var| y.norm_squared() - x.at(2).square());
    let x = dvector![3.0, 4.0, 2.0];
    let sharp = kkt(
        &nearest(|x: Var| x.slice(0, 2), disc.clone(), (3, 2)),
        x.as_slice(),
    );
    let off = |t: f64| -> f64 {
        let upper =
            objective(|_: Var, y: Var| 0.5 * (y - &dvector![1.0 / 3.0, 2.0 / 3.0]).norm_squared());
        let lower = objective(|x: Var, y: Var| {
            0.5 * (y - x.slice(0, 2)).norm_squared() + disc.barrier(x, y, t)
        });
        let problem = Bilevel::new(upper, lower, 3, 2).expect("a valid problem");
        let problem = problem.starting_from(DVector::zeros(2));
        let estimate = Aid::cg().hypergradient(&problem, &x, &mut problem.workspace());
        let estimate = estimate.expect("it suits");
        assert_eq!(estimate.status, Status::Converged, "{estimate}");
        // g is at most m t above its least value.
        let g = |y: &DVector<f64>| 0.5 * (y - dvector![3.0, 4.0]).norm_squared();
        let gap = g(&estimate.y) - g(&sharp.y);
        assert!(gap > 0.0 && gap <= t, "{gap}");
        (estimate.hypergradient - &sharp.hypergradient).norm()
    };
    let (whole, half) = (off(1e-3), off(5e-4));
    assert!(
        whole > 1e-5 && (whole / half - 2.0).abs() < 0.01,
        "{whole} {half}"
    );
}
