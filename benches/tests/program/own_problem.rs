//! The crate `study` on a problem of one's own makes the records that the program makes.

use models::catalogue::{Source, named};
use serde::Serialize;
use serde_json::Value;
use solvers::catalogue::{Settings, method};
use solvers::{Bilevel, Itd};
use study::{Subject, compare, memory, plan, solve};

use crate::common::Folder;

/// Without times.
fn timeless(mut record: Value) -> Value {
    let fields = record.as_object_mut().expect("a record");
    fields.retain(|name, _| !name.starts_with("seconds"));
    record
}

#[track_caller]
fn same<R: Serialize>(records: &[R], words: &str) {
    let own = records
        .iter()
        .map(|r| serde_json::to_value(r).expect("plain data"));
    let own: Vec<Value> = own.map(timeless).collect();
    let program = Folder::new()
        .run(&format!("{words} --json"))
        .code(0)
        .records();
    let program = program.into_iter().filter(|r| r.get("problem").is_some());
    assert_eq!(own, program.map(timeless).collect::<Vec<Value>>());
}

#[test]
fn records_of_the_library_are_those_of_the_program() {
    let task = named("ridge")
        .expect("a name")
        .task::<f64>(&Source::default());
    let task = task.expect("its own data");
    let problem: &Bilevel<f64> = &task.bilevel;
    let subject = Subject::new("ridge", problem, task.x.clone());
    let settings = Settings {
        depth: Some(30),
        ..Settings::NONE
    };
    let strategies = compare::named(compare::DEFAULT, &settings).expect("names");
    let records = compare::run(&subject, &strategies, &settings).expect("they suit");
    same(&records, "compare --problem ridge --depth 30");

    let records = memory::run(&subject, Itd::reverse, &[5, 40], Some(60_000)).expect("it suits");
    same(
        &records,
        "memory --problem ridge --depths 5,40 --budget 60000",
    );

    let records = plan::deepest(&subject, Itd::reverse, 60_000).expect("it suits");
    same(&records, "plan --problem ridge --budget 60000");

    let settings = Settings {
        iterations: Some(4),
        rate: Some(0.1),
        ..Settings::NONE
    };
    let aid = method("aid-cg", &settings, &subject.place(0)).expect("a name");
    let metrics = |x: &_, y: &_| {
        let measured = task.measure(x, y).into_iter();
        measured.map(|(name, v)| (name.to_owned(), v)).collect()
    };
    let subject = subject.clone().with_metrics(metrics);
    let outcome = solve::run(&subject, "aid-cg", &*aid).expect("it suits");
    same(
        &outcome.records,
        "solve --problem ridge --method aid-cg --iterations 4 --rate 0.1",
    );
}
