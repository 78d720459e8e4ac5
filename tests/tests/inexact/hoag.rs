//! HOAG on ridge regression, under each of its schedules.

use solvers::{Hoag, Schedule};

use super::{named, of, refusal, run};

#[test]
fn it_converges_on_ridge_regression_under_every_schedule() {
    let problem = of(models::ridge(8, 0));
    let gradient = |x: &nalgebra::DVector<f64>| models::ridge_hypergradient(8, 0, x);
    let (at_start, slope) = gradient(&problem.task.x);
    for schedule in [
        Schedule::Geometric { a: 0.1, decay: 0.9 },
        Schedule::Power { a: 0.1, q: 2.0 },
        Schedule::Power { a: 0.1, q: 3.0 },
    ] {
        let hoag = Hoag::new(400).accuracy(schedule);
        let (reports, points) = run(&hoag, &problem.bilevel, &problem.task.x);
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
    let known = problem.task.known.clone().expect("a closed form");
    // An L a thousand times too small: the first step goes far off.
    let hoag = Hoag::new(300).smoothness(1e-2);
    let (reports, points) = run(&hoag, &problem.bilevel, &problem.task.x);
    assert!(reports[1].upper > 10.0 * reports[0].upper);
    assert!(!reports[1].warnings.is_empty());
    // Small rises do not add up: the run ends nearer to the solution than it began.
    let end = points.last().expect("a point");
    assert!((end - &known.solution).norm() < 0.5 * (&points[0] - &known.solution).norm());
    let least = reports
        .iter()
        .map(|r| r.upper)
        .fold(f64::INFINITY, f64::min);
    assert!(reports.last().expect("a report").upper < 1.5 * least);
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
