//! Many cotangents pulled back through one solution, and dy*/dx.

use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::linear::{Gmres, Minres, Neumann, Nystrom, Pcg, Recycled};
use solvers::{
    Aid, AidStep, Bilevel, Exact, InnerStep, Itd, Layer, LowerSolve, Part, Row, StepLength,
    Strategy,
};

fn random(rows: usize, columns: usize, seed: u64) -> DMatrix<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    DMatrix::from_fn(rows, columns, |_, _| rng.random_range(-1.0..1.0))
}

/// g = ½ yᵀHy − yᵀAx: y* = H⁻¹Ax, with its Jacobian H⁻¹A.
fn linear(dim_x: usize, dim_y: usize, seed: u64) -> (Layer<f64>, DMatrix<f64>) {
    let (a, q) = (random(dim_y, dim_x, seed), random(dim_y, dim_y, !seed));
    let h = &q * q.transpose() + DMatrix::identity(dim_y, dim_y);
    let jacobian = h.clone().cholesky().expect("definite").solve(&a);
    let lower = objective(move |x: Var, y: Var| {
        let quadratic = y.dot(y.matrix(&h).matmul(y)) * 0.5;
        quadratic - y.dot(y.matrix(&a).matmul(x))
    });
    let layer = Layer::new(lower, dim_x, dim_y).expect("a valid problem");
    (layer, jacobian)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_jacobian_of_a_quadratic_is_the_closed_form_from_either_side(
        dim_x in 1..24usize,
        dim_y in 1..24usize,
        seed in any::<u64>(),
    ) {
        let (layer, want) = linear(dim_x, dim_y, seed);
        let mut work = layer.workspace();
        let row = Row::new(DVector::from_element(dim_x, 0.3));
        let strategies: [&dyn Strategy<f64>; 4] =
            [&Aid::cg(), &Aid::direct(), &Aid::with(Minres::new()), &Exact];
        for strategy in strategies {
            let found = layer.jacobian(strategy, &row, &mut work).expect("valid");
            prop_assert!(found.status().is_success(), "{}", found.status());
            let error = (&found.matrix - &want).norm() / want.norm();
            prop_assert!(error < 1e-7, "{strategy:?}: {error:e}");
            let by_columns = dim_x <= dim_y && strategy.implicit().is_some();
            prop_assert_eq!(found.by_rows, !by_columns);
            prop_assert_eq!(found.systems.len(), if by_columns { dim_x } else { dim_y });
        }
        let cotangents = random(dim_y, 3, seed / 2);
        let back = layer.pull_back(&Aid::cg(), &row, &cotangents, &mut work).expect("valid");
        prop_assert!((back.matrix - want.transpose() * cotangents).norm() < 1e-7);
    }
}

/// y solves y + y³ + Σy/5 = x.
fn cubic() -> Layer<f64> {
    let lower = objective(|x: Var, y: Var| {
        0.5 * (y - x).norm_squared() + 0.25 * y.powi(4).sum() + 0.1 * y.sum().square()
    });
    Layer::new(lower, 40, 40).expect("a valid problem")
}

#[test]
fn a_block_is_what_one_call_after_the_other_gives_and_takes_fewer_sweeps_of_iterations() {
    let layer = cubic();
    let row = Row::new(DVector::from_fn(40, |i, _| (1.3 * i as f64).sin()));
    let mut work = layer.workspace();
    // More than one block, with a zero, a twin and a multiple.
    let mut cotangents = random(40, 21, 4);
    cotangents.column_mut(3).fill(0.0);
    let twin = cotangents.column(0).into_owned();
    cotangents.set_column(5, &twin);
    cotangents.set_column(7, &(twin * -1e8));
    let back = layer
        .pull_back(&Aid::cg(), &row, &cotangents, &mut work)
        .expect("valid");
    assert!(back.status().is_success(), "{}", back.status());
    let mut alone = 0;
    for (j, system) in back.systems.iter().enumerate() {
        let one = row.clone().cotangent(cotangents.column(j).into_owned());
        let one = layer
            .call(&Aid::cg(), &mut one.clone(), &mut work)
            .expect("valid");
        let error = (back.matrix.column(j) - &one.hypergradient).norm();
        assert!(error <= 1e-8 * one.hypergradient.norm(), "{j}: {error:e}");
        assert!(system.residual <= 1e-10, "{j}: {system:?}");
        alone += one.linear_iterations;
    }
    let together: usize = back.systems.iter().map(|s| s.iterations).sum();
    assert!(together < alone, "{together} and {alone}");
    assert_eq!(back.matrix.column(3).norm(), 0.0);
}

