//! Problems on data of the user's: what is made of a table, and what is refused.

use models::catalogue::{Data, Source, named, names};
use models::data::Labels;
use models::{PROBLEMS, Task};
use nalgebra::DVector;

use crate::common::*;

fn task(problem: &str, text: &str) -> Result<Task<f64>, String> {
    let file = file(".csv", text.as_bytes());
    let source = Source {
        data: Some(file.path().to_owned()),
        ..Source::default()
    };
    let task = named(problem).and_then(|entry| entry.task(&source));
    task.map_err(|error| {
        let text = error.to_string();
        let start = format!("{}: ", file.path().display());
        text.strip_prefix(&start).expect(&text).to_owned()
    })
}

/// So many samples of each class, of three features.
fn classes(samples: &[usize]) -> String {
    let class = |(class, count): (usize, &usize)| {
        let row = move |i: usize| format!("{}.5,{},{},{class}\n", i % 7, i % 5, class);
        (0..*count).map(row).collect::<String>()
    };
    samples.iter().enumerate().map(class).collect()
}

#[test]
fn every_kind_of_data_is_taken_and_every_other_refused() {
    let table = classes(&[60; 6]);
    for entry in PROBLEMS {
        let name = entry.row.name;
        match entry.data {
            Data::Own => {
                let takers = names(|entry| entry.data != Data::Own).join(", ");
                let line = format!(
                    "problem `{name}` brings its own numbers: expected no --data, or one of {takers}"
                );
                assert_eq!(task(name, &table).unwrap_err(), line);
            }
            Data::Images => {
                let line = "cannot be read: it is a file, expected a folder of PNG or JPEG images";
                assert_eq!(task(name, &table).unwrap_err(), line);
            }
            Data::Table(Labels::Signs) => {
                let line = task(name, &table).unwrap_err();
                assert!(
                    line.contains("expected no third label beside {0, 1}"),
                    "{line}"
                );
            }
            Data::Table(_) => {
                let read = task(name, &table).unwrap().read.expect("data of the user");
                let said = read.to_string();
                assert!(
                    said.contains("n = 360 (180 to train, 90 to "),
                    "{name}: {said}"
                );
            }
        }
    }
}

#[test]
fn few_shot_tasks_are_of_the_classes_that_have_enough_samples() {
    let notes = |samples: &[usize]| {
        let text = task("few-shot", &classes(samples))?
            .read
            .unwrap()
            .to_string();
        let (_, notes) = text.split_once("labels ").unwrap();
        Ok::<_, String>(notes.split_once("; ").unwrap().1.to_owned())
    };
    let all = "20 tasks of 5 ways, 1 of each to fit and 10 to judge by, and 20 kept apart";
    assert_eq!(notes(&[90; 7]).unwrap(), all);
    let said = notes(&[90, 90, 90, 5, 90, 90, 90]).unwrap();
    let few =
        ", 6 of 7 classes have 11 samples to train on, 6 of 7 classes have 11 samples to test";
    assert_eq!(said, format!("{all}{few}"));
    let said = notes(&[30, 30, 30]).unwrap();
    assert!(said.starts_with("20 tasks of 3 ways, "), "{said}");
    assert!(said.contains("and 0 kept apart, 0 of 3 classes"), "{said}");
    assert_eq!(
        notes(&[90, 5]).unwrap_err(),
        "the classes: 1 of them with at least 11 samples to train on, expected at least 2: a task \
         draws 11 samples of each of its classes"
    );
    let task = task("few-shot", &classes(&[90; 7])).unwrap();
    assert_eq!(task.bilevel.dim_y(), 20 * 5 * 16);
    let measured = task.measure(&task.x, task.bilevel.start());
    assert!(measured.contains_key("train_accuracy") && measured.contains_key("test_accuracy"));
}

#[test]
fn ridge_is_judged_by_the_test_samples() {
    let rows = (0..12).map(|i| format!("{},{},{}\n", i % 4, i % 3, 10 + i));
    let text: String = rows.collect();
    for (problem, metric, factor) in [
        ("ridge", "test_mse", 1.0),
        ("ridge-prior", "test_loss", 0.5),
    ] {
        let task = task(problem, &text).unwrap();
        let file = file(".csv", text.as_bytes());
        let test = data::read_csv(file.path(), 0).unwrap().test.unwrap();
        let y = DVector::from_vec(vec![0.5, -1.0]);
        let errors = test.features.dense().column_iter().zip(&test.labels);
        let squares = errors.map(|(a, t)| (a.dot(&y) - t).powi(2));
        let expected = factor * squares.sum::<f64>() / test.len() as f64;
        let found = task.measure(&task.x, &y)[metric];
        assert!((found - expected).abs() < 1e-12 * expected, "{problem}");
    }
}
