//! Files in the format of LIBSVM, read and refused.

use models::data::Reading;

use crate::common::*;
use crate::decided::DEFAULT;

fn libsvm_message(text: impl AsRef<[u8]>) -> String {
    let file = file(".libsvm", text.as_ref());
    message(file.path(), data::read_libsvm(file.path(), 0))
}

/// The same table sparse and as CSV: the same splits, whatever the blanks and comments.
#[test]
fn libsvm_is_the_csv_of_the_same_numbers() {
    let sparse =
        "# a header\n+1 1:0.5 3:-2e3\n\n-1\t2:1  # and a tail\n \n1 1:1 2:2 3:3\r\n-1\n+1 3:0";
    let dense = "0.5,0,-2000,1\n0,1,0,-1\n1,2,3,1\n0,0,0,-1\n0,0,0,1\n";
    let table = file(".csv", dense.as_bytes());
    for suffix in [".libsvm", ".svm", ".SVMLIGHT"] {
        let file = file(suffix, sparse.as_bytes());
        for seed in 0..6 {
            let mut read = data::load(file.path(), seed).unwrap();
            assert_eq!(read.source, file.path().display().to_string());
            read.source = table.path().display().to_string();
            assert_eq!(read, data::read_csv(table.path(), seed).unwrap());
        }
    }
}

#[test]
fn libsvm_that_is_refused() {
    let rows = "1 1:1\n0 1:2\n1 1:3\n0 1:4\n";
    for (line, word, expected) in [
        ("x 1:1", "x", "a finite number as the label"),
        ("nan", "nan", "a finite number as the label"),
        ("1,2 1:1", "1,2", "a finite number as the label"),
        ("1 2", "2", "`index:value`"),
        (
            "1 1:1 qid:3",
            "qid:3",
            "an index below 2³² before the colon",
        ),
        ("1 -1:1", "-1:1", "an index below 2³² before the colon"),
        ("1 :1", ":1", "an index below 2³² before the colon"),
        (
            "1 4294967296:1",
            "4294967296:1",
            "an index below 2³² before the colon",
        ),
        ("1 2:1 2:1", "2:1", "indices that ascend"),
        ("1 3:1 2:1", "2:1", "indices that ascend"),
        (
            "1 4294967295:1 4294967295:1",
            "4294967295:1",
            "indices that ascend",
        ),
        ("1 1:", "1:", "a finite number after the colon"),
        ("1 1:1:1", "1:1:1", "a finite number after the colon"),
        ("1 1:1e999", "1:1e999", "a finite number after the colon"),
    ] {
        let expected = format!("line 6: `{word}`, expected {expected}");
        assert_eq!(libsvm_message(format!("{rows}\n{line}\n")), expected);
    }
    assert!(libsvm_message(b"1 \xff:1\n").starts_with("line 1: `\u{fffd}:1`, expected an index"));
    let expected = "the table has no features, expected at least one";
    assert_eq!(libsvm_message("1\n0\n1\n0\n"), expected);
    let expected = "3 rows of numbers, expected at least 4 to split";
    assert_eq!(libsvm_message("1 1:1\n0 1:1\n1 1:1\n"), expected);
}

fn dense_message(text: &str) -> String {
    let file = file(".libsvm", text.as_bytes());
    message(file.path(), DENSE.load(file.path()))
}

const DENSE: Reading = Reading {
    dense: true,
    ..DEFAULT
};

/// A table may be sparse, but not so sparse that dense it is out of all proportion to the file.
#[test]
fn dense_tables_have_a_limit() {
    let expected = "4 rows of 4294967295 features, as the largest index says, are kept with their \
        zeros, and 1 of their numbers are written, expected at most 1048576 numbers in all, so many \
        zeros may be a slip of an index: leave out features that few rows have, or fold the indices \
        into fewer";
    assert_eq!(dense_message("1 4294967295:1\n0\n1\n0\n"), expected);
    let reads = |index: usize| {
        let file = file(".libsvm", format!("1 {index}:1\n0\n1\n0\n").as_bytes());
        let loaded = DENSE.load(file.path());
        loaded.map(|loaded| loaded.splits.train.features.dense().nrows())
    };
    assert_eq!(reads(1 << 18).unwrap(), 1 << 18);
    assert!(matches!(
        reads((1 << 18) + 1),
        Err(DataError::TooLarge { .. })
    ));
    // 2²⁸ entries are the most, however many are written.
    let many: String = (1..=300_000).map(|index| format!(" {index}:1")).collect();
    let text = format!("1{many}\n{}", "0 300000:1\n".repeat(900));
    let expected = "901 rows of 300000 features, as the largest index says, are kept with their \
        zeros, and 300900 of their numbers are written, expected at most 268435456 numbers in all: \
        leave out features that few rows have, or fold the indices into fewer";
    assert_eq!(dense_message(&text), expected);
}

/// Sparse, the same table is a few megabytes; but features that nothing is written of are a slip.
#[test]
fn sparse_tables_have_a_limit_of_features() {
    let expected = "4294967295 features, as the largest index says, and 1 numbers, expected at most \
        1048576 features, so many without a number may be a slip of an index: fold the indices into \
        fewer";
    assert_eq!(libsvm_message("1 4294967295:1\n0\n1\n0\n"), expected);
    let reads = |index: usize| {
        let file = file(".libsvm", format!("1 {index}:1\n0\n1\n0\n").as_bytes());
        data::read_libsvm(file.path(), 0).map(|splits| splits.train.dim())
    };
    assert_eq!(reads(1 << 20).unwrap(), 1 << 20);
    assert!(matches!(
        reads((1 << 20) + 1),
        Err(DataError::TooLarge { .. })
    ));
}