#[test]
fn differences_of_the_solution_agree_with_the_jacobian() {
    let layer = cubic();
    let x = DVector::from_fn(40, |i, _| (0.7 * i as f64).cos());
    let mut work = layer.workspace();
    let row = Row::new(x.clone());
    let found = layer.jacobian(&Aid::cg(), &row, &mut work).expect("valid");
    assert!(found.status().is_success() && !found.by_rows);
    for i in [0, 17, 39] {
        let mut at = |step: f64| {
            let mut x = x.clone();
            x[i] += step;
            let strategy = Aid::cg().until_rounding();
            layer
                .call(&strategy, &mut Row::new(x), &mut work)
                .expect("valid")
                .y
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        let error = (difference - found.matrix.column(i)).norm();
        assert!(error < 1e-8, "{i}: {error:e}");
    }
}

#[test]
fn other_strategies_and_parts_pull_back_one_by_one() {
    let (layer, want) = linear(3, 4, 9);
    let row = Row::new(dvector![0.1, 0.2, -0.4]);
    let found = layer.jacobian(&Itd::reverse(3000), &row, &mut layer.workspace());
    let found = found.expect("valid");
    assert!(
        found.status().is_success() && found.by_rows,
        "{}",
        found.status()
    );
    assert!((found.matrix - want).norm() < 1e-6);
    // The Lasso of ½‖y − x‖² with weight ½: y = x ∓ ½ off zero.
    let upper = objective(|_: Var, y: Var| y.sum());
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let lasso = Bilevel::new(upper, lower, 3, 3)
        .and_then(|problem| problem.with_part(Part::l1(|x: Var| 0.5 + 0.0 * x.at(0))))
        .expect("a valid problem");
    let layer = Layer::of(&lasso);
    let row = Row::new(dvector![2.0, 0.1, -3.0]);
    for strategy in [
        &Aid::cg() as &dyn Strategy<f64>,
        &Aid::with(Recycled::new(2)),
    ] {
        let found = layer
            .jacobian(strategy, &row, &mut layer.workspace())
            .expect("valid");
        assert!(found.status().is_success(), "{}", found.status());
        let want = dmatrix![1.0, 0.0, 0.0; 0.0, 0.0, 0.0; 0.0, 0.0, 1.0];
        assert!((found.matrix - want).norm() < 1e-9);
    }
}

#[test]
fn a_singular_hessian_is_told_of_every_system() {
    let lower = objective(|x: Var, y: Var| 0.5 * (y.at(1) - x.at(0)).square());
    let layer = Layer::new(lower, 1, 2).expect("a valid problem");
    let row = Row::new(dvector![1.0]);
    for strategy in [&Aid::cg() as &dyn Strategy<f64>, &Aid::direct()] {
        let found = layer
            .jacobian(strategy, &row, &mut layer.workspace())
            .expect("valid");
        assert!(
            found.systems.iter().all(|s| !s.status.is_success()),
            "{:?}",
            found.systems
        );
        assert_eq!(found.status().code(), "singular-hessian");
    }
}

#[test]
fn negative_curvature_is_told_of_every_system() {
    // Started at the saddle of ½y₁² − ½y₂², which no lower level is.
    let lower =
        objective(|x: Var, y: Var| 0.5 * (y.at(0) - x.at(0)).square() - 0.5 * y.at(1).square());
    let layer = Layer::new(lower, 1, 2).expect("a valid problem");
    let row = Row::new(dvector![1.0]).start(dvector![1.0, 0.0]);
    let found = layer
        .jacobian(&Aid::cg(), &row, &mut layer.workspace())
        .expect("valid");
    assert!(found.systems.iter().all(|s| !s.status.is_success()));
    assert_eq!(found.status().code(), "negative-curvature");
}

#[test]
fn a_cotangent_that_is_no_number_is_told_of_alone() {
    let (layer, want) = linear(3, 5, 2);
    let row = Row::new(dvector![0.1, 0.2, -0.4]);
    let mut cotangents = random(5, 3, 1);
    cotangents[(2, 1)] = f64::INFINITY;
    let back = layer.pull_back(&Aid::cg(), &row, &cotangents, &mut layer.workspace());
    let back = back.expect("valid");
    let codes: Vec<&str> = back.systems.iter().map(|s| s.status.code()).collect();
    assert_eq!(codes, ["converged", "non-finite", "converged"]);
    assert_eq!(back.status().code(), "non-finite");
    assert!(back.matrix.column(1).iter().all(|v| v.is_nan()));
    for j in [0, 2] {
        let of = want.transpose() * cotangents.column(j);
        assert!((back.matrix.column(j) - of).norm() < 1e-8);
    }
}

#[test]
fn single_precision() {
    let lower =
        objective(|x: Var<f32>, y: Var<f32>| (y - x).norm_squared() * 0.5 + y.powi(4).sum() * 0.25);
    let layer = Layer::new(lower, 6, 6).expect("a valid problem");
    let row = Row::new(DVector::from_element(6, 2.0f32));
    let found = layer
        .jacobian(&Aid::cg(), &row, &mut layer.workspace())
        .expect("valid");
    // y + y³ = 2 at y = 1: dy/dx = 1/(1 + 3y²).
    assert!(found.status().is_success(), "{}", found.status());
    assert!((found.matrix - DMatrix::identity(6, 6) * 0.25).norm() < 1e-4);
}

#[test]
#[should_panic(expected = "the cotangents have 3 rows: the problem's inner variable has 5 entries")]
fn cotangents_of_another_length_are_refused() {
    let (layer, _) = linear(3, 5, 2);
    let row = Row::new(DVector::zeros(3));
    drop(layer.pull_back(
        &Aid::cg(),
        &row,
        &DMatrix::zeros(3, 1),
        &mut layer.workspace(),
    ));
}

/// Bytes are those on the meter, twice in one workspace, in blocks and one by one.
fn assert_bytes<T: autodiff::Real>(strategies: &[&dyn Strategy<T>]) {
    for (dim_x, dim_y) in [(1, 1), (3, 7), (30, 20), (18, 21), (50, 40)] {
        let half = T::of(0.5);
        let lower = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
            (y - x.sum()).norm_squared() * half + y.exp().sum()
        });
        let layer = Layer::new(lower, dim_x, dim_y).expect("a valid problem");
        let row = Row::new(DVector::from_element(dim_x, T::of(0.1)));
        for strategy in strategies {
            let mut work = layer.workspace();
            let predicted = layer.predicted_jacobian_bytes(*strategy);
            for call in 0..2 {
                let found = layer.jacobian(*strategy, &row, &mut work).expect("valid");
                let peak = found.estimate.bytes.peak;
                assert_eq!(
                    peak, predicted,
                    "{strategy:?}, {dim_x}, {dim_y}, call {call}"
                );
            }
            for count in [0, 1, 5, 37] {
                let cotangents = DMatrix::from_fn(dim_y, count, |i, j| T::of((i + 3 * j) as f64));
                let mut work = layer.workspace();
                let predicted = layer.predicted_pull_back_bytes(*strategy, count);
                for call in 0..2 {
                    let found = layer.pull_back(*strategy, &row, &cotangents, &mut work);
                    let peak = found.expect("valid").estimate.bytes.peak;
                    assert_eq!(
                        peak, predicted,
                        "{count} by {strategy:?}, {dim_x}, {dim_y}, call {call}"
                    );
                }
            }
        }
    }
}

