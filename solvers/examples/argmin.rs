//! argmin's optimisers on both levels of a ridge regression with a penalty for each feature.
//!
//! `cargo run -p bilevel-solvers --features argmin --example argmin`

use argmin::core::{Executor, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::newton::NewtonCG;
use argmin::solver::quasinewton::LBFGS;
use argmin::solver::trustregion::{Steihaug, TrustRegion};
use autodiff::{Var, objective};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use solvers::argmin::{Inner, Outer};
use solvers::{Aid, Bilevel};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let (a, b) = (
        dmatrix![1.0, 2.0; 3.0, -1.0; 0.5, 1.0; -1.0, 0.5],
        dvector![1.0, 0.0, 2.0, 0.5],
    );
    let (a_valid, b_valid) = (
        dmatrix![2.0, 1.0; -1.0, 1.0; 0.5, 0.5],
        dvector![0.9, 0.4, 0.3],
    );
    let lower = objective(|x: Var, y: Var| {
        0.5 * (&a * y - &b).norm_squared() + 0.5 * x.exp().dot(y.square())
    });
    let upper = objective(|x: Var, y: Var| {
        0.5 * (&a_valid * y - &b_valid).norm_squared() + 0.01 * x.norm_squared()
    });
    let problem = Bilevel::new(upper, lower, 2, 2)?;

    // The outer level: L-BFGS on F(x, y*(x)).
    let strategy = Aid::cg();
    let lbfgs = LBFGS::new(MoreThuenteLineSearch::new(), 5).with_tolerance_grad(1e-9)?;
    let run = Executor::new(Outer::new(&problem, &strategy), lbfgs)
        .configure(|state| state.param(vec![0.0, 0.0]).max_iters(50))
        .run()
        .map_err(said)?;
    let x = DVector::from_vec(run.state().get_best_param().ok_or("no parameters")?.clone());
    println!("outer level, L-BFGS: {run}");
    let there = strategy_at(&problem, &x)?;
    println!("the hypergradient there:\n{there}\n");
    assert!(there.hypergradient.norm() < 1e-8);

    // The lower level at that x: two solvers that ask for products with the Hessian alone, and the
    // normal equations.
    let exact = normal_equations(&a, &b, &x);
    let newton = NewtonCG::new(MoreThuenteLineSearch::new());
    let run = Executor::new(Inner::new(&problem, &x), newton)
        .configure(|state| state.param(vec![0.0, 0.0]).max_iters(20))
        .run()
        .map_err(said)?;
    let newton = DVector::from_vec(run.state().get_best_param().ok_or("no parameters")?.clone());
    let region = TrustRegion::new(Steihaug::new().with_max_iters(10));
    let run = Executor::new(Inner::new(&problem, &x), region)
        .configure(|state| state.param(vec![0.0, 0.0]).max_iters(50))
        .run()
        .map_err(said)?;
    let region = DVector::from_vec(run.state().get_best_param().ok_or("no parameters")?.clone());
    println!("lower level:\n  normal equations {:?}", exact.as_slice());
    println!("  Newton-CG        {:?}", newton.as_slice());
    println!("  trust region     {:?}", region.as_slice());
    assert!((newton - &exact).norm() < 1e-9 && (region - exact).norm() < 1e-9);
    Ok(())
}

fn strategy_at(problem: &Bilevel<f64>, x: &DVector<f64>) -> Fallible<solvers::Estimate<f64>> {
    use solvers::Strategy;
    Ok(Aid::direct().hypergradient(problem, x, &mut problem.workspace())?)
}

/// y with (aᵀa + diag eˣ) y = aᵀb.
fn normal_equations(a: &DMatrix<f64>, b: &DVector<f64>, x: &DVector<f64>) -> DVector<f64> {
    let hessian = a.tr_mul(a) + DMatrix::from_diagonal(&x.map(f64::exp));
    hessian
        .cholesky()
        .expect("positive definite")
        .solve(&a.tr_mul(b))
}

fn said(error: argmin::core::Error) -> String {
    error.to_string()
}
