//! The problems that take a table of targets, classes or images, beside logistic regression and
//! hyper-cleaning.

use nalgebra::{DMatrix, DVector};
use serde_json::Value;

use super::{Dense, Level, Part, SHAPES, check, write};
use crate::common::{Folder, noise, npy, photo};

/// ½‖Ay − t‖², times a factor.
fn squares(part: &Part, factor: f64, y: &DVector<f64>) -> Level {
    let errors = &part.a * y - DVector::from_column_slice(&part.t);
    Level {
        value: 0.5 * factor * errors.norm_squared(),
        gradient: part.a.tr_mul(&errors) * factor,
        hessian: part.a.tr_mul(&part.a) * factor,
    }
}

#[test]
fn ridge_is_exact_on_any_shape_and_any_targets() {
    for (i, (n, valid, d)) in SHAPES.into_iter().enumerate() {
        // Short steps on sums over many samples.
        let scaled = |part: Part| Part {
            a: part.a / (n as f64).sqrt(),
            ..part
        };
        let target = |k: usize| (k as f64).sin() * 3.5 - 0.25 * k as f64;
        let train = scaled(Part::made(n, d, i, false, target));
        let valid = scaled(Part::made(valid, d, i + 50, false, target));
        let folder = Folder::new();
        write(&folder, &train, &valid, false);
        let x = DVector::from_vec(noise(d, i + 9));
        folder.write_npz("point.npz", &[("x", npy(&[d], x.as_slice()))]);

        let weights = x.map(f64::exp);
        let lower = |y: &DVector<f64>| {
            let mut level = squares(&train, 1.0, y);
            level.value += 0.5 * weights.dot(&y.component_mul(y));
            level.gradient += weights.component_mul(y);
            level.hessian += DMatrix::from_diagonal(&weights);
            level
        };
        let ridge = Dense {
            dim_y: d,
            lower: &lower,
            cross: &|y| DMatrix::from_diagonal(&weights.component_mul(y)),
            upper: &|y| squares(&valid, 1.0, y),
        };
        let more = "--data user.npz --point point.npz";
        check(&folder, "ridge", more, &ridge);

        let lower = |y: &DVector<f64>| {
            let mut level = squares(&train, 1.0 / n as f64, y);
            level.value += 0.5 * (y - &x).norm_squared();
            level.gradient += y - &x;
            level.hessian += DMatrix::identity(d, d);
            level
        };
        let prior = Dense {
            dim_y: d,
            lower: &lower,
            cross: &|_| -DMatrix::identity(d, d),
            upper: &|y| squares(&valid, 1.0 / valid.len() as f64, y),
        };
        check(&folder, "ridge-prior", more, &prior);
    }
}

/// What was decided stands in every record of the commands that take data.
#[test]
fn records_hold_how_the_data_was_read() {
    let folder = Folder::new();
    let row = |i: usize| format!("{i},{},{},{}\n", i % 5, 1e5 * (i % 3) as f64, 1 + i % 2);
    let rows = String::from_iter((0..24).map(row));
    folder.write("a.csv", format!(",a,b,label\n{rows}"));
    let of = |command: &str, problem: &str, more: &str| -> Vec<Value> {
        let words = format!("{command} --problem {problem} --data a.csv --json {more}");
        folder.run(&words).code(0).records()
    };
    for (command, more) in [
        ("compare", "--strategy itd,aid-cg --depth 5 --out out"),
        ("memory", "--depths 5"),
        ("plan", "--depth 5 --budget 1MiB"),
    ] {
        for record in of(command, "softmax", &format!("{more} --standardise")) {
            let read = &record["read"];
            assert_eq!(read["format"], "csv", "{command}: {record}");
            assert_eq!(read["header"], "line 1");
            assert_eq!(
                (&read["features"], &read["classes"]),
                (&2.into(), &2.into())
            );
            assert_eq!(read["samples"]["train"], 12);
            assert_eq!(
                read["label_map"],
                serde_json::json!([[1.0, 0.0], [2.0, 1.0]])
            );
            assert_eq!(read["standardised"]["means"].as_array().unwrap().len(), 2);
            let dropped = read["dropped"][0].as_str().unwrap();
            assert!(
                dropped.starts_with("column 1 which counts the rows"),
                "{dropped}"
            );
        }
    }
    let text = std::fs::read_to_string(folder.path("out/compare.jsonl")).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["read"]["format"], "csv");
    let read = &of("compare", "ridge", "--strategy exact")[0]["read"];
    assert_eq!(
        read["targets"],
        serde_json::json!({ "least": 1.0, "most": 2.0 })
    );
    assert!(read["classes"].is_null());
    // Without data of the user's there is nothing to hold.
    let run = folder.run("compare --problem scalar --strategy exact --json");
    assert!(run.code(0).records()[0].get("read").is_none());

    std::fs::create_dir(folder.path("photos")).unwrap();
    for (name, side) in [("a.png", 8), ("b.png", 8), ("c.png", 9)] {
        photo(&folder.path("photos").join(name), side, side, |i, j| {
            (9 * i + 5 * j) as u8
        });
    }
    for problem in ["tv-deblurring", "foe-denoising", "icnn-denoising"] {
        let words = "--strategy itd --depth 3 --step 0.01 --json --data photos";
        let run = folder.run(&format!("compare --problem {problem} {words}"));
        let read = &run.records()[0]["read"];
        assert_eq!((&read["images"], &read["side"]), (&3.into(), &8.into()));
        assert_eq!(read["sizes"], serde_json::json!([[8, 8], [9, 9]]));
        let said = "photos: png; 3 images of 8 × 8 to 9 × 9 pixels, each cut to its middle 8 × 8; \
                    2 to train on, 1 kept apart\n";
        assert!(run.err.contains(said), "{run:?}");
    }
}

#[test]
fn lists_and_help_say_which_data_a_problem_takes() {
    let folder = Folder::new();
    let records = folder.run("list --json").code(0).records();
    let data = |name: &str| {
        let of_name = records.iter().find(|r| r["name"] == name);
        of_name.expect("listed")["data"].clone()
    };
    for (name, kind) in [
        ("logistic", "a table of two classes"),
        ("few-shot", "a table of classes"),
        ("ridge", "a table of targets"),
        ("foe-denoising", "a folder of images"),
    ] {
        assert_eq!(data(name), kind);
        let list = folder.run("list").code(0).out;
        let line = list
            .lines()
            .find(|l| l.trim_start().starts_with(&format!("{name} ")));
        assert!(
            line.unwrap().ends_with(&format!("; --data: {kind}")),
            "{list}"
        );
    }
    assert!(data("scalar").is_null());
    let help = folder.run("compare --help").code(0).out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains("a table of targets: maml, ridge, gaussian-process, "),
        "{help}"
    );
    assert!(
        help.contains("a table of two classes: logistic, sparse-logistic, svm, constrained-svm;"),
        "{help}"
    );
}
