//! MAID: every step it accepts satisfies Armijo's inequality on φ itself.

use autodiff::{Var, objective};
use models::Known;
use nalgebra::DVector;
use proptest::prelude::*;
use proptest::{collection, option};
use solvers::{Bilevel, Constants, Maid};

use super::{exact, named, refusal, run};

/// φ by integrating the closed-form hypergradient, which is affine in x, from x₀; exact.
fn rise(known: &Known<f64>, from: &DVector<f64>, to: &DVector<f64>) -> f64 {
    let middle = (from + to) * 0.5;
    (known.hypergradient)(&middle).dot(&(to - from))
}

#[test]
fn accepted_steps_satisfy_the_exact_armijo_inequality_on_closed_forms() {
    for name in ["scalar", "penalty-bias", "quadratic", "least-squares"] {
        let problem = named(name);
        let known = problem.known.clone().expect("a closed form");
        let start = DVector::from_fn(problem.x.len(), |i, _| 2.0 - 1.5 * i as f64);
        // Rough at first, so that the bounds have something to do.
        let maid = Maid::new(200).accuracy(1.0).step(8.0);
        let (reports, points) = run(&maid, &problem.bilevel, &start);
        let mut steps = 0;
        for (report, pair) in reports.iter().zip(points.windows(2)) {
            let moved = (&pair[1] - &pair[0]).norm();
            if moved == 0.0 {
                continue;
            }
            steps += 1;
            // α‖z‖² = ‖Δx‖‖z‖
            let wanted = Maid::DECREASE * moved * report.hypergradient_norm;
            let risen = rise(&known, &pair[0], &pair[1]);
            assert!(risen <= -wanted, "{name}: {risen:e} after -{wanted:e}");
            let certificate = report.certificate.expect("stated constants");
            assert!(certificate.descent && report.accuracy.is_some());
            let error = (known.hypergradient)(&pair[0]).norm() - report.hypergradient_norm;
            assert!(error.abs() <= certificate.bound + 1e-12);
        }
        assert!(steps >= 3, "{name}: {steps} steps");
        // It ends by its tolerance, which the certificate vouches for.
        assert!(reports.len() < 200, "{name}");
        let end = points.last().expect("a point");
        assert!((known.hypergradient)(end).norm() <= 1.4e-6, "{name}");
        assert!((end - &known.solution).norm() <= 1e-5, "{name}");
    }
}

#[test]
fn accuracy_is_sharpened_where_it_is_needed_and_relaxed_where_it_is_not() {
    let problem = named("quadratic");
    let start = DVector::from_element(5, 2.0);
    let maid = Maid::new(200).accuracy(1e-10);
    let (reports, _) = run(&maid, &problem.bilevel, &start);
    let accuracies: Vec<f64> = reports.iter().map(|r| r.accuracy.expect("known")).collect();
    let grown = accuracies.windows(2).filter(|a| a[1] > a[0]).count();
    assert!(grown > 3, "{accuracies:?}");
    let rough = Maid::new(200).accuracy(1e3);
    let (reports, _) = run(&rough, &problem.bilevel, &start);
    assert!(reports[0].accuracy.expect("known") < 1e3);
    let last = reports.last().expect("a report");
    assert!(last.accuracy.expect("known") < 1e-5);
}

#[test]
fn ridge_descends_to_a_certified_stationary_point() {
    let problem = models::ridge(8, 0);
    let (reports, points) = run(&Maid::new(500), &problem.bilevel, &problem.x);
    let value = |x: &DVector<f64>| models::ridge_hypergradient(8, 0, x);
    for (report, pair) in reports.iter().zip(points.windows(2)) {
        let moved = (&pair[1] - &pair[0]).norm();
        let wanted = Maid::DECREASE * moved * report.hypergradient_norm;
        assert!(value(&pair[1]).0 <= value(&pair[0]).0 - wanted + 1e-15);
    }
    let (first, last) = (&points[0], points.last().expect("a point"));
    assert!(value(last).1.norm() < 0.05 * value(first).1.norm());
}

