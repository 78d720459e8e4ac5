//! Damped and Gauss–Newton curvatures in the Hessian's place: closed forms, and what is said of the bias.

use std::sync::Arc;

use autodiff::{Inputs, Var, objective};
use models::data::digits_classes;
use models::mlp;
use nalgebra::{DMatrix, DVector, dvector};
use solvers::linear::{Cg, LinearSolver};
use solvers::{
    Aid, Bilevel, ConfigError, Constraint, Estimate, Layer, LowerCurvature, LowerSolve, Row,
    Status, Strategy,
};

use super::exact_solvers;
use super::implicit::{problem_of, run, spectrum};
use super::system::System;

fn damped(delta: f64) -> Aid<Cg> {
    let linear = Cg::new().tolerance(1e-14);
    Aid::with(linear).curvature(LowerCurvature::Damped(delta))
}

fn residuals(estimate: &Estimate<f64>) -> [f64; 2] {
    match estimate.status {
        Status::CurvatureApproximate { residual, solved } => [residual, solved],
        _ => panic!("{estimate}"),
    }
}

/// (H + δI)⁻¹ b by every solver, and the residual of H's own system.
#[test]
fn damping_is_the_closed_form_by_every_solver() {
    let system = System::new(&[3.0, 2.0, 1.0, 0.5], 5);
    let (problem, x) = (problem_of(&system), DVector::zeros(4));
    for delta in [1e-3, 0.3, 20.0] {
        let shifted = &system.h + DMatrix::identity(4, 4) * delta;
        let want = shifted.cholesky().expect("definite").solve(&system.b);
        for solver in exact_solvers::<f64>(1e-14) {
            let name = solver.name();
            let aid = Aid::with(Arc::<dyn LinearSolver<f64>>::from(solver));
            let aid = aid.curvature(LowerCurvature::Damped(delta));
            let estimate = run(&problem, &x, &aid);
            let error = (&estimate.hypergradient - &want).norm() / want.norm();
            assert!(error < 1e-12, "{name}, {delta}: {error:e}");
            let [residual, solved] = residuals(&estimate);
            assert!((residual - system.residual(&want)).abs() < 1e-12, "{name}");
            assert_eq!(estimate.linear_residual, Some(residual));
            assert!(solved < 1e-12 && estimate.status.is_success(), "{name}");
            assert!(estimate.warnings.is_empty(), "{name}: {estimate}");
        }
    }
}

#[test]
fn its_bias_falls_as_the_damping_does_and_is_never_called_right() {
    let system = System::new(&spectrum(0.5), 3);
    let (problem, x) = (problem_of(&system), DVector::zeros(24));
    let exact = run(&problem, &x, &Aid::cg()).hypergradient;
    // v_δ = H⁻¹b − δ H⁻²b + O(δ²).
    let inverse = system.h.clone().try_inverse().expect("regular");
    let slope = (&inverse * &inverse * &system.b).norm();
    for delta in [1e-3, 1e-5, 1e-7] {
        let estimate = run(&problem, &x, &damped(delta));
        let error = (&estimate.hypergradient - &exact).norm();
        assert!(
            (error / (delta * slope) - 1.0).abs() < 1e-2,
            "{delta}: {error:e}"
        );
        // δ‖v‖ is what is left of H v = b.
        let left = delta * estimate.hypergradient.norm() / system.b.norm();
        assert!((residuals(&estimate)[0] / left - 1.0).abs() < 1e-5);
    }
    assert_eq!(
        run(&problem, &x, &damped(1e-300)).status.code(),
        "curvature-approximate"
    );
}

/// H itself is negative in one direction: told, whether damping makes up for it or not.
#[test]
fn what_damping_hides_of_the_hessian_is_said() {
    let system = System::new(&spectrum(-0.5), 3);
    let (problem, x) = (problem_of(&system), DVector::zeros(24));
    let exact = run(&problem, &x, &Aid::cg());
    assert_eq!(exact.status.code(), "negative-curvature", "{exact}");

    let enough = run(&problem, &x, &damped(0.6));
    assert_eq!(enough.status.code(), "curvature-approximate", "{enough}");
    assert!(
        enough.warnings[0].contains("has negative curvature"),
        "{enough}"
    );
    let little = run(&problem, &x, &damped(0.1));
    assert_eq!(little.status.code(), "curvature-indefinite", "{little}");
    assert!(little.status.to_string().contains("add damping") && !little.status.is_success());

    // A flat direction that the right-hand side has no part in, on a small problem.
    let system = System::diagonal(&[2.0, 1.0, 0.0], &[1.0, 1.0, 0.0]);
    let flat = run(&problem_of(&system), &DVector::zeros(3), &damped(1e-3));
    assert_eq!(flat.status.code(), "curvature-approximate", "{flat}");
    assert!(flat.warnings[0].contains("is singular"), "{flat}");
}

