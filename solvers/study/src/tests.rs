//! All of it on problems of one's own.

use autodiff::{Var, objective};
use nalgebra::{DVector, dvector};
use solvers::catalogue::{self, Settings};
use solvers::{Aid, Bilevel, Descent, Optimiser};

use crate::{Page, Subject, check, solve};

// As `cargo run --example own_page` has it, except for the place of the page.
#[path = "../examples/own_page.rs"]
#[allow(dead_code)]
mod own_page;

/// F = ½‖y − 1‖² + ½‖x‖², g = ½‖y − x‖², of `n` entries each.
pub(crate) fn distance(n: usize) -> Bilevel<f64> {
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
    let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    Bilevel::new(upper, lower, n, n).expect("a problem")
}

#[test]
fn the_example_writes_a_page_that_has_every_study_and_no_broken_claim() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("page.html");
    own_page::write_page(&file).expect("it runs");
    let page = Page::read(&file).expect("a page");
    let titles: Vec<&str> = page.sections.iter().map(|s| &*s.title).collect();
    let expected = [
        "Strategies at one point of feature-ridge",
        "Memory policies of unrolled loops",
        "Unrolled loops in 64.0 KiB",
        "Derivatives checked",
        "The runs",
    ];
    assert_eq!(titles, expected);
    assert_eq!(page.claims.len(), 3);
    assert!(
        page.claims.iter().all(|claim| claim.holds),
        "{:?}",
        page.claims
    );
    // A curve for each run, and the metric has a plot of its own.
    let plots = &page.sections[4].plots;
    assert!(plots.iter().all(|plot| plot.series.len() == 2));
    assert!(plots.iter().any(|plot| plot.title == "distance to truth"));
}

#[test]
fn a_run_measures_what_it_was_told_to_and_ends_at_the_solution() {
    let problem = distance(2);
    let subject =
        Subject::new("own", &problem, DVector::zeros(2)).with_metric("gap", |x, y| (x - y).norm());
    let method = Descent::new(Aid::cg(), Optimiser::GradientDescent { rate: 0.5 }, 40);
    let outcome = solve::run(&subject, "gd", &method).expect("it suits");
    assert_eq!((&*outcome.problem, &*outcome.method), ("own", "gd"));
    assert_eq!(outcome.records.len(), 40);
    assert!(
        outcome.x.iter().all(|x| (x - 0.5).abs() < 1e-8),
        "{outcome}"
    );
    assert!(
        outcome.records[39]
            .metric("gap")
            .is_some_and(|gap| gap < 1e-8)
    );
    let json = serde_json::to_value(&outcome.records[0]).expect("plain data");
    let fields = json.as_object().expect("a record").keys();
    let fields = fields.filter(|name| *name != "gap");
    assert!(
        fields
            .clone()
            .all(|name| solve::FIELDS.contains(&name.as_str())),
        "{json}"
    );
    let text = outcome.to_string();
    assert!(text.starts_with("own by gd\n  iteration"), "{text}");
    assert!(text.contains("\nx = [0.5"), "{text}");
    assert_eq!(solve::table(&outcome).rows.len(), 40);
    let one = solve::Outcome {
        records: outcome.records[..1].to_vec(),
        ..outcome
    };
    assert_eq!(one.to_string().matches("converged").count(), 1, "{one}");
}

#[test]
fn a_method_by_name_keeps_to_the_bounds() {
    let problem = distance(1);
    let subject = Subject::new("own", &problem, dvector![0.1]).with_bounds((0.0, 0.2));
    let settings = Settings {
        iterations: Some(20),
        ..Settings::NONE
    };
    let method = catalogue::method("aid-cg", &settings, &subject.place(0)).expect("a name");
    let outcome = solve::run(&subject, "aid-cg", &*method).expect("it suits");
    assert_eq!(outcome.x, [0.2]);
}

#[test]
fn steps_of_a_check_are_no_longer_than_the_problem_allows() {
    // Steps of 0.05 along a curvature of 1000 would blow up.
    let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
    let lower = objective(|x: Var, y: Var| 500.0 * (y - x).norm_squared());
    let problem = Bilevel::new(upper, lower, 2, 2).expect("a problem");
    let records = check::run(&Subject::new("stiff", &problem, dvector![0.3, 0.8]), 1);
    for strategy in ["itd", "bda", "aid-cg"] {
        let of = |r: &&check::Record| r.subject == format!("stiff {strategy}");
        let of: Vec<&check::Record> = records.iter().filter(of).collect();
        assert!(
            !of.is_empty() && of.iter().all(|r| r.verdict == "pass"),
            "{of:?}"
        );
    }
    assert_eq!(check::count(&records, "mismatch"), 0);
}

#[test]
#[should_panic(expected = "x of `own` has 3 entries: expected 2")]
fn a_point_of_another_length_is_told() {
    let problem = distance(2);
    let _ = Subject::new("own", &problem, DVector::zeros(3));
}

#[test]
#[should_panic(expected = "the hypergradient of `own` has 1 entries: expected 2")]
fn a_closed_form_of_another_length_is_told() {
    let problem = distance(2);
    let _ = Subject::new("own", &problem, DVector::zeros(2)).with_closed_form(dvector![1.0]);
}

#[test]
#[should_panic(expected = "metric `upper`: expected a name that no field")]
fn a_metric_does_not_take_the_name_of_another_number() {
    let problem = distance(2);
    let _ = Subject::new("own", &problem, DVector::zeros(2)).with_metric("upper", |_, _| 0.0);
}

#[test]
fn the_line_of_a_wrong_point_is_the_callers() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Arc, Mutex};

    let problem = distance(2);
    let place = Arc::new(Mutex::new(None));
    let (seen, thread) = (place.clone(), std::thread::current().id());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == thread {
            *seen.lock().unwrap() = info.location().map(|l| (l.file().to_owned(), l.line()));
        } else {
            before(info);
        }
    }));
    let line = line!() + 2;
    let _ = catch_unwind(AssertUnwindSafe(|| {
        Subject::new("own", &problem, DVector::zeros(3))
            .name()
            .len()
    }));
    let (file, found) = place.lock().unwrap().clone().expect("a panic");
    assert!(file.ends_with("tests.rs"), "{file}");
    assert_eq!(found, line);
}
