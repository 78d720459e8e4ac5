//! A lower level as a layer: cotangents pulled back through its solution, row by row and together.

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use solvers::{
    Aid, AidStep, Bda, Bilevel, ConfigError, Constants, Exact, InnerStep, Itd, Layer, Row, Status,
    Strategy, Workspace,
};

fn a() -> DMatrix<f64> {
    dmatrix![2.0, -1.0, 0.5; 0.3, 1.5, -0.7]
}

/// y* = A x.
fn linear() -> Layer<f64> {
    let (a, h) = (a(), dmatrix![2.0, 0.3; 0.3, 1.0]);
    let lower = objective(move |x: Var, y: Var| {
        let off = y - x.matrix(&a).matmul(x);
        0.5 * off.dot(x.matrix(&h).matmul(off))
    });
    Layer::new(lower, 3, 2).expect("a valid problem")
}

#[test]
fn every_strategy_pulls_a_cotangent_back_to_the_transposed_jacobian() {
    let layer = linear();
    let (x, u) = (dvector![0.3, -1.0, 2.0], dvector![0.7, -0.2]);
    let (y, want) = (a() * &x, a().transpose() * &u);
    let itd = Itd::reverse(400);
    let strategies: [&dyn Strategy<f64>; 5] = [
        &Aid::cg(),
        &Aid::direct(),
        &Exact,
        &itd,
        &AidStep::new(InnerStep::GradientDescent),
    ];
    for strategy in strategies {
        let mut work = layer.workspace();
        let mut row = Row::new(x.clone());
        let forward = layer.call(strategy, &mut row, &mut work).expect("valid");
        assert!(forward.status.is_success(), "{forward}");
        assert!((&forward.y - &y).norm() < 1e-8, "{forward}");
        assert_eq!(forward.hypergradient, DVector::zeros(3));
        let mut row = row.cotangent(u.clone());
        let back = layer.call(strategy, &mut row, &mut work).expect("valid");
        assert!(back.status.is_success(), "{back}");
        assert!((&back.hypergradient - &want).norm() < 1e-8, "{back}");
        assert!((back.upper - u.dot(&y)).abs() < 1e-8);
    }
}

#[test]
fn a_loop_is_pulled_back_through_its_steps_and_not_through_the_solution() {
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let layer = Layer::new(lower, 2, 2).expect("a valid problem");
    // y_K = y₀ + (1 − (1 − s)ᴷ)(x − y₀)
    let (s, depth) = (0.3, 7);
    let part = 1.0 - (1.0f64 - s).powi(depth);
    let itd = Itd::reverse(depth as usize).step(s);
    let (x, u) = (dvector![1.0, -2.0], dvector![0.5, 3.0]);
    let mut row = Row::new(x.clone())
        .start(dvector![0.1, 0.2])
        .cotangent(u.clone());
    let back = layer.call(&itd, &mut row, &mut layer.workspace());
    let back = back.expect("valid");
    assert!((&back.hypergradient - part * u).norm() < 1e-14);
    let start = dvector![0.1, 0.2];
    assert!((&back.y - (&start + part * (x - &start))).norm() < 1e-14);
}

/// y_i* solves y + c y³ = x_i, so rows differ in how many iterations they take.
fn cubic() -> Layer<f64> {
    let lower = objective(|x: Var, y: Var| {
        0.5 * (y - x).norm_squared() + 0.25 * y.powi(4).sum() + 0.1 * y.sum().square()
    });
    Layer::new(lower, 30, 30).expect("a valid problem")
}

fn rows(count: usize) -> Vec<Row<f64>> {
    let at = |r: usize, scale: f64| {
        DVector::from_fn(30, |i, _| scale * (1.3 * i as f64 + 0.7 * r as f64).sin())
    };
    let row = |r: usize| {
        Row::new(at(r, 1.0 + r as f64))
            .cotangent(at(r + 50, 1.0))
            .guess(DVector::zeros(30))
    };
    (0..count).map(row).collect()
}

#[test]
fn a_batch_has_the_bits_of_a_loop_over_its_rows() {
    let layer = cubic();
    for strategy in [&Aid::cg() as &dyn Strategy<f64>, &Itd::reverse(30)] {
        let (mut together, mut alone) = (rows(17), rows(17));
        let mut works: Vec<Workspace<f64>> = (0..3).map(|_| layer.workspace()).collect();
        let batch = layer
            .batch(strategy, &mut together, &mut works)
            .expect("valid");
        for (estimate, row) in batch.iter().zip(&mut alone) {
            let one = layer.call(strategy, row, &mut layer.workspace());
            let one = one.expect("valid");
            assert_eq!(estimate.status, one.status);
            assert_eq!(estimate.y, one.y);
            assert_eq!(estimate.hypergradient, one.hypergradient);
        }
        assert_eq!(together, alone, "the solutions of the linear systems");
    }
}

