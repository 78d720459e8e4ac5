//! Tables as they are found: what is said about each, and that it gives the hypergradient of the
//! same numbers written plainly.

use models::data::{self, Samples};
use serde_json::Value;

use crate::common::{Folder, Run, npy};

/// Eight rows of two features and a label 0 or 1.
const ROWS: [[&str; 3]; 8] = [
    ["0.5", "1.2", "0"],
    ["1.5", "-0.3", "1"],
    ["2.5", "0.7", "0"],
    ["-1.0", "0.1", "1"],
    ["0.3", "0.9", "0"],
    ["1.1", "-1.4", "1"],
    ["0.2", "0.4", "0"],
    ["1.7", "-0.8", "1"],
];

fn csv(first: &str, row: impl Fn(usize, [&str; 3]) -> String) -> String {
    let rows = ROWS.iter().enumerate().map(|(i, cells)| row(i, *cells));
    [first.to_owned()]
        .into_iter()
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

fn libsvm(labels: [&str; 2], first: usize, between: &str) -> String {
    let row = |[a, b, label]: [&str; 3]| {
        let label = labels[usize::from(label == "1")];
        format!("{label}{between} {first}:{a} {}:{b}\n", first + 1)
    };
    ROWS.into_iter().map(row).collect()
}

#[track_caller]
fn compared(folder: &Folder, problem: &str, data: &str) -> (Value, Run) {
    let words =
        format!("compare --problem {problem} --strategy aid-cg --json --full --data {data}");
    let run = folder.run(&words).code(0);
    (run.records()[0]["hypergradient"].clone(), run)
}

/// Every way to write the rows, with what is said.
#[test]
fn tables_as_they_are_found() {
    let folder = Folder::new();
    let commas = |_: usize, cells: [&str; 3]| cells.join(",");
    let with = |one: [&str; 2], [a, b, label]: [&str; 3]| {
        format!("{a},{b},{}", one[usize::from(label == "1")])
    };
    let (signed, plain) = (libsvm(["-1", "+1"], 1, ""), ["0", "1"]);
    let gzip = {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        packer.write_all(signed.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    folder.write("plain.csv", csv("a,b,label", commas));
    let files: [(&str, Vec<u8>, &str); 19] = [
        (
            "int_header.csv",
            csv("7,8,9", commas).into(),
            "header line 1, `7,8,9`, as 9 is no label",
        ),
        (
            "index_column.csv",
            csv(",a,b,label", |i, cells| format!("{i},{}", cells.join(","))).into(),
            "left out: column 1 which counts the rows (--keep-index)",
        ),
        (
            "labels_from_one.csv",
            csv("a,b,label", |_, cells| with(["1", "2"], cells)).into(),
            "2 classes: labels 1 → ",
        ),
        (
            "label_gap.libsvm",
            libsvm(["3", "900"], 1, "").into(),
            "labels 3 → ",
        ),
        (
            "signed.libsvm",
            signed.clone().into(),
            "2 classes: labels -1",
        ),
        (
            "no_extension",
            signed.clone().into(),
            "no_extension: libsvm; n = 8 (4 to train, 2 to ",
        ),
        ("a.txt", signed.clone().into(), "libsvm;"),
        ("a.train", signed.clone().into(), "libsvm;"),
        ("a.t", signed.into(), "libsvm;"),
        ("a.gz", gzip.clone(), "libsvm, gzip;"),
        ("a.svm.gz", gzip, "libsvm, gzip;"),
        (
            "query_ids.libsvm",
            libsvm(plain, 1, " qid:7").into(),
            "left out: the queries `qid:`",
        ),
        (
            "from_zero.libsvm",
            libsvm(plain, 0, "").into(),
            "indices from 0",
        ),
        (
            "mark.libsvm",
            format!("\u{feff}{}", libsvm(plain, 1, "")).into(),
            "indices from 1",
        ),
        (
            "mark.csv",
            format!("\u{feff}{}", csv("a,b,label", commas)).into(),
            "header line 1",
        ),
        (
            "semicolons.csv",
            csv("a;b;label", |_, cells| cells.join(";")).into(),
            "csv with semicolons; header line 1",
        ),
        (
            "tabs.csv",
            csv("a\tb\tlabel", |_, cells| cells.join("\t")).into(),
            "csv with tabs;",
        ),
        (
            "quoted.csv",
            csv("\"a\",\"b\",\"label\"", |_, cells| {
                format!("\"{}\"", cells.join("\",\""))
            })
            .into(),
            "csv; header line 1",
        ),
        (
            "none.csv",
            csv("", commas).into(),
            "csv; header none; n = 8",
        ),
    ];
    for problem in ["logistic", "softmax", "hyper-cleaning"] {
        let (expected, _) = compared(&folder, problem, "plain.csv");
        for (name, bytes, said) in &files {
            folder.write(name, bytes);
            let (found, run) = compared(&folder, problem, name);
            assert_eq!(found, expected, "{problem}, {name}");
            assert!(run.err.contains(said), "{problem}, {name}: {}", run.err);
            assert_eq!(run.err.lines().count(), 1, "{}", run.err);
        }
    }
    // Settled the other way, it is another table.
    let (expected, _) = compared(&folder, "logistic", "plain.csv");
    for data in [
        "int_header.csv --header no",
        "index_column.csv --keep-index",
    ] {
        assert_ne!(compared(&folder, "softmax", data).0, expected, "{data}");
    }
    let words = "--data int_header.csv --header yes --format csv --standardise=false";
    let words = format!("compare --problem logistic --strategy aid-cg {words}");
    let run = folder.run(&words).code(0);
    assert!(
        run.out
            .starts_with("data int_header.csv: csv; header line 1; n = 8"),
        "{run:?}"
    );
}

/// Raw columns of 1e-2, 1e3 and 1e4, standardised: the same as by hand.
#[test]
fn standardised_features_are_those_of_the_training_samples() {
    let folder = Folder::new();
    folder.write("raw.csv", include_str!("raw_scales.csv"));
    let raw = data::read_csv(&folder.path("raw.csv"), 0).expect("a table");
    let n = raw.train.len() as f64;
    let means = raw.train.features.column_mean();
    let centred = |samples: &Samples| {
        let mut features = samples.features.clone();
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
    let words = "solve --problem logistic --method itd --json --data raw.csv --standardise";
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
