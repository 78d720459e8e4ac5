//! What is decided about tables: standardised features, and settings of the reader like any others.

use models::data::{self, Samples};
use serde_json::Value;

use super::trial::{compared, csv};
use crate::common::{Folder, npy};

/// Raw columns of 1e-2, 1e3 and 1e4, standardised: the same as by hand.
#[test]
fn standardised_features_are_those_of_the_training_samples() {
    let folder = Folder::new();
    folder.write("raw.csv", include_str!("raw_scales.csv"));
    let raw = data::read_csv(&folder.path("raw.csv"), 0).expect("a table");
    let n = raw.train.len() as f64;
    let means = raw.train.features.dense().column_mean();
    let centred = |samples: &Samples| {
        let mut features = samples.features.dense().clone();
        features.column_iter_mut().for_each(|mut x| x -= &means);
        features
    };
    let squares = centred(&raw.train).map(|v| v * v).column_sum();
    let deviations = squares.map(|s| (s / n).sqrt());
    let arrays = [("train", &raw.train), ("valid", &raw.valid)].map(|(name, part)| {
        let mut x = centred(part);
        x.column_iter_mut()
            .for_each(|mut x| x.component_div_assign(&deviations));
        let (x, t) = (
            npy(&[part.len(), 3], x.as_slice()),
            npy(&[part.len()], &part.labels),
        );
        [(format!("x_{name}"), x), (format!("t_{name}"), t)]
    });
    let named: Vec<(&str, Vec<u8>)> = arrays
        .iter()
        .flatten()
        .map(|(name, array)| (&**name, array.clone()))
        .collect();
    folder.write_npz("by_hand.npz", &named);
    for problem in ["logistic", "softmax"] {
        let numbers = |data: &str| -> Vec<f64> {
            let (found, _) = compared(&folder, problem, data);
            serde_json::from_value(found).expect("numbers")
        };
        let (found, expected) = (numbers("raw.csv --standardise"), numbers("by_hand.npz"));
        for (a, b) in found.iter().zip(&expected) {
            assert!(
                (a - b).abs() < 1e-10 * (1.0 + b.abs()),
                "{found:?}, {expected:?}"
            );
        }
    }

    // It is solved, and the record has the constants.
    let words =
        "solve --problem logistic --method itd --json --data raw.csv --standardise --no-worth";
    let run = folder.run(words).code(0);
    assert!(
        run.err.contains("; standardised by the training samples\n"),
        "{run:?}"
    );
    let records = run.records();
    let constants = &records[0]["header"]["read"]["standardised"];
    let of = |key: &str| -> Vec<f64> { serde_json::from_value(constants[key].clone()).unwrap() };
    for (found, expected) in [(of("means"), means), (of("deviations"), deviations)] {
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-12 * b.abs(), "{found:?}, {expected}");
        }
    }
    let upper = |record: &Value| record["upper"].as_f64().expect("a number");
    let (first, last) = (upper(&records[1]), upper(&records[records.len() - 1]));
    assert!(last < 0.8 * first, "{first}, {last}");
}

/// The settings of the reader are settings like others: in files, in a run that goes on, in sweeps.
#[test]
fn reading_is_set_as_other_things_are() {
    let folder = Folder::new();
    folder.write("a.csv", csv("7,8,9", |_, cells| cells.join(",")));
    let solve = "solve --problem softmax --method aid-cg --iterations 3 --data a.csv";
    let shown = folder
        .run(&format!("{solve} --standardise --header no --show-config"))
        .code(0);
    assert!(shown.out.contains("\nstandardise = true\n"), "{shown:?}");
    assert!(shown.out.contains("\nheader = \"no\"\n"), "{shown:?}");
    assert!(
        shown.out.contains("\n# first_index = (not given)\n"),
        "{shown:?}"
    );
    folder.write("run.toml", &shown.out);
    let run = folder
        .run(&format!("{solve} --config run.toml --out run --json"))
        .code(0);
    let header = &run.records()[0]["header"];
    assert_eq!(header["settings"]["standardise"], true);
    assert_eq!(header["read"]["samples"]["train"], 5);
    assert_eq!(
        header["read"]["label_map"],
        serde_json::json!([[0.0, 0.0], [1.0, 1.0], [9.0, 2.0]])
    );
    let run = folder.run("solve --resume run --standardise=false").code(2);
    assert!(
        run.err.contains("the run has standardise true, not false"),
        "{run:?}"
    );
    let run = folder.run("solve --resume run --first-index 1").code(2);
    assert!(
        run.err.contains("the run has first_index null, not 1"),
        "{run:?}"
    );

    let sweep = "[base]\nproblem = \"softmax\"\nmethod = \"aid-cg\"\niterations = 2\n\
                 data = \"a.csv\"\nheader = \"yes\"\n[grid]\nstandardise = [true, false]\n";
    folder.write("sweep.toml", sweep);
    folder.run("sweep sweep.toml --out sweep --json").code(0);
    for standardise in [true, false] {
        let trace = format!("sweep/standardise={standardise}/seed-0/trace.jsonl");
        let trace = std::fs::read_to_string(folder.path(&trace)).expect("a trace");
        let line = trace.lines().next().expect("a header");
        let header = &serde_json::from_str::<Value>(line).expect("JSON")["header"]["read"];
        assert_eq!(header["standardised"].is_object(), standardise, "{header}");
        assert_eq!(header["header"], "line 1");
    }
}
