//! What a reader decides about a table of text, and what settles it otherwise.

pub(crate) mod contents;
mod labels;
mod tables;
mod targets;
mod words;

use models::data::{Labels, Loaded, Reading};

use crate::common::*;

/// Eight rows of two features and a label, as many files write them.
const ROWS: [&str; 8] = [
    "0.5,1.2,0",
    "1.5,-0.3,1",
    "2.5,0.7,0",
    "-1.0,0.1,1",
    "0.3,0.9,0",
    "1.1,-1.4,1",
    "0.2,0.4,0",
    "1.7,-0.8,1",
];

fn table(first: &str) -> String {
    let rows = [first].into_iter().filter(|line| !line.is_empty());
    rows.chain(ROWS).map(|row| format!("{row}\n")).collect()
}

/// The rows with their numbers in front.
fn numbered(first: &str, numbers: impl Fn(usize) -> usize) -> String {
    let rows = ROWS.iter().enumerate();
    let rows = rows.map(|(i, row)| format!("{},{row}\n", numbers(i)));
    format!("{first}\n{}", rows.collect::<String>())
}

fn read(suffix: &str, text: impl AsRef<[u8]>, reading: Reading) -> Loaded {
    let file = file(suffix, text.as_ref());
    match reading.load(file.path()) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{error}"),
    }
}

fn refusal(text: impl AsRef<[u8]>, reading: Reading) -> String {
    let file = file(".csv", text.as_ref());
    message(file.path(), reading.load(file.path()))
}

fn csv(text: impl AsRef<[u8]>) -> Loaded {
    read(".csv", text, Reading::default())
}

/// The numbers of a table without a header, which the others have to give.
fn plain() -> Splits {
    let mut splits = csv(table("")).splits;
    assert_eq!((splits.train.len(), splits.train.dim()), (4, 2));
    splits.source.clear();
    splits
}

/// The data of a reading, wherever it came from.
fn splits(loaded: &Loaded) -> Splits {
    Splits {
        source: String::new(),
        ..loaded.splits.clone()
    }
}

const NO_HEADER: Reading = Reading {
    header: Some(false),
    ..DEFAULT
};
const HEADER: Reading = Reading {
    header: Some(true),
    ..DEFAULT
};
pub(crate) const DEFAULT: Reading = Reading {
    seed: 0,
    labels: Labels::AsWritten,
    format: None,
    header: None,
    first_index: None,
    keep_index: false,
    standardise: false,
    dense: false,
    own_rows: false,
    largest: None,
};
