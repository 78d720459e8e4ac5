//! Tables of which each rank reads its own rows: tasks of the catalogue are those of all rows, to the bit.

use std::path::{Path, PathBuf};

use bilevel_tests::crew::crew;
use models::Task;
use models::catalogue::{Source, named};
use models::data::{Features, OwnRows, ReadData, Reading, Samples, Splits};

use super::{estimate, run_with, settings};

const ROWS: usize = 900;
const D: usize = 9;

/// Of a row.
type Label = fn(usize) -> f64;

fn npy(path: &Path, shape: &str, numbers: impl Iterator<Item = f64>) {
    let mut text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}");
    text.extend(std::iter::repeat_n(' ', (63 - (10 + text.len()) % 64) % 64));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.extend(numbers.flat_map(f64::to_le_bytes));
    std::fs::write(path, bytes).expect("a file");
}

fn feature(i: usize, j: usize) -> f64 {
    // Of scales that differ by a thousand, which is noted.
    ((7 * i + 13 * j) as f64).sin() * 4.0_f64.powi(j as i32) + 0.3
}

/// The same table as two files and as text, labels last.
fn files(folder: &Path, label: Label) -> [PathBuf; 2] {
    let [x, t, csv] = ["x.npy", "t.npy", "all.csv"].map(|name| folder.join(name));
    let all = (0..ROWS).flat_map(|i| (0..D).map(move |j| feature(i, j)));
    npy(&x, &format!("({ROWS}, {D})"), all);
    npy(&t, &format!("({ROWS},)"), (0..ROWS).map(label));
    let line = |i: usize| {
        let cells = (0..D).map(|j| format!("{:?}", feature(i, j)));
        let mut cells = Vec::from_iter(cells);
        cells.push(format!("{}", label(i)));
        cells.join(",") + "\n"
    };
    let text: String = (0..ROWS).map(line).collect();
    std::fs::write(&csv, text).expect("a file");
    [format!("{},{}", x.display(), t.display()).into(), csv]
}

/// What a task comes to: an estimate, a run, and the metrics at a point.
fn numbers(task: &Task<f64>, standardised: bool) -> Vec<u64> {
    let mut all = estimate(task, "itd").expect("an estimate");
    // With certificates by the constants, where these are known and the lower level is quickly solved.
    let certified = standardised && task.name == "logistic";
    let method = if certified { "maid" } else { "itd" };
    all.extend(run_with(&settings(), task, method).expect("a run"));
    let y = task.bilevel.start().map(|_| 0.2);
    for (name, value) in task.measure(&task.x, &y) {
        all.extend(name.bytes().map(u64::from));
        all.push(value.to_bits());
    }
    all
}

#[test]
fn tasks_of_own_rows_are_those_of_all_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let labels: [(&str, Label); 3] = [
        ("logistic", |i| (i % 7 % 2) as f64),
        ("softmax", |i| (i % 3) as f64),
        ("hyper-cleaning", |i| (i % 3) as f64),
    ];
    for (problem, label) in labels {
        for (file, standardise) in files(folder.path(), label).iter().zip([false, true]) {
            let source = |own_rows| Source {
                data: Some(file.clone()),
                reading: Reading {
                    standardise,
                    own_rows,
                    ..Reading::default()
                },
                seed: 5,
                bias: problem == "hyper-cleaning",
                ..Source::default()
            };
            let made = |own: bool| {
                let task = named(problem).expect("a problem").task::<f64>(&source(own));
                let task = task.expect("good data");
                let about = match &task.read {
                    Some(ReadData::Table(about)) => about.clone(),
                    other => panic!("{other:?}"),
                };
                (numbers(&task, standardise), about)
            };
            let (want, about) = made(true);
            assert!(!about.own_rows);
            assert!(want == made(false).0, "alone all rows are one's own");
            // That scales are unlike is seen whoever has the rows.
            assert_eq!(about.notes.is_empty(), standardise, "{about}");
            for size in [2, 3, 4] {
                for (rank, (got, of)) in crew(size, 1, || made(true)).into_iter().enumerate() {
                    assert!(got == want, "{problem}, {file:?}: rank {rank} of {size}");
                    assert_eq!((of.own_rows, &of.notes), (true, &about.notes));
                    assert_eq!(of.standardised, about.standardised);
                }
            }
        }
    }
}

#[test]
fn ranks_hold_each_row_of_each_split_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let [pair, csv] = files(folder.path(), |i| (i % 2) as f64);
    for file in [pair, csv] {
        let read = |own_rows| {
            let reading = Reading {
                own_rows,
                ..Reading::default()
            };
            reading.load(&file).expect("good data").splits
        };
        let all = read(false);
        let own = crew(3, 1, || read(true));
        let parts: [fn(&Splits) -> Samples; 2] = [|s| s.train.clone(), |s| s.valid.clone()];
        for part in parts {
            let whole = part(&all);
            let mut next = 0;
            for splits in &own {
                let samples = part(splits);
                assert_eq!(samples.labels, whole.labels);
                let Features::Own(rows) = &samples.features else {
                    panic!("{:?}", samples.features);
                };
                assert_eq!(rows.held().start, next);
                let here = whole.features.dense().columns_range(rows.held());
                assert_eq!(*rows.dense(), here.into_owned());
                next = rows.held().end;
            }
            assert_eq!(next, whole.len());
        }
    }
}

#[test]
#[should_panic(expected = "this rank holds the samples 0..0 of 0: expected all")]
fn what_needs_all_rows_refuses_own_ones() {
    let own = OwnRows::new(nalgebra::DMatrix::zeros(3, 0), 0, 1);
    let _ = Features::Own(own).dense();
}
