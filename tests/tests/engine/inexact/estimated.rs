//! Certificates of strategies: stated by closed forms, and estimated where nothing is stated.

use nalgebra::DVector;
use solvers::{Aid, Bilevel, Itd, StepLength, Strategy, certify};

use super::{exact, named};

#[test]
fn least_squares_is_answered_with_a_certificate_that_holds() {
    let problem = named("least-squares");
    let known = problem.known.as_ref().expect("a closed form");
    let solution = &known.solution;
    assert!((known.hypergradient)(solution).amax() < 1e-12);
    for depth in [1, 3, 10, 30] {
        let rough = Aid::cg().lower_steps(depth, StepLength::Auto);
        let x = DVector::from_fn(3, |i, _| 0.5 - i as f64);
        let mut work = problem.bilevel.workspace();
        let estimate = rough.hypergradient(&problem.bilevel, &x, &mut work);
        let estimate = estimate.expect("valid settings");
        let error = (&estimate.hypergradient - (known.hypergradient)(&x)).norm();
        let certificate = estimate.certificate.expect("stated constants");
        assert!(certificate.certified && error <= certificate.bound);
        // The lower level is quadratic, so the bound loses no more than the condition number.
        assert!(certificate.bound <= 50.0 * error, "{error} {certificate}");
        let text = estimate.to_string();
        assert!(
            text.contains("certified by the problem's constants"),
            "{text}"
        );
    }
}

#[test]
fn strategies_without_a_linear_system_are_certified_with_one_of_their_own() {
    let problem = named("quadratic");
    let x = DVector::from_element(5, 0.7);
    let known = problem.known.as_ref().expect("a closed form");
    let want = (known.hypergradient)(&x);
    for depth in [2, 10, 40] {
        let mut work = problem.bilevel.workspace();
        let estimate = Itd::reverse(depth).hypergradient(&problem.bilevel, &x, &mut work);
        let estimate = estimate.expect("valid settings");
        assert_eq!(estimate.certificate, None);
        let certificate = certify(&problem.bilevel, &x, &estimate).expect("stated constants");
        let error = (&estimate.hypergradient - &want).norm();
        assert!(certificate.certified && error <= certificate.bound);
    }
}

#[test]
fn without_constants_the_bound_is_estimated_and_says_so() {
    let problem = named("logistic");
    let (upper, lower) = (
        problem.bilevel.upper().clone(),
        problem.bilevel.lower().clone(),
    );
    let silent = Bilevel::new(upper, lower, 64, 64).expect("a valid problem");
    let x = &problem.x;
    let (_, want, _) = exact(&silent, x);
    for depth in [20, 200] {
        let rough = Aid::cg().lower_steps(depth, StepLength::Auto);
        let mut work = silent.workspace();
        let estimate = rough.hypergradient(&silent, x, &mut work).expect("valid");
        assert_eq!(estimate.certificate, None);
        let certificate = certify(&silent, x, &estimate).expect("a definite Hessian");
        assert!(!certificate.certified);
        assert!(certificate.to_string().contains("not certified"));
        let error = (&estimate.hypergradient - &want).norm();
        // Here the samples see enough; and they are far nearer than the stated constants.
        let stated = certify(&problem.bilevel, x, &estimate).expect("stated constants");
        assert!(error <= certificate.bound && certificate.bound < stated.bound);
    }
}

#[test]
fn a_singular_hessian_has_no_certificate() {
    let problem = named("bda-counterexample");
    let mut work = problem.bilevel.workspace();
    let x = &problem.x;
    let estimate = Itd::reverse(10).hypergradient(&problem.bilevel, x, &mut work);
    let estimate = estimate.expect("valid settings");
    assert_eq!(certify(&problem.bilevel, x, &estimate), None);
}
