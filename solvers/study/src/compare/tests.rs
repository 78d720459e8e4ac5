//! Records of an own problem.

use autodiff::Var;
use autodiff::unroll::Step;
use nalgebra::{DVector, dvector};
use solvers::{Constraint, Itd};

use super::*;
use crate::Page;
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
    let subject = subject.with_closed_form(dvector![-0.8]);
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
        "depth: strategy `exact` has no such setting: expected none"
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
fn a_problem_with_a_part_is_compared_by_all_that_others_are() {
    let problem = distance(2).with_part(
        Constraint::Box {
            low: 0.0,
            high: 1.0,
        }
        .into(),
    );
    let problem = problem.expect("a part of this y");
    let subject = Subject::new("own", &problem, dvector![0.5, 2.0]);
    let strategies = named(DEFAULT, &Settings::NONE).expect("names");
    let aid_step = named(&["aid-step"], &Settings::NONE).expect("a name");
    let strategies = [strategies, aid_step].concat();
    let records = run(&subject, &strategies, &Settings::NONE).expect("they suit");
    for record in &records {
        assert_eq!(record.reference, Some("exact"));
        let biased = ["bda", "itd-truncated:10"].contains(&&*record.strategy);
        assert!(biased || record.error_vs_exact < Some(1e-8), "{record:?}");
    }
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

#[test]
fn a_page_has_the_errors_as_dots_and_of_several_problems_the_matrix_first() {
    let problem = distance(1);
    let records = |name: &str| {
        let subject = Subject::new(name, &problem, dvector![0.3]);
        let strategies = named(&["exact", "aid-cg"], &Settings::NONE).expect("names");
        run(&subject, &strategies, &Settings::NONE).expect("they suit")
    };
    let (one, mut two) = (records("one"), records("two"));
    let page = Page::default().compare(&one);
    assert_eq!(page.sections.len(), 1);
    let [calls, bytes] = &page.sections[0].plots[..] else {
        panic!("two plots")
    };
    for (record, (a, b)) in one.iter().zip(calls.series.iter().zip(&bytes.series)) {
        let error = record.error_vs_exact.expect("a reference");
        let calls = (record.gradients + record.hvps) as f64;
        assert_eq!(
            (&a.name, &a.points[..]),
            (&record.strategy, &[(calls, error)][..])
        );
        assert_eq!(b.points, [(record.peak_bytes as f64, error)]);
    }
    (two[1].success, two[1].status) = (false, "stuck");
    two[1].message = "it is stuck".into();
    two[1].warnings = vec!["take care".into()];
    let page = Page::default().compare(&[one, two].concat());
    assert_eq!(page.sections.len(), 3);
    let matrix = &page.sections[0].tables[0];
    assert_eq!(matrix.columns, ["problem", "exact", "aid-cg"]);
    let texts: Vec<&str> = matrix.rows[1].iter().map(|c| &*c.text).collect();
    assert_eq!(texts, ["two", "0", "stuck"]);
    let remarks = &page.sections[2].tables[1].rows;
    let said: Vec<&str> = remarks.iter().map(|row| &*row[1].text).collect();
    assert_eq!(said, ["it is stuck", "take care"]);
}

#[test]
fn what_has_no_error_is_no_dot() {
    let problem = distance(1);
    let subject = Subject::new("own", &problem, dvector![0.3]);
    let strategies = named(&["exact"], &Settings::NONE).expect("a name");
    let mut records = run(&subject, &strategies, &Settings::NONE).expect("it suits");
    (records[0].error_vs_exact, records[0].reference) = (None, None);
    let section = &Page::default().compare(&records).sections[0];
    assert!(section.plots.is_empty() && section.text.contains("no reference"));
}