#[test]
fn warm_starts_take_no_iteration_and_give_the_cold_answer() {
    let layer = cubic();
    let mut work = layer.workspace();
    for mut row in rows(4) {
        let cold = layer.call(&Aid::cg(), &mut row, &mut work).expect("valid");
        assert!(
            cold.status.is_success() && cold.lower_iterations > 0,
            "{cold}"
        );
        let mut row = row.start(cold.y.clone());
        let warm = layer.call(&Aid::cg(), &mut row, &mut work).expect("valid");
        assert_eq!(warm.lower_iterations, 0);
        assert_eq!(warm.linear_iterations, 0, "{warm}");
        assert!((warm.hypergradient - cold.hypergradient).norm() < 1e-9);
    }
}

/// At 30 entries no probe looks at the Hessian, and at the solution no step meets its curvature.
#[test]
fn a_forward_call_from_the_solution_knows_how_near_it_is() {
    let layer = cubic();
    let x = DVector::from_element(30, 1.5);
    let mut work = layer.workspace();
    let first = layer.call(&Aid::cg(), &mut Row::new(x.clone()), &mut work);
    let first = first.expect("valid");
    let mut row = Row::new(x).start(first.y);
    let again = layer.call(&Aid::cg(), &mut row, &mut work).expect("valid");
    assert!(again.status.is_success(), "{again}");
    assert!(again.distance.is_some_and(|d| d < 1e-7), "{again}");
    assert_eq!(again.hypergradient, DVector::zeros(30));
}

#[test]
fn a_singular_row_says_so_and_leaves_the_others_alone() {
    // ½ x₁ y₁² + ½ (y₂ − x₂)²: flat in y₁ where x₁ is 0.
    let lower = objective(|x: Var, y: Var| {
        0.5 * x.at(0) * y.at(0).square() + 0.5 * (y.at(1) - x.at(1)).square()
    });
    let layer = Layer::new(lower, 2, 2).expect("a valid problem");
    let mut rows: Vec<Row<f64>> = [1.0, 0.0, 2.0]
        .map(|x| Row::new(dvector![x, 0.5]).cotangent(dvector![0.0, 1.0]))
        .into();
    let mut works = [layer.workspace(), layer.workspace()];
    let found = layer
        .batch(&Aid::cg(), &mut rows, &mut works)
        .expect("valid");
    let codes: Vec<&str> = found.iter().map(|e| e.status.code()).collect();
    assert_eq!(codes, ["converged", "singular-hessian", "converged"]);
    for right in [&found[0], &found[2]] {
        assert!((&right.hypergradient - dvector![0.0, 1.0]).norm() < 1e-9);
    }
}

#[test]
fn what_follows_the_upper_level_is_no_layer() {
    let layer = linear();
    let mut row = Row::new(DVector::zeros(3));
    let one = Bda::new(10).one_stage();
    for strategy in [&Bda::new(10) as &dyn Strategy<f64>, &one] {
        let refused = layer.call(strategy, &mut row, &mut layer.workspace());
        let ConfigError::Problem { reason, .. } = refused.expect_err("it depends on F") else {
            panic!("expected a problem that does not fit");
        };
        assert!(reason.contains("follows F"), "{reason}");
    }
}

#[test]
fn a_cotangent_that_is_not_finite_is_named() {
    let layer = linear();
    let mut row = Row::new(dvector![1.0, 1.0, 1.0]).cotangent(dvector![f64::NAN, 1.0]);
    let found = layer.call(&Aid::cg(), &mut row, &mut layer.workspace());
    let Status::NonFinite { place } = found.expect("valid").status else {
        panic!("expected a status");
    };
    assert!(place.contains("cotangent"), "{place}");
}

#[test]
#[should_panic(expected = "the cotangent has 3 entries: the problem's inner variable has 2")]
fn a_cotangent_of_another_length_is_refused() {
    let layer = linear();
    let mut row = Row::new(DVector::zeros(3)).cotangent(DVector::zeros(3));
    drop(layer.call(&Aid::cg(), &mut row, &mut layer.workspace()));
}

#[test]
fn a_layer_of_a_problem_keeps_its_start_and_certifies_by_what_is_stated_of_g() {
    let upper = objective(|_: Var, y: Var| y.powi(4).sum());
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1)
        .expect("a valid problem")
        .starting_from(dvector![4.0])
        .with_constants(|_, _| Constants {
            strong_convexity: 1.0,
            smoothness: 1.0,
            hessian_lipschitz: 0.0,
            cross_norm: 1.0,
            cross_lipschitz: 0.0,
            upper_smoothness: 1e9,
            upper_cross: 1e9,
        });
    let layer = Layer::of(&problem);
    let steps = Itd::reverse(1).inner(InnerStep::GradientDescent).step(0.5);
    let mut row = Row::new(dvector![1.0]).cotangent(dvector![2.0]);
    let one = layer.call(&steps, &mut row, &mut layer.workspace());
    assert_eq!(one.expect("valid").y, dvector![2.5]);
    let rough = Aid::cg().lower_steps(3, solvers::StepLength::Fixed(0.5));
    let found = layer.call(&rough, &mut row, &mut layer.workspace());
    let certificate = found.expect("valid").certificate.expect("stated");
    // ∇²g is constant and F is linear: nothing is off but the linear system's residual.
    assert!(
        certificate.certified && certificate.bound < 1e-9,
        "{certificate}"
    );
}
