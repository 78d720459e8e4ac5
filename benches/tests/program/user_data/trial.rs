//! Files as people have them: what is said about each, and that it gives the hypergradient of the
//! same numbers written plainly; or the line that refuses it.

use serde_json::Value;

use crate::common::{Folder, Run, photo};

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

pub(super) fn csv(first: &str, row: impl Fn(usize, [&str; 3]) -> String) -> String {
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
pub(super) fn compared(folder: &Folder, problem: &str, data: &str) -> (Value, Run) {
    let words =
        format!("compare --problem {problem} --strategy aid-cg --json --full --data {data}");
    let run = folder.run(&words).code(0);
    (run.records()[0]["hypergradient"].clone(), run)
}

/// What a file holds.
type Contents = Vec<u8>;

/// Files that are read as the plain table is, each with what is said.
fn read() -> Vec<(&'static str, Contents, &'static str)> {
    let commas = |_: usize, cells: [&str; 3]| cells.join(",");
    let labelled = |first: &str, two: [&str; 2]| {
        csv(first, |_, [a, b, label]| {
            format!("{a},{b},{}", two[usize::from(label == "1")])
        })
    };
    let (signed, plain) = (libsvm(["-1", "+1"], 1, ""), ["0", "1"]);
    let gzip = {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        packer.write_all(signed.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let of = |name, text: String, said| (name, text.into_bytes(), said);
    let bytes = |name, bytes: &[u8], said| (name, bytes.to_vec(), said);
    const BZIP2: &[u8] = include_bytes!("../../../../models/tests/data/fixtures/rows.libsvm.bz2");
    const XZ: &[u8] = include_bytes!("../../../../models/tests/data/fixtures/rows.libsvm.xz");
    let header = "header line 1, `7,8,9`, as 9 is no label";
    let index = "left out: column 1 which counts the rows (--keep-index)";
    let numbered = |i: usize, cells: [&str; 3]| format!("{i},{}", cells.join(","));
    let quoted = |_: usize, cells: [&str; 3]| format!("\"{}\"", cells.join("\",\""));
    vec![
        of("int_header.csv", csv("7,8,9", commas), header),
        of("index_column.csv", csv(",a,b,label", numbered), index),
        of(
            "labels_from_one.csv",
            labelled("a,b,label", ["1", "2"]),
            "2 classes: labels 1 → ",
        ),
        of(
            "words.csv",
            labelled("a,b,kind", ["cat", "dog"]),
            "2 classes: labels cat → ",
        ),
        of(
            "label_gap.libsvm",
            libsvm(["3", "900"], 1, ""),
            "labels 3 → ",
        ),
        of("signed.libsvm", signed.clone(), "2 classes: labels -1"),
        of(
            "no_extension",
            signed.clone(),
            "no_extension: libsvm; n = 8 (4 to train, 2 to validate, 2 to test), d = 2; ",
        ),
        of("a.txt", signed.clone(), "libsvm;"),
        of("a.train", signed.clone(), "libsvm;"),
        of("a.t", signed, "libsvm;"),
        bytes("a.gz", &gzip, "libsvm, gzip;"),
        bytes("a.svm.gz", &gzip, "libsvm, gzip;"),
        bytes("a.bz2", BZIP2, "libsvm, bzip2;"),
        bytes("a.xz", XZ, "libsvm, xz;"),
        of(
            "query_ids.libsvm",
            libsvm(plain, 1, " qid:7"),
            "left out: the queries `qid:`",
        ),
        of("from_zero.libsvm", libsvm(plain, 0, ""), "indices from 0"),
        of(
            "byte_order_mark.libsvm",
            format!("\u{feff}{}", libsvm(plain, 1, "")),
            "indices from 1",
        ),
        of(
            "byte_order_mark.csv",
            format!("\u{feff}{}", csv("a,b,label", commas)),
            "header line 1",
        ),
        of(
            "semicolons.csv",
            csv("a;b;label", |_, cells| cells.join(";")),
            "csv with semicolons; header line 1",
        ),
        of(
            "tabs.csv",
            csv("a\tb\tlabel", |_, cells| cells.join("\t")),
            "csv with tabs;",
        ),
        of(
            "quoted.csv",
            csv("\"a\",\"b\",\"label\"", quoted),
            "csv; header line 1",
        ),
        of("none.csv", csv("", commas), "csv; header none; n = 8"),
    ]
}

#[test]
fn files_of_the_trade_are_read() {
    let folder = Folder::new();
    let commas = |_: usize, cells: [&str; 3]| cells.join(",");
    folder.write("plain.csv", csv("a,b,label", commas));
    for problem in ["logistic", "softmax", "hyper-cleaning"] {
        let (expected, _) = compared(&folder, problem, "plain.csv");
        for (name, bytes, said) in read() {
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

#[test]
fn files_that_cannot_be_read_are_refused_with_a_way_out() {
    let folder = Folder::new();
    let commas = |_: usize, cells: [&str; 3]| cells.join(",");
    folder.write("shape_header.csv", csv("8,2,no,yes", commas));
    let missing = csv("a,b,label", commas).replace("0.7", "");
    folder.write("missing_cell.csv", missing);
    let wide = |i: usize| format!("{} {}:1 {}:0.5 100000:0.125\n", i % 2, 3 + i, 900 + 7 * i);
    folder.write("wide_sparse.libsvm", String::from_iter((0..20).map(wide)));
    std::fs::create_dir(folder.path("mixed_sizes")).unwrap();
    for (name, side) in [("icon", 4), ("photo0", 96), ("photo1", 96), ("photo2", 90)] {
        let path = folder.path(&format!("mixed_sizes/{name}.png"));
        photo(&path, side, side, |_, _| 7);
    }
    for (problem, data, line) in [
        (
            "softmax",
            "shape_header.csv",
            "line 1: `8,2,no,yes` looks like the numbers of rows and features and the names of \
             classes, expected names of the columns or numbers: take the line out, or --header yes \
             to ignore it",
        ),
        (
            "softmax",
            "missing_cell.csv",
            "line 4, column 2: `` is not a finite number: fill the cell in, for one with its \
             column's mean, or leave the line out",
        ),
        // With its zeros, which this problem needs.
        (
            "hyper-cleaning",
            "wide_sparse.libsvm",
            "20 rows of 100000 features, as the largest index says, are kept with their zeros, and \
             60 of their numbers are written, expected at most 1048576 numbers in all, so many \
             zeros may be a slip of an index: leave out features that few rows have, or fold the \
             indices into fewer",
        ),
        (
            "tv-denoising",
            "mixed_sizes",
            "icon.png: the image: its smallest side of 4 pixels, to which all would be cut, is less \
             than half of 96, the median, expected images of like sizes: take this one out, or \
             enlarge it",
        ),
    ] {
        let run = folder.run(&format!("compare --problem {problem} --data {data}"));
        let run = run.code(2);
        let line =
            format!("bilevel: {data}: {line}\n").replace("mixed_sizes: icon", "mixed_sizes/icon");
        assert_eq!((&*run.out, run.err), ("", line));
    }
    // Without them, where that will do.
    let run = folder.run("compare --problem logistic --data wide_sparse.libsvm --depth 5");
    let run = run.code(0);
    assert!(run.out.contains("sparse: 60 entries"), "{}", run.out);
}

/// Raw scales are told, with what helps.
#[test]
fn unlike_scales_are_told() {
    let folder = Folder::new();
    folder.write("raw_scales.csv", include_str!("raw_scales.csv"));
    let words = "solve --problem logistic --method itd --iterations 3 --data raw_scales.csv";
    let said = "; standard deviations of features from ";
    let run = folder.run(words).code(0);
    assert!(run.out.lines().next().unwrap().contains(said), "{run:?}");
    let run = folder.run(&format!("{words} --standardise")).code(0);
    assert!(!run.out.contains(said), "{run:?}");
}
