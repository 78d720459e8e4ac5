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
fn two_classes_of_at_most_so_many_samples_are_under_budgets() {
    let made = |samples: &[usize]| task("constrained-svm", &classes(samples));
    let fits = made(&[500, 500]).unwrap();
    assert_eq!(
        (fits.bilevel.dim_x(), fits.bilevel.dim_y()),
        (2, 3 + 1 + 500)
    );
    assert!(fits.read.is_some() && fits.measure(&fits.x, fits.bilevel.start()).len() == 1);
    assert_eq!(
        made(&[600, 600]).unwrap_err(),
        "600 training samples of 3 features, 604 unknowns with the bias, expected at most 600"
    );
    // The file has both classes, and its training part one.
    let archive = |train: f64| models::data::Samples {
        features: nalgebra::DMatrix::identity(2, 2).into(),
        labels: vec![train, 1.0],
    };
    let splits = models::data::Splits {
        train: archive(1.0),
        valid: archive(-1.0),
        test: None,
        source: "user.npz".into(),
    };
    assert_eq!(
        models::constrained_svm::<f64>(splits)
            .unwrap_err()
            .to_string(),
        "user.npz: the training part has no sample of the class -1, expected at least one"
    );
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

#[test]
fn a_series_keeps_the_order_of_its_rows_and_takes_its_own_scale() {
    let b = [3.0, 5.0, 4.0, 8.0, 7.0, 9.0, 6.0];
    let n = b.len() as f64;
    let mean = b.iter().sum::<f64>() / n;
    let deviation = (b.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / n).sqrt();
    let own: Vec<f64> = b.iter().map(|b| (b - mean) / deviation).collect();
    let expected = models::kalman::<f64>(&own);
    let value = |task: &Task<f64>| {
        let (x, y) = (
            DVector::from_vec(vec![0.2, -0.3, 0.5]),
            task.bilevel.dim_y(),
        );
        let y = DVector::from_fn(y, |i, _| (1.0 + i as f64).sin());
        task.bilevel
            .upper()
            .point()
            .value(&[x.as_slice(), y.as_slice()])
    };
    // One column; a column that counts; one that is not read; another scale.
    let one = b.map(|b| format!("{b}\n")).concat();
    let counted: String = (0..).zip(b).map(|(t, b)| format!("{t},{b}\n")).collect();
    let beside: String = b.iter().map(|b| format!("{},{b}\n", b * b)).collect();
    let wide = b.map(|b| format!("{}\n", 1e6 * b - 3e6)).concat();
    let named = format!("flow\n{one}");
    for (text, says) in [
        (
            &one,
            "one series of 7 in the order of its rows, less its mean 6.0000e0",
        ),
        (
            &format!("index,flow\n{counted}"),
            "column 1, `index`, which counts the rows",
        ),
        (&beside, "1 other columns are not read"),
        (&wide, "over its standard deviation 2.0000e6"),
        (&named, "line 1"),
    ] {
        let made = task("kalman", text).unwrap();
        let said = made.read.as_ref().expect("data of the user").to_string();
        assert!(said.contains(says), "{said}");
        assert!((value(&made) - value(&expected)).abs() < 1e-9, "{says}");
    }
    // The mean of seven times 0.1 is not 0.1.
    for constant in ["2\n", "0.1\n", "-0.3\n"] {
        assert_eq!(
            task("kalman", &constant.repeat(7)).unwrap_err(),
            "the series has no two numbers that differ, expected at least one"
        );
    }
    let long = (0..1001)
        .map(|t| format!("{}\n", t % 7))
        .collect::<String>();
    assert_eq!(
        task("kalman", &long).unwrap_err(),
        "a series of 1001, expected at most 1000"
    );
}

#[test]
fn the_tasks_of_a_learned_start_are_those_of_the_first_column() {
    // Task 7 has the values 1, 2, 3 in some order, task 3 the values 10 and 20, at points of two features.
    let text = "7,0.1,0.2,1\n3,0.3,0.1,10\n7,-0.5,0.4,2\n3,0.7,0.7,20\n7,0.9,0.1,3\n";
    let made = task("maml", text).unwrap();
    let d = 20 * (2 + 1) + 20 * (20 + 1) + 20 + 1;
    assert_eq!((made.bilevel.dim_x(), made.bilevel.dim_y()), (d, 2 * d));
    let said = made.read.as_ref().expect("data of the user").to_string();
    assert!(
        said.contains("2 tasks by the first column, of 2 to 3 rows"),
        "{said}"
    );
    // A network whose last bias alone is not 0 is that bias: errors of a constant.
    let at = |c: [f64; 2]| {
        let y = DVector::from_fn(2 * d, |i, _| if i % d == d - 1 { c[i / d] } else { 0.0 });
        let levels = [made.bilevel.lower(), made.bilevel.upper()];
        levels.map(|level| level.point().value(&[made.x.as_slice(), y.as_slice()]))
    };
    // Of 3 values two are fitted and one is judged by, of 2 one each: the sums over both are all values.
    let square = |c: f64, values: &[f64]| values.iter().map(|v| (c - v).powi(2)).sum::<f64>();
    for c in [[0.0, 0.0], [1.5, -2.0]] {
        let [fitted, judged] = at(c);
        let ones = [[10.0], [20.0]].map(|v| square(c[0], &v));
        let sevens = [1.0, 2.0, 3.0].map(|v| square(c[1], &[v]));
        let all = sevens.iter().sum::<f64>();
        let fits = ones.iter().zip([1, 0]).any(|(one, other)| {
            sevens.iter().any(|judge| {
                let lower = one + (all - judge) / 2.0;
                let upper = (ones[other] + judge) / 2.0;
                (fitted - lower).abs() < 1e-9 && (judged - upper).abs() < 1e-9
            })
        });
        assert!(fits, "{fitted} {judged}");
    }
    assert_eq!(
        task("maml", "1,0.5,1\n2,0.5,1\n2,0.7,1\n2,0.8,1\n").unwrap_err(),
        "1 samples, expected at least 2 for each task (the first column says of which)"
    );
    assert_eq!(
        task("maml", "1,1\n1,2\n2,1\n2,3\n").unwrap_err(),
        "the table, whose first column is the number of the task, has no column of points, expected at \
         least one"
    );
}
