//! The linear system started from the last solution.

use models::closed_form;
use nalgebra::DVector;
use solvers::linear::{Cg, FixedPoint, Gmres, Minres, Neumann};
use solvers::{Aid, At, Bilevel, Descent, Estimate, Method, Optimiser, Strategy};

fn quadratic() -> Bilevel<f64> {
    closed_form::quadratic(3, 30, 4).bilevel
}

fn at(
    x: f64,
    problem: &Bilevel<f64>,
    aid: &dyn Strategy<f64>,
    guess: Option<&mut DVector<f64>>,
) -> Estimate<f64> {
    let x = DVector::from_element(3, x);
    let at = At::new(&x);
    let at = match guess {
        Some(guess) => at.linear(guess),
        None => at,
    };
    aid.hypergradient_at(problem, at, &mut problem.workspace())
        .expect("valid settings")
}

#[test]
fn a_second_call_at_the_same_point_has_nothing_to_do() {
    let problem = quadratic();
    let strategies: [&dyn Strategy<f64>; 5] = [
        &Aid::with(Cg::new()),
        &Aid::with(Minres::new()),
        &Aid::with(Neumann::new()),
        &Aid::with(FixedPoint::new()),
        &Aid::with(Gmres::new(30)),
    ];
    for aid in strategies {
        let mut guess = DVector::zeros(30);
        let first = at(0.5, &problem, aid, Some(&mut guess));
        let cold = at(0.5, &problem, aid, None);
        assert_eq!(first.hypergradient, cold.hypergradient);
        let second = at(0.5, &problem, aid, Some(&mut guess));
        assert!(first.linear_iterations > 5, "{first}");
        assert_eq!(second.linear_iterations, 0, "{second}");
        let error = (&second.hypergradient - &first.hypergradient).norm();
        assert!(error < 1e-12, "{error:e}");
        // Nearby there is less to do, and cold there is as much as before.
        let near = at(0.500_001, &problem, aid, Some(&mut guess));
        let again = at(0.500_001, &problem, aid, None);
        assert!(near.linear_iterations < again.linear_iterations, "{near}");
        assert!(near.status.is_success() && again.status.is_success());
        let error = (&near.hypergradient - &again.hypergradient).norm();
        assert!(error < 1e-8, "{error:e}");
    }
}

#[test]
fn a_solution_that_is_not_finite_is_not_kept() {
    let problem = quadratic();
    let (aid, mut guess) = (Aid::cg(), DVector::zeros(30));
    let bad = at(f64::NAN, &problem, &aid, Some(&mut guess));
    assert_eq!(bad.status.code(), "non-finite");
    assert!(guess.iter().all(|v| *v == 0.0));
    let good = at(0.5, &problem, &aid, Some(&mut guess));
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
