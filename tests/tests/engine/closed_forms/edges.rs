//! Unhappy inputs have a stated outcome.

use autodiff::{Var, objective};
use models::data::{self, Samples, Splits};
use models::{closed_form, logistic};
use nalgebra::{DVector, dvector};
use solvers::{
    Aid, Bda, Bilevel, Descent, Estimate, Exact, Hoag, Itd, Method, Optimiser, Outer, Status,
    Strategy,
};

fn strategies() -> [Box<dyn Strategy<f64>>; 5] {
    [
        Box::new(Aid::cg()),
        Box::new(Aid::direct()),
        Box::new(Exact),
        Box::new(Itd::reverse(400)),
        Box::new(Bda::new(400)),
    ]
}

fn estimate(
    problem: &Bilevel<f64>,
    strategy: &dyn Strategy<f64>,
    x: &DVector<f64>,
) -> Estimate<f64> {
    let mut work = problem.workspace();
    let estimate = strategy.hypergradient(problem, x, &mut work);
    estimate.expect("valid settings")
}

/// A few samples of which `keep` says which.
fn part(samples: &Samples, keep: impl Fn(f64) -> bool, count: usize) -> Samples {
    let kept = (0..samples.len()).filter(|i| keep(samples.labels[*i]));
    samples.subset(&kept.take(count).collect::<Vec<_>>())
}

fn problem_of(train: Samples, valid: Samples) -> (Bilevel<f64>, DVector<f64>) {
    let splits = Splits {
        train,
        valid,
        test: None,
        source: "part of digits".into(),
    };
    let task = logistic(splits).expect("good labels");
    (task.bilevel, DVector::from_element(64, -2.0))
}

#[test]
fn labels_that_are_all_equal_are_a_problem_like_others() {
    let all = data::digits_parity(0);
    let first = all.train.labels[0];
    let same = |label: f64| label == first;
    let (problem, x) = problem_of(part(&all.train, same, 60), part(&all.valid, same, 30));
    let exact = estimate(&problem, &Exact, &x);
    assert!(exact.status.is_success(), "{exact}");
    let want = &exact.hypergradient;
    assert!(want.norm() > 1e-6);
    let got = estimate(&problem, &Aid::cg(), &x);
    assert!(got.status.is_success(), "{got}");
    assert!((&got.hypergradient - want).norm() <= 1e-7 * want.norm());
}

#[test]
fn every_sample_twice_is_every_sample_once() {
    let all = data::digits_parity(0);
    let (train, valid) = (
        part(&all.train, |_| true, 50),
        part(&all.valid, |_| true, 30),
    );
    let twice = |s: &Samples| s.subset(&(0..2 * s.len()).map(|i| i % s.len()).collect::<Vec<_>>());
    let (once, x) = problem_of(train.clone(), valid.clone());
    let (doubled, _) = problem_of(twice(&train), twice(&valid));
    for strategy in [
        &Aid::direct() as &dyn Strategy<f64>,
        &Itd::reverse(50).step(0.1),
    ] {
        let want = estimate(&once, strategy, &x).hypergradient;
        let got = estimate(&doubled, strategy, &x).hypergradient;
        assert!((got - &want).norm() <= 1e-9 * want.norm());
    }
}

#[test]
fn an_upper_level_that_ignores_y_needs_no_linear_system() {
    let upper = objective(|x: Var, _: Var| 0.5 * x.norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 3, 3).expect("a valid problem");
    let x = dvector![0.2, -0.4, 1.0];
    for strategy in strategies() {
        let got = estimate(&problem, &*strategy, &x);
        assert!(got.status.is_success(), "{got}");
        assert!((&got.hypergradient - &x).norm() <= 1e-12, "{got}");
        if let Some(residual) = got.linear_residual {
            assert_eq!(residual, 0.0, "{got}");
        }
    }
}

/// φ(x) = ½(x − 1)² + ½x² has curvature 2: a rate of 1.5 doubles the error each time.
#[test]
fn outer_steps_that_overshoot_end_once_they_have_left_all_measure() {
    let task = closed_form::scalar::<f64>();
    let problem = &task.bilevel;
    let rule = Optimiser::GradientDescent { rate: 1.5 };
    let method = Descent::new(Aid::cg(), rule, 2000);
    let mut run = Method::begin(&method, problem, dvector![0.3]).expect("valid settings");
    let (mut last, mut iterations) = (None, 0);
    let mut first = f64::NAN;
    while let Some(progress) = run.step() {
        if iterations == 0 {
            first = progress.upper;
        }
        iterations += 1;
        last = Some(progress);
    }
    let last = last.expect("a first iteration");
    let rose = last.upper > first || last.upper.is_nan();
    assert!(rose, "{} after {first}", last.upper);
    assert!(iterations < 100, "it ends long before numbers do");
    assert!(!last.status.is_success(), "{}", last.status);
    assert!(run.x()[0].is_finite(), "{}", run.x());
    assert!(run.x()[0].abs() > 1e5, "{}", run.x());
}

#[test]
fn a_step_that_is_too_long_is_divergence_for_each_strategy_that_unrolls() {
    let task = closed_form::scalar::<f64>();
    let problem = &task.bilevel;
    // |1 − 2s| = 5.
    for strategy in [
        &Itd::reverse(40).step(3.0) as &dyn Strategy<f64>,
        &Bda::new(40).steps(3.0, 3.0),
        &Aid::cg().lower_steps(40, solvers::StepLength::Fixed(3.0)),
    ] {
        let got = estimate(problem, strategy, &dvector![0.3]);
        assert!(matches!(got.status, Status::LowerDiverged { .. }), "{got}");
    }
}

/// A quartic, of whose distance to the minimum each step of Newton's method leaves two thirds.
#[test]
fn a_start_that_is_far_off_needs_more_iterations_than_the_default() {
    let lower = objective(|x: Var, y: Var| {
        let d = (y - x).norm_squared();
        0.25 * d * d + 0.5 * d
    });
    let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("smooth");
    let problem = problem.starting_from(dvector![1e60]);
    let x = dvector![0.7];
    for limit in [1, 30] {
        let short = estimate(&problem, &Aid::cg().lower_limit(limit), &x);
        assert_eq!(short.status.code(), "lower-not-converged", "{short}");
        assert_eq!(short.lower_iterations, limit);
    }
    let default = estimate(&problem, &Aid::cg(), &x);
    assert_eq!(default.lower_iterations, 200);
    let said = default.status.to_string();
    assert!(said.contains("allow more iterations"), "{said}");
    let long = estimate(&problem, &Aid::cg().lower_limit(1000), &x);
    assert!(
        long.status.is_success() && long.lower_iterations > 300,
        "{long}"
    );
    assert!((long.hypergradient[0] - 0.7).abs() < 1e-10, "{long}");
    // The limit stays where the tolerance is set after it.
    let both = estimate(
        &problem,
        &Aid::cg().lower_limit(1000).lower_tolerance(1e-3),
        &x,
    );
    assert!(
        both.status.is_success() && both.lower_residual <= 1e-3,
        "{both}"
    );

    let hoag = |hoag: Outer<Hoag>| {
        let mut run = hoag.begin(&problem, x.clone()).expect("valid settings");
        run.finish().failure
    };
    let ends = [Hoag::new(1), Hoag::new(1).lower_limit(1000)].map(hoag);
    assert!(ends[0].is_some() && ends[1].is_none(), "{ends:?}");
    let refused = Hoag::new(1).lower_limit(0).begin(&problem, x.clone());
    let refused = refused.err().expect("refused").to_string();
    assert!(refused.contains("at most 0 iterations"), "{refused}");
}