#[test]
fn predicted_bytes_are_the_measured_ones() {
    fn all<T: autodiff::Real>() {
        let steps = |inner| LowerSolve::Steps {
            depth: 12,
            inner,
            length: StepLength::Auto,
        };
        assert_bytes::<T>(&[
            &Aid::cg(),
            &Aid::direct(),
            &Aid::with(Minres::new()),
            &Aid::with(Recycled::new(3)),
            &Aid::with(Gmres::new(5)),
            &Aid::with(Nystrom::new(5)),
            &Aid::with(Pcg::jacobi(4)),
            &Aid::with(Pcg::nystrom(5)),
            &Aid::with(Neumann::new()),
            &Aid::cg().lower(steps(InnerStep::GradientDescent)),
            &Aid::direct().lower(steps(InnerStep::Nesterov(0.5))),
            &Aid::cg().lower(LowerSolve::Lbfgs {
                tolerance: None,
                limit: None,
            }),
            &Exact,
            &Itd::reverse(12),
            &AidStep::new(InnerStep::GradientDescent),
        ]);
    }
    all::<f64>();
    all::<f32>();
}

#[test]
fn predicted_bytes_of_a_learned_start_are_the_measured_ones() {
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let upper = objective(|_: Var, y: Var| y.sum());
    let problem = Bilevel::new(upper, lower, 20, 20).expect("a valid problem");
    let problem = problem.starting_at(|x: Var| x.exp());
    let layer = Layer::of(&problem);
    let row = Row::new(DVector::from_element(20, 0.2));
    for strategy in [
        &Aid::cg() as &dyn Strategy<f64>,
        &Aid::direct(),
        &Itd::reverse(9),
    ] {
        let found = layer.jacobian(strategy, &row, &mut layer.workspace());
        let peak = found.expect("valid").estimate.bytes.peak;
        assert_eq!(
            peak,
            layer.predicted_jacobian_bytes(strategy),
            "{strategy:?}"
        );
    }
}
