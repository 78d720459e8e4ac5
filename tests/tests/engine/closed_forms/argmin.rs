//! argmin's optimisers on closed forms, driven by our derivatives.

use argmin::core::{CostFunction, Executor, Gradient, Hessian, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::newton::NewtonCG;
use argmin::solver::quasinewton::LBFGS;
use argmin::solver::trustregion::{Steihaug, TrustRegion};
use argmin_math::ArgminDot;
use models::{closed_form, ridge};
use nalgebra::{DMatrix, DVector};
use solvers::argmin::{Inner, Outer, Unsuccessful};
use solvers::{Aid, Exact, Itd, Strategy};

#[test]
fn lbfgs_reaches_the_outer_solution() {
    let task = closed_form::quadratic(5, 8, 3);
    let problem = &task.bilevel;
    let solution = &task.known.as_ref().unwrap().solution;
    for strategy in [
        &Aid::cg() as &dyn Strategy<f64>,
        &Exact,
        &Itd::reverse(2000),
    ] {
        let lbfgs = LBFGS::new(MoreThuenteLineSearch::new(), 5);
        let run = Executor::new(Outer::new(problem, strategy), lbfgs)
            .configure(|state| state.param(vec![1.0; 5]).max_iters(100))
            .run()
            .unwrap();
        let x = DVector::from_vec(run.state().get_best_param().unwrap().clone());
        let error = (&x - solution).norm() / solution.norm();
        assert!(error < 1e-6, "{}: {error:e}", strategy.name());
    }
}

#[test]
fn an_evaluation_is_made_once() {
    let task = closed_form::quadratic(5, 8, 3);
    let problem = &task.bilevel;
    let (strategy, x) = (Aid::cg(), vec![0.5; 5]);
    let outer = Outer::new(problem, &strategy);
    assert!(outer.last().is_none());
    let cost = outer.cost(&x).unwrap();
    let first = outer.last().unwrap();
    assert_eq!(outer.gradient(&x).unwrap(), first.hypergradient.as_slice());
    assert_eq!(cost, first.upper);
    assert_eq!(outer.last().unwrap().seconds, first.seconds);
    outer.cost(&vec![0.25; 5]).unwrap();
    assert_ne!(outer.last().unwrap().upper, cost);
}

/// `ridge`: the Hessian as an operator, and two solvers of the lower level that need no other.
#[test]
fn newton_and_trust_region_solve_the_lower_level() {
    let task = ridge::<f64>(6, 1);
    let problem = &task.bilevel;
    let inner = || Inner::new(problem, &task.x);
    let zero = vec![0.0; 6];
    let operator = inner().hessian(&zero).unwrap();
    let columns = operator.dense().concat();
    let hessian = DMatrix::from_vec(6, 6, columns);
    let v = vec![1.0, -2.0, 0.5, 0.0, 3.0, 1.5];
    let product = DVector::from_vec(operator.dot(&v)) - &hessian * DVector::from_vec(v);
    assert!(product.norm() < 1e-12 * hessian.norm());
    // The lower level is quadratic: one Newton step from 0.
    let gradient = DVector::from_vec(inner().gradient(&zero).unwrap());
    let exact = -hessian.cholesky().unwrap().solve(&gradient);
    assert!(inner().cost(&exact.as_slice().to_vec()).unwrap() < inner().cost(&zero).unwrap());

    let newton = NewtonCG::new(MoreThuenteLineSearch::new());
    let newton = Executor::new(inner(), newton)
        .configure(|state| state.param(zero.clone()).max_iters(30))
        .run()
        .unwrap();
    let region = TrustRegion::new(Steihaug::new().with_max_iters(20));
    let region = Executor::new(inner(), region)
        .configure(|state| state.param(zero.clone()).max_iters(60))
        .run()
        .unwrap();
    for found in [
        newton.state().get_best_param(),
        region.state().get_best_param(),
    ] {
        let y = DVector::from_vec(found.unwrap().clone());
        let error = (&y - &exact).norm() / exact.norm();
        assert!(error < 1e-7, "{error:e}");
    }
}

#[test]
fn trouble_ends_the_run_with_its_status() {
    let task = closed_form::bda_counterexample(1);
    let problem = &task.bilevel;
    let strategy = Aid::cg();
    let outer = Outer::new(problem, &strategy);
    let error = outer.gradient(&vec![1.0]).unwrap_err();
    let error = error.downcast_ref::<Unsuccessful>().expect("the status");
    assert_eq!(error.status.code(), "singular-hessian");
    assert!(
        error.to_string().starts_with("aid-cg: the Hessian"),
        "{error}"
    );
}