#[test]
fn what_it_cannot_vouch_for_is_refused_before_any_work() {
    let problem = named("scalar");
    let known = &problem.bilevel;
    let (upper, lower) = (
        problem.bilevel.upper().clone(),
        problem.bilevel.lower().clone(),
    );
    let silent = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let said = refusal(&Maid::new(5), &silent);
    assert!(
        said.contains("with_constants") && said.contains("hoag"),
        "{said}"
    );
    for (maid, word) in [
        (Maid::new(0), "0 iterations"),
        (Maid::new(5).accuracy(0.0), "accuracy 0"),
        (Maid::new(5).step(f64::NAN), "step length NaN"),
        (Maid::new(5).accuracy_growth(0.9), "from 1 on"),
        (Maid::new(5).backtracks(0), "0 backtracks"),
        (Maid::new(5).tolerance(-1.0), "tolerance -1"),
    ] {
        let said = refusal(&maid, known);
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn constants_that_are_no_numbers_end_the_run_with_the_reason() {
    let problem = named("scalar");
    let broken = problem
        .bilevel
        .clone()
        .with_constants(|_, _| solvers::Constants {
            strong_convexity: 0.0,
            smoothness: 2.0,
            hessian_lipschitz: 0.0,
            cross_norm: 2.0,
            cross_lipschitz: 0.0,
            upper_smoothness: 1.0,
            upper_cross: 0.0,
        });
    let x = DVector::from_element(1, 0.3);
    let mut run = solvers::Method::begin(&Maid::new(5), &broken, x).expect("valid settings");
    let said = run.step().expect("a report").status;
    assert!(said.to_string().contains("constants"), "{said}");
    assert!(run.step().is_none());
}

/// φ = ½ f Σ c_i (x_i/u − 1)², by a lower level `½ g ‖y − x‖²/u²`.
fn quadratic(curvatures: &[f64], f: f64, u: f64, g: f64) -> Bilevel<f64> {
    let (n, c) = (curvatures.len(), curvatures.to_vec());
    let upper = objective(move |_: Var, y: Var| 0.5 * f * (y / u - 1.0).square().dot(y.vector(&c)));
    let lower = objective(move |x: Var, y: Var| 0.5 * g * (y - x).norm_squared() / (u * u));
    let (lower_curvature, largest) = (
        g / (u * u),
        curvatures.iter().fold(0.0f64, |a, c| a.max(*c)),
    );
    let problem = Bilevel::new(upper, lower, n, n).expect("a valid problem");
    problem.with_constants(move |_, _| Constants {
        strong_convexity: lower_curvature,
        smoothness: lower_curvature,
        hessian_lipschitz: 0.0,
        cross_norm: lower_curvature,
        cross_lipschitz: 0.0,
        upper_smoothness: largest * f / (u * u),
        upper_cross: 0.0,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(autodiff::arbitrary::programs(40)))]

    /// In every scale of F, x and g, with the first step found, or given far too short or too long.
    #[test]
    fn every_scale_is_solved_in_some_steps(
        curvatures in collection::vec(0.0..1.0f64, 1..4),
        scale_f in -6.0..6.0f64,
        scale_x in -4.0..4.0f64,
        scale_g in -6.0..6.0f64,
        first in option::of(-8.0..8.0f64),
    ) {
        let curvatures: Vec<f64> = curvatures.iter().map(|d| 10f64.powf(*d)).collect();
        let [f, u, g] = [scale_f, scale_x, scale_g].map(|d| 10f64.powf(d));
        let problem = quadratic(&curvatures, f, u, g);
        let mut maid = Maid::new(300);
        if let Some(first) = first {
            maid = maid.step(10f64.powf(first) * u * u / f);
        }
        let (reports, points) = run(&maid, &problem, &DVector::zeros(curvatures.len()));
        let end = exact(&problem, &points[points.len() - 1]).0;
        prop_assert!(end <= 1e-6 * reports[0].upper, "{end} of {}", reports[0].upper);
        prop_assert!(reports.len() < 300, "{} steps", reports.len());
        let total = reports[reports.len() - 1].oracles.total();
        prop_assert!(total < 20_000, "{total} computations, {} steps", reports.len());
    }
}