/// A network that some steps of L-BFGS leave where its Hessian is not definite.
fn network() -> (Bilevel<f64>, DVector<f64>, LowerSolve) {
    let splits = digits_classes(2).cut(30, 10);
    let task = mlp::<f64>(&splits, &[2], 5).expect("classes");
    let lower = LowerSolve::Lbfgs {
        tolerance: Some(1e-2),
        limit: Some(2000),
    };
    (task.bilevel, dvector![-3.0, -3.0], lower)
}

#[test]
fn gauss_newton_of_a_network_is_the_dense_system() {
    let (problem, x, lower) = network();
    let mut distances = Vec::new();
    for damping in [0.0, 1e-2] {
        let aid = Aid::with(Cg::new().tolerance(1e-13)).lower(lower.clone());
        let curvature = LowerCurvature::GaussNewton { damping };
        let aid = aid.curvature(curvature);
        let estimate = run(&problem, &x, &aid);
        assert_eq!(estimate.bytes.peak, aid.predicted_peak_bytes(&problem));

        let (at, n) = ([x.as_slice(), estimate.y.as_slice()], problem.dim_y());
        let mut point = problem.lower().point();
        point.linearise(&at);
        let mut dense = DMatrix::identity(n, n) * damping;
        for k in 0..n {
            let mut unit = vec![0.0; n];
            unit[k] = 1.0;
            point.gauss_newton(&[None, Some(&unit)], Inputs::one(1));
            let column = DVector::from_column_slice(point.product(1));
            dense.set_column(k, &(dense.column(k) + column));
        }
        let mut upper = problem.upper().point();
        upper.linearise(&at);
        let b = DVector::from_column_slice(upper.gradient(1));
        let v = dense
            .cholesky()
            .expect("the decay makes it definite")
            .solve(&b);
        point.second(&[None, Some(v.as_slice())]);
        let by_x = DVector::from_column_slice(upper.gradient(0));
        let want = by_x - DVector::from_column_slice(point.product(0));
        let error = (&estimate.hypergradient - &want).norm() / want.norm();
        assert!(error < 1e-10, "{error:e}");
        let left = (DVector::from_column_slice(point.product(1)) - &b).norm() / b.norm();
        let told = estimate.linear_residual.expect("a system");
        assert!((told - left).abs() < 1e-9 && left > 1e-3, "{told} {left}");
        distances.push(left);
    }
    assert_ne!(distances[0], distances[1]);
}

/// One product for each iteration, one of the Hessian's, and one more of Gauss–Newton's own.
#[test]
fn products_are_counted() {
    let (problem, x, _) = network();
    let count = |curvature| {
        let aid = Aid::with(Cg::new().tolerance(1e-6));
        let aid = aid.lower(LowerSolve::Start).curvature(curvature);
        let estimate = run(&problem, &x, &aid);
        estimate.oracles.lower.hvps - estimate.linear_iterations
    };
    assert_eq!(count(LowerCurvature::Damped(5.0)), 1);
    assert_eq!(count(LowerCurvature::GaussNewton { damping: 1.0 }), 2);
}

#[test]
fn what_does_not_fit_is_refused_with_what_does() {
    let reason = |e: Result<(), ConfigError>| e.expect_err("refused").to_string();
    for delta in [0.0, -1.0, f64::NAN] {
        let refused = reason(Strategy::<f64>::validate(&damped(delta)));
        assert!(refused.contains("expected a positive number"), "{refused}");
    }
    let negative = Aid::cg().curvature(LowerCurvature::GaussNewton { damping: -1.0 });
    assert!(reason(Strategy::<f64>::validate(&negative)).contains("from 0 on"));

    let gauss_newton = Aid::cg().curvature(LowerCurvature::GaussNewton { damping: 0.0 });
    let problem = problem_of(&System::new(&[1.0, 2.0], 1));
    let refused = reason(gauss_newton.suits(&problem));
    assert!(
        refused.contains("marks no outputs: expected `damped:DELTA`"),
        "{refused}"
    );
    let inside = Constraint::Box {
        low: 0.0,
        high: 1.0,
    };
    let boxed = problem.with_part(inside.into()).expect("a box");
    let refused = reason(damped(1.0).suits(&boxed));
    assert!(refused.contains("part beside g (box"), "{refused}");
}

/// Of a layer each cotangent is pulled back with the damped system, one after the other.
#[test]
fn the_jacobian_of_a_layer_is_the_damped_one() {
    let system = System::new(&spectrum(0.5), 4);
    let h = system.h.clone();
    let lower = objective(move |x: Var, y: Var| 0.5 * y.dot(&h * y) - x.dot(y));
    let layer = Layer::new(lower, 24, 24).expect("a valid problem");
    let row = Row::new(DVector::from_element(24, 0.3));
    let found = layer.jacobian(&damped(0.2), &row, &mut layer.workspace());
    let found = found.expect("valid");
    let shifted = &system.h + DMatrix::identity(24, 24) * 0.2;
    let want = shifted.try_inverse().expect("definite");
    assert!((&found.matrix - &want).norm() < 1e-9 * want.norm());
    assert_eq!(found.status().code(), "curvature-approximate");
}
