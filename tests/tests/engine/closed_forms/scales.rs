//! A lower level times a constant has the same solution: the answer is the same, or a warning says
//! that it may not be.

use autodiff::{Real, Var, objective};
use nalgebra::{DVector, dvector};
use solvers::linear::{FixedPoint, Minres};
use solvers::{
    Aid, AidStep, Bilevel, Descent, Estimate, InnerStep, Method, Optimiser, StepLength, Strategy,
};

const X: [f64; 3] = [0.4, -1.3, 2.2];

/// y + y³ = x, entry by entry, times `scale`.
fn problem<T: Real>(scale: f64) -> Bilevel<T> {
    let scale = T::of(scale);
    let lower = objective(move |x: Var<T>, y: Var<T>| {
        let square = y.square();
        (y.norm_squared() * T::of(0.5) + square.norm_squared() * T::of(0.25) - x.dot(y)) * scale
    });
    let upper = objective(|_: Var<T>, y: Var<T>| {
        let off = y - T::of(0.3);
        off.norm_squared() * T::of(0.5)
    });
    Bilevel::new(upper, lower, 3, 3).expect("smooth")
}

/// (y − 0.3) dy/dx.
fn exact() -> [f64; 3] {
    X.map(|x| {
        let mut y = x / 2.0;
        for _ in 0..60 {
            y -= (y + y * y * y - x) / (1.0 + 3.0 * y * y);
        }
        (y - 0.3) / (1.0 + 3.0 * y * y)
    })
}

fn error<T: Real>(estimate: &Estimate<T>) -> f64 {
    let exact = exact();
    let size = exact.iter().map(|e| e * e).sum::<f64>().sqrt();
    let off = estimate.hypergradient.iter().zip(exact);
    let off = off.map(|(h, e)| (h.f64() - e).powi(2)).sum::<f64>().sqrt();
    off / size
}

/// The curvature of [`problem`] is between `scale` and five times that.
fn strategies<T: Real>(scale: f64) -> [Box<dyn Strategy<T>>; 6] {
    [
        Box::new(Aid::cg()),
        Box::new(Aid::direct()),
        Box::new(Aid::with(Minres::new())),
        Box::new(Aid::with(FixedPoint::new())),
        Box::new(AidStep::new(InnerStep::GradientDescent).step(0.2 / scale)),
        Box::new(AidStep::new(InnerStep::Nesterov(0.5)).step(0.2 / scale)),
    ]
}

fn estimates<T: Real>(scale: f64) -> Vec<Estimate<T>> {
    let (problem, x) = (problem::<T>(scale), DVector::from_fn(3, |i, _| T::of(X[i])));
    let run = |s: Box<dyn Strategy<T>>| s.hypergradient(&problem, &x, &mut problem.workspace());
    let all = strategies(scale).into_iter().map(run);
    all.map(|e| e.expect("valid settings")).collect()
}

/// Sums over many samples: rounding ends before an absolute tolerance does.
#[test]
fn a_large_lower_level_is_solved_to_rounding_and_that_is_success() {
    for power in 0..=14 {
        for estimate in estimates::<f64>(10f64.powi(power)) {
            assert!(estimate.status.is_success(), "1e{power}: {estimate}");
            assert!(estimate.warnings.is_empty(), "1e{power}: {estimate}");
            assert!(error(&estimate) < 1e-8, "1e{power}: {estimate}");
            assert!(estimate.lower_iterations < 1000, "1e{power}: {estimate}");
        }
    }
    for power in 0..=8 {
        for estimate in estimates::<f32>(10f64.powi(power)) {
            assert!(estimate.status.is_success(), "1e{power}: {estimate}");
            assert!(error(&estimate) < 1e-4, "1e{power}: {estimate}");
        }
    }
    // What was asked for is not made easier.
    let (problem, x) = (problem::<f64>(1e12), DVector::from_row_slice(&X));
    let steps = AidStep::new(InnerStep::GradientDescent).step(0.2e-12);
    let strict: [&dyn Strategy<f64>; 2] =
        [&Aid::cg().lower_tolerance(1e-10), &steps.tolerance(1e-10)];
    for strategy in strict {
        let estimate = strategy.hypergradient(&problem, &x, &mut problem.workspace());
        let status = estimate.expect("valid settings").status;
        assert_eq!(status.code(), "lower-not-converged");
    }
}

