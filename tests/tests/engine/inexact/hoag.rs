//! HOAG: its schedules, its steps in every scale, and what it says where they lead nowhere.

use autodiff::{Var, objective};
use nalgebra::DVector;
use proptest::prelude::*;
use proptest::{collection, option};
use solvers::{Bilevel, Hoag, Outer, Progress, Schedule};

use super::{exact, named, refusal, run};

#[test]
fn it_converges_on_ridge_regression_under_every_schedule() {
    let problem = models::ridge(8, 0);
    let gradient = |x: &nalgebra::DVector<f64>| models::ridge_hypergradient(8, 0, x);
    let (at_start, slope) = gradient(&problem.x);
    for schedule in [
        Schedule::Geometric { a: 0.1, decay: 0.9 },
        Schedule::Power { a: 0.1, q: 2.0 },
        Schedule::Power { a: 0.1, q: 3.0 },
    ] {
        let hoag = Hoag::new(400).accuracy(schedule);
        let (reports, points) = run(&hoag, &problem.bilevel, &problem.x);
        let (value, rest) = gradient(points.last().expect("a point"));
        assert!(
            value < at_start && rest.norm() < 0.05 * slope.norm(),
            "{schedule}"
        );
        for (k, report) in reports.iter().enumerate() {
            let accuracy = report.accuracy.expect("known");
            assert!(accuracy <= schedule.at(k).max(1e-10));
            assert!(report.lower_residual <= accuracy || !report.warnings.is_empty());
        }
    }
}

#[test]
fn steps_that_raise_the_objective_are_taken_back() {
    let problem = named("quadratic");
    let known = problem.known.clone().expect("a closed form");
    // An L a thousand times too small: the first step goes far off.
    let hoag = Hoag::new(300).smoothness(1e-2);
    let (reports, points) = run(&hoag, &problem.bilevel, &problem.x);
    assert!(!reports[1].warnings.is_empty());
    // What is reported is the point it went back to.
    assert_eq!(reports[1].upper, reports[0].upper);
    let end = points.last().expect("a point");
    assert!((end - &known.solution).norm() < 1e-3 * (&points[0] - &known.solution).norm());
    let last = reports.last().expect("a report");
    assert!(last.upper < reports[0].upper);
}

#[test]
fn bad_settings_are_refused() {
    let problem = named("scalar");
    for (hoag, word) in [
        (Hoag::new(0), "0 iterations"),
        (Hoag::new(5).smoothness(0.0), "smoothness 0"),
        (
            Hoag::new(5).accuracy(Schedule::Constant(-1.0)),
            "accuracy -1",
        ),
        (Hoag::new(5).bounds(1.0, 0.0), "bounds 1 to 0"),
    ] {
        let said = refusal(&hoag, &problem.bilevel);
        assert!(said.contains(word), "{said}");
    }
}

/// φ = ½ scale_f Σ c_i (x_i/scale_x − 1)² + shift, by a lower level y = x.
fn quadratic(curvatures: &[f64], scale_f: f64, scale_x: f64, shift: f64) -> Bilevel<f64> {
    let n = curvatures.len();
    let curvatures = curvatures.to_vec();
    let upper = objective(move |_: Var, y: Var| {
        let off = y / scale_x - 1.0;
        0.5 * scale_f * off.square().dot(y.vector(&curvatures)) + shift
    });
    let lower = objective(move |x: Var, y: Var| 0.5 * (y - x).norm_squared() / (scale_x * scale_x));
    Bilevel::new(upper, lower, n, n).expect("a valid problem")
}

/// The values of the reports, and φ at the end.
fn values(problem: &Bilevel<f64>, hoag: &Outer<Hoag>) -> (Vec<f64>, f64) {
    let (reports, points) = run(hoag, problem, &DVector::zeros(problem.dim_x()));
    let end = exact(problem, points.last().expect("a point")).0;
    (reports.iter().map(|r| r.upper).collect(), end)
}

