//! `few-shot`.

use models::{Activation, FewShot, Mlp, few_shot};
use nalgebra::DMatrix;
use solvers::Aid;

use super::{around, assert_derivatives, assert_itd_is_aid, estimate};

const SMALL: FewShot = FewShot {
    ways: 3,
    shots: 2,
    queries: 2,
    tasks: 3,
    held_out: 2,
    features: 4,
    seed: 2,
};

#[test]
fn derivatives_and_strategies_agree() {
    let task = few_shot::<f64>(SMALL);
    assert_derivatives(&task);
    let x = around(&task.x);
    assert_itd_is_aid(&task, &x, 1500);
}

/// With orthogonal features the ridge regression would be a mean; in general its normal equations
/// hold: Y (φφᵀ/n + λI) = Tφᵀ/n, whose left side is the gradient of g at Y and right side that at 0.
#[test]
fn heads_solve_their_normal_equations() {
    let problem = few_shot::<f64>(FewShot { tasks: 1, ..SMALL });
    let x = around(&problem.x);
    let y = estimate(&Aid::cg(), &problem, &x).y;
    let mut point = problem.bilevel.lower().point();
    let zero = vec![0.0; y.len()];
    point.linearise(&[x.as_slice(), &zero]);
    let right = point.gradient(1).to_vec();
    point.second(&[None, Some(y.as_slice())]);
    let left = point.product(1);
    // g is quadratic in y: ∇g(y) = ∇g(0) + H y, and is 0 at the solution.
    for (l, r) in left.iter().zip(&right) {
        assert!((l + r).abs() < 1e-9);
    }
    // λ = e^{x} is the least curvature: features of 4 entries, 6 images.
    let net = Mlp::new(&[64, 4], Activation::Tanh);
    let ridge = x[net.layout().len()].exp();
    let mut hessian = DMatrix::zeros(12, 12);
    for j in 0..12 {
        let unit: Vec<f64> = (0..12).map(|i| f64::from(i == j)).collect();
        point.second(&[None, Some(&unit)]);
        hessian.column_mut(j).copy_from_slice(point.product(1));
    }
    let least = ((&hessian + hessian.transpose()) * 0.5)
        .symmetric_eigenvalues()
        .min();
    assert!(least >= ridge * (1.0 - 1e-12), "{least} {ridge}");
}

/// Metrics of tasks kept apart come of their own heads.
#[test]
fn tasks_kept_apart_are_measured() {
    let problem = few_shot::<f64>(SMALL);
    let y = estimate(&Aid::cg(), &problem, &problem.x).y;
    let metrics = problem.measure(&problem.x, &y);
    for name in ["train_accuracy", "test_accuracy"] {
        let value = metrics[name];
        assert!((0.0..=100.0).contains(&value), "{name} {value}");
    }
    // Of 12 queries, not of the 18 of the tasks trained on.
    let right = metrics["test_accuracy"] * 0.12;
    assert!((right - right.round()).abs() < 1e-9, "{right}");
}
