//! The linear system started from the last solution.

use models::closed_form;
use nalgebra::DVector;
use solvers::linear::{Cg, FixedPoint, Minres, Neumann};
use solvers::{Aid, Bilevel, Descent, Estimate, Method, Optimiser, Strategy, Workspace};

fn quadratic() -> Bilevel<f64> {
    closed_form::quadratic(3, 30, 4).bilevel
}

fn at(
    x: f64,
    problem: &Bilevel<f64>,
    s: &dyn Strategy<f64>,
    work: &mut Workspace<f64>,
) -> Estimate<f64> {
    s.hypergradient(problem, &DVector::from_element(3, x), work)
        .expect("valid settings")
}

#[test]
fn a_second_call_at_the_same_point_has_nothing_to_do() {
    let problem = quadratic();
    let solvers: [[&dyn Strategy<f64>; 2]; 4] = [
        [
            &Aid::with(Cg::new()),
            &Aid::with(Cg::new()).warm_linear(true),
        ],
        [
            &Aid::with(Minres::new()),
            &Aid::with(Minres::new()).warm_linear(true),
        ],
        [
            &Aid::with(Neumann::new()),
            &Aid::with(Neumann::new()).warm_linear(true),
        ],
        [
            &Aid::with(FixedPoint::new()),
            &Aid::with(FixedPoint::new()).warm_linear(true),
        ],
    ];
    for [cold, warm] in solvers {
        let mut work = problem.workspace();
        let first = at(0.5, &problem, warm, &mut work);
        assert_eq!(
            first.hypergradient,
            at(0.5, &problem, cold, &mut problem.workspace()).hypergradient
        );
        let second = at(0.5, &problem, warm, &mut work);
        assert!(first.linear_iterations > 5, "{first}");
        assert_eq!(second.linear_iterations, 0, "{second}");
        let error = (&second.hypergradient - &first.hypergradient).norm();
        assert!(error < 1e-12, "{error:e}");
        // Nearby there is less to do, and cold there is as much as before.
        let near = at(0.500_001, &problem, warm, &mut work);
        let again = at(0.500_001, &problem, cold, &mut work);
        assert!(near.linear_iterations < again.linear_iterations, "{near}");
        assert!(near.status.is_success() && again.status.is_success());
        let error = (&near.hypergradient - &again.hypergradient).norm();
        assert!(error < 1e-8, "{error:e}");
        // A cold call forgets.
        let cold_again = at(0.500_001, &problem, warm, &mut work);
        assert_eq!(cold_again.linear_iterations, again.linear_iterations);
    }
}

#[test]
fn a_solution_that_is_not_finite_is_not_kept() {
    let problem = quadratic();
    let warm = Aid::with(Cg::new()).warm_linear(true);
    let mut work = problem.workspace();
    let bad = at(f64::NAN, &problem, &warm, &mut work);
    assert_eq!(bad.status.code(), "non-finite");
    let good = at(0.5, &problem, &warm, &mut work);
    assert!(good.status.is_success(), "{good}");
}

#[test]
fn descent_starts_both_levels_warm() {
    let problem = quadratic();
    let products = |warm_linear| {
        let optimiser = Optimiser::GradientDescent { rate: 0.05 };
        let descent = Descent::new(Aid::cg(), optimiser, 40)
            .warm_start(true)
            .warm_linear(warm_linear);
        let mut run = descent
            .begin(&problem, DVector::zeros(3))
            .expect("valid settings");
        let last = std::iter::from_fn(|| run.step())
            .last()
            .expect("forty steps");
        assert!(last.status.is_success());
        (last.oracles.hvps(), run.x().clone())
    };
    let ((cold, x_cold), (warm, x_warm)) = (products(false), products(true));
    assert!(warm < cold, "{warm} and {cold}");
    assert!((x_cold - x_warm).norm() < 1e-8);
}