/// Steps that move y a little have far to go where the curvature is small: they go there, and where
/// they are too few that is no success.
#[test]
fn the_distance_is_that_of_the_slow_direction() {
    let lower = objective(|x: Var, y: Var| 1e-5 * y.vector(&[1.0, 1e-3]).dot((y - x).square()));
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 0.3).norm_squared());
    let problem = Bilevel::new(upper, lower, 2, 2).expect("smooth");
    let steps = AidStep::new(InnerStep::GradientDescent).step(4e4);
    let x = dvector![1.0, 2.0];
    let estimate = steps.hypergradient(&problem, &x, &mut problem.workspace());
    let estimate = estimate.expect("valid settings");
    let off = (&estimate.y - &x).norm() / estimate.y.norm();
    assert!(estimate.status.is_success() && off < 2e-6, "{estimate}");
    assert!(estimate.warnings.is_empty(), "{estimate}");
    let distance = estimate.distance.expect("an estimate");
    assert!((0.1 * off..10.0 * off).contains(&distance), "{estimate}");
    assert!((&estimate.hypergradient - dvector![0.7, 1.7]).norm() < 1e-5);
    let few = steps.limit(3000);
    let estimate = few.hypergradient(&problem, &x, &mut problem.workspace());
    let estimate = estimate.expect("valid settings");
    let off = (&estimate.y - &x).norm() / estimate.y.norm();
    // A step moves y by less than a part in 10⁵ here.
    assert!(estimate.lower_residual * 4e4 / estimate.y.norm() < 1e-4);
    assert!(!estimate.status.is_success() && off > 1e-3, "{estimate}");
    assert!(estimate.distance.expect("an estimate") > 0.5 * off);
}

#[test]
fn a_small_lower_level_is_solved_as_any_other() {
    for power in -20..0 {
        for estimate in estimates::<f64>(10f64.powi(power)) {
            assert!(estimate.status.is_success(), "1e{power}: {estimate}");
            assert!(estimate.warnings.is_empty(), "1e{power}: {estimate}");
            assert!(error(&estimate) < 1e-5, "1e{power}: {estimate}");
        }
    }
    // A tolerance that is given is one in units of g.
    let coarse = Aid::cg().lower_tolerance(1e-16);
    let (problem, x) = (problem::<f64>(1e-14), DVector::from_row_slice(&X));
    let estimate = coarse.hypergradient(&problem, &x, &mut problem.workspace());
    let estimate = estimate.expect("valid settings");
    // It is that of y: for the hypergradient y is brought nearer, until it settles.
    let settled = estimate.change.is_some() && error(&estimate) < 1e-7;
    assert!(estimate.status.is_success() && settled, "{estimate}");
    assert!(estimate.warnings.is_empty(), "{estimate}");
    let tight = Aid::cg().lower_tolerance(1e-28);
    let estimate = tight.hypergradient(&problem, &x, &mut problem.workspace());
    let estimate = estimate.expect("valid settings");
    assert!(
        estimate.status.is_success() && estimate.warnings.is_empty(),
        "{estimate}"
    );
    assert!(error(&estimate) < 1e-8, "{estimate}");
}

#[test]
fn a_run_keeps_a_warning_once() {
    // So few steps leave y some percent off, a little less at each x.
    let problem = problem::<f64>(1.0);
    let rule = Optimiser::GradientDescent { rate: 0.01 };
    let short = Aid::cg().lower_steps(15, StepLength::Fixed(0.15));
    let descent = Descent::new(short, rule, 20);
    let run = descent.begin(&problem, DVector::from_row_slice(&X));
    let finish = run.expect("valid settings").finish();
    assert!(finish.is_success());
    assert_eq!(finish.warnings.len(), 1, "{finish}");
    assert!(finish.to_string().contains("warning: y is off"), "{finish}");
}

/// Solutions at 0 are no small problems.
#[test]
fn a_solution_at_the_start_or_at_zero_needs_no_warning() {
    let problem = problem::<f64>(1.0);
    for start in [0.0, 1e-3, 2.0] {
        let problem = problem
            .clone()
            .starting_from(DVector::from_element(3, start));
        // At 0, and where only the gradient's rounding is not.
        for x in [0.0, 1e-17] {
            for strategy in strategies::<f64>(1.0) {
                let x = DVector::from_element(3, x);
                let estimate = strategy.hypergradient(&problem, &x, &mut problem.workspace());
                let estimate = estimate.expect("valid settings");
                assert!(
                    estimate.status.is_success() && estimate.warnings.is_empty(),
                    "{estimate}"
                );
            }
        }
    }
}