/// On ½cx² steps of 1/L go round a 2-cycle where L is just below c/2, unless they are judged by what
/// they promised.
#[test]
fn a_two_cycle_is_left() {
    for c in [1e-3, 1.0, 1e3] {
        for part in [0.5 - 1e-9, 0.5, 0.51, 0.45] {
            let problem = quadratic(&[c], 1.0, 1.0, 0.0);
            let hoag = Hoag::new(60).smoothness(part * c);
            let (values, end) = values(&problem, &hoag);
            assert!(end <= 1e-12 * values[0], "{c} {part}: {end} of {values:?}");
        }
    }
}

#[test]
fn values_below_0_are_judged_as_any_others() {
    let of = |shift| values(&quadratic(&[1.0, 7.0], 1.0, 1.0, shift), &Hoag::new(60)).0;
    let plain = of(0.0);
    assert!(plain[59] < 1e-9 * plain[0]);
    for shift in [-100.0, -4.0, 3.0] {
        for (value, want) in of(shift).iter().zip(&plain) {
            assert!(
                (value - shift - want).abs() < 1e-6,
                "{shift}: {value} {want}"
            );
        }
    }
}

/// Where g is so small that no accuracy asked for moves y, F cannot fall.
#[test]
fn a_run_that_goes_nowhere_says_so() {
    let upper = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5e-25 * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 1, 1).expect("a valid problem");
    let (reports, _) = run(&Hoag::new(60), &problem, &DVector::zeros(1));
    let last = reports.last().expect("a report");
    let fell = last.upper < 0.5 * reports[0].upper;
    let said = last.warnings.iter().any(|w| w.contains("do not settle"));
    assert!(fell || said, "{last:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(autodiff::arbitrary::programs(60)))]

    /// Curvatures of up to two decades in every scale of F and x: the first L, from the norm of the
    /// first hypergradient, may be far below or above them. Values fall but for what the accuracies
    /// explain, and arrive.
    #[test]
    fn quadratics_of_any_scale_are_solved(
        curvatures in collection::vec(0.0..2.0f64, 1..5),
        scale_f in -6.0..6.0f64,
        scale_x in -6.0..6.0f64,
        first in option::of(-8.0..8.0f64),
    ) {
        let curvatures: Vec<f64> = curvatures.iter().map(|d| 10f64.powf(*d)).collect();
        let (f, x) = (10f64.powf(scale_f), 10f64.powf(scale_x));
        let problem = quadratic(&curvatures, f, x, 0.0);
        let hoag = match first {
            Some(first) => Hoag::new(300).smoothness(10f64.powf(first) * f / (x * x)),
            None => Hoag::new(300),
        };
        let (reports, points) = run(&hoag, &problem, &DVector::zeros(curvatures.len()));
        let (first, last) = (&reports[0], &reports[299]);
        let end = exact(&problem, &points[300]).0;
        prop_assert!(end < 1e-6 * first.upper, "{end} of {}", first.upper);
        let said = last.warnings.iter().any(|w| w.contains("do not settle"));
        prop_assert!(!said, "{last:?}");
        // Of F, to first order: ‖q‖‖∇_y g‖, q being x²∇_yF and ‖∇_yF‖² at most 2cF.
        let largest = curvatures.iter().fold(0.0, |a: f64, c| a.max(*c)) * f / (x * x);
        let error = |r: &Progress| x * x * (2.0 * largest * r.upper).sqrt() * r.lower_residual;
        for pair in reports.windows(2) {
            let risen = pair[1].upper - pair[0].upper;
            // Of x and y, to first order: ∇F times their rounding.
            let rounding = 1e-11 * (first.upper * pair[0].upper.max(pair[1].upper)).sqrt()
                + 1e-16 * first.upper;
            prop_assert!(risen <= 2.0 * (error(&pair[0]) + error(&pair[1])) + rounding);
        }
    }
}
