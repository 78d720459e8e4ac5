//! Records of an own problem.

use autodiff::Var;
use autodiff::unroll::Step;
use nalgebra::{DVector, dvector};
use solvers::{InnerStep, Itd};

use super::*;
use crate::tests::distance;

#[test]
fn strategies_of_ones_own_stand_beside_named_ones() {
    let problem = distance(3);
    let subject = Subject::new("own", &problem, dvector![0.3, -1.0, 2.0]);
    let settings = Settings::NONE;
    let mut strategies = named(&["exact", "aid-cg"], &settings).expect("names");
    strategies.push(("mine".into(), Arc::new(Itd::reverse(3).step(0.5))));
    let records = run(&subject, &strategies, &settings).expect("they suit");
    let names: Vec<&str> = records.iter().map(|r| &*r.strategy).collect();
    assert_eq!(names, ["exact", "aid-cg", "mine"]);
    assert!(
        records
            .iter()
            .all(|r| r.problem == "own" && r.reference == Some("exact"))
    );
    // ∇φ = 2x − 1, and y is an eighth of the way off after three halvings.
    assert!(records[1].error_vs_exact < Some(1e-9), "{:?}", records[1]);
    assert!(records[2].error_vs_exact > Some(1e-2), "{:?}", records[2]);
    let text = table(&records).to_string();
    assert_eq!(text.lines().count(), 5, "{text}");
}

#[test]
fn a_closed_form_is_what_errors_are_against() {
    let problem = distance(1);
    let subject = Subject::new("own", &problem, dvector![0.3]);
    // A wrong one, so that it is told from an exact one.
    let subject = subject.with_closed_form(|x| x.map(|x| 4.0 * x - 2.0));
    let strategies = named(&["exact"], &Settings::NONE).expect("a name");
    let records = run(&subject, &strategies, &Settings::NONE).expect("it suits");
    assert_eq!(records[0].reference, Some("closed-form"));
    assert!((records[0].error_vs_exact.expect("an error") - 0.5).abs() < 1e-12);
}

#[test]
fn what_cannot_be_run_is_refused_before_any_work_in_one_line() {
    let refused = |names: &[&str], settings: &Settings| {
        named::<f64>(names, settings)
            .map(drop)
            .expect_err("a slip")
            .to_string()
    };
    let slip = refused(&["itd", "aid-cgg"], &Settings::NONE);
    assert!(slip.contains("did you mean `aid-cg`?"), "{slip}");
    let deep = Settings {
        depth: Some(10),
        ..Settings::NONE
    };
    let foreign = refused(&["exact"], &deep);
    assert_eq!(
        foreign,
        "depth: strategy `exact` has no such setting: expected one of inner"
    );
    let problem = distance(3000);
    let subject = Subject::new("large", &problem, DVector::zeros(3000));
    let exact = named(&["exact"], &Settings::NONE).expect("a name");
    let refused = run(&subject, &exact, &Settings::NONE).expect_err("too large");
    assert!(matches!(&refused, Refused::Room(_)), "{refused}");
    let wrong: [Named<f64>; 1] = [("mine".into(), Arc::new(Itd::reverse(0)))];
    let refused = run(&subject, &wrong, &Settings::NONE).expect_err("no steps");
    assert!(matches!(&refused, Refused::Config(_)), "{refused}");
}

#[test]
fn steps_that_project_have_a_reference_of_their_own() {
    let problem = distance(2);
    let subject = Subject::new("own", &problem, dvector![0.5, 2.0]);
    let inner: InnerStep = "projected-box:0:1".parse().expect("a step");
    let settings = Settings {
        inner: Some(inner),
        ..Settings::NONE
    };
    let strategies = named(DEFAULT_PROXIMAL, &settings).expect("names");
    let records = run(&subject, &strategies, &settings).expect("they suit");
    assert!(records.iter().all(|r| r.reference == Some("fixed-point")));
    let aid = records.iter().find(|r| r.strategy == "aid-step");
    assert!(aid.expect("it is there").error_vs_exact < Some(1e-8));
}

#[test]
fn a_strategy_that_does_not_suit_is_told_with_what_would() {
    let problem = distance(1);
    let gradient = problem.lower().clone();
    let step = Step::new(1, 1, |x, y, _| {
        y - 0.5 * Var::gradient(&gradient, 1, &[x, y])
    });
    let problem = problem.with_step(step);
    let subject = Subject::new("own", &problem, dvector![1.0]);
    let strategies = named(&["itd", "aid-cg"], &Settings::NONE).expect("names");
    let refused = run(&subject, &strategies, &Settings::NONE).expect_err("no equation");
    assert!(
        refused.to_string().contains("steps of its own"),
        "{refused}"
    );
    let records = run(&subject, &strategies[..1], &Settings::NONE).expect("it suits");
    assert_eq!(records[0].reference, Some("forward-mode"));
}
