//! Archives that are refused, and why.

use crate::common::*;

#[test]
fn files_that_cannot_be_opened() {
    let directory = TempDir::new().unwrap();
    let absent = directory.path().join("absent.npz");
    for result in [
        data::read_npz(&absent),
        data::load(&absent, 0),
        data::read_csv(&absent, 0),
    ] {
        assert!(matches!(result, Err(DataError::Unreadable { .. })));
        assert!(message(&absent, result).starts_with("cannot be read: "));
    }
    let folder = directory.path();
    assert!(message(folder, data::read_csv(folder, 0)).starts_with("cannot be read: "));
    assert!(message(folder, data::read_npz(folder)).starts_with("cannot be read: "));

    let text = Path::new("set.TXT");
    assert!(message(text, data::load(text, 0)).starts_with("cannot be read: "));

    let npz = file(".NPZ", &zipped(&toy(), Stored));
    assert_eq!(data::load(npz.path(), 0).unwrap().train.len(), 3);
}

#[test]
fn npz_that_is_no_archive() {
    for bytes in [&b""[..], b"text", &floats(&[1], &[1.0])] {
        let file = file(".npz", bytes);
        let result = data::read_npz(file.path());
        assert!(matches!(result, Err(DataError::NotNpz { .. })));
        assert!(message(file.path(), result).starts_with("not an npz file, expected a zip"));
    }
}

#[test]
fn npz_with_wrong_arrays() {
    let gone = |name| npz_message(&toy_with(&[(name, vec![])]));
    let found = "`x_train`, `t_train`, `x_valid`, `t_valid`, `x_test`";
    assert_eq!(gone("t_test"), format!("no array `t_test`, found {found}"));
    assert!(gone("x_test").starts_with("no array `x_test`, found `x_train`"));
    assert!(gone("x_valid").starts_with("no array `x_valid`, found"));
    assert_eq!(npz_message(&vec![]), "no array `x_train`, found no arrays");

    let expected = "array `x_train` has shape [3], expected [samples, features]";
    assert_eq!(x_message(floats(&[3], &[1.0; 3])), expected);
    let t = npz_message(&toy_with(&[("t_valid", floats(&[1, 2], &[1.0; 2]))]));
    assert_eq!(t, "array `t_valid` has shape [1, 2], expected [samples]");

    let expected = "`x_train` has 4 rows but `t_train` has 3 entries, expected as many";
    assert_eq!(x_message(floats(&[4, 2], &[1.0; 8])), expected);
    let wide = toy_with(&[("x_valid", floats(&[2, 5], &[1.0; 10]))]);
    let expected = "`x_valid` has 5 columns but `x_train` has 2, expected as many";
    assert_eq!(npz_message(&wide), expected);
    let wide = toy_with(&[("x_test", floats(&[1, 3], &[1.0; 3]))]);
    assert!(npz_message(&wide).starts_with("`x_test` has 3 columns but `x_train` has 2"));

    let none = toy_with(&[
        ("x_train", floats(&[0, 2], &[])),
        ("t_train", floats(&[0], &[])),
    ]);
    assert_eq!(
        npz_message(&none),
        "array `x_train` has no samples, expected at least one"
    );
    let expected = "array `x_train` has no features, expected at least one";
    assert_eq!(x_message(floats(&[3, 0], &[])), expected);

    let nan = floats(&[3, 2], &[1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0]);
    let expected = "array `x_train`, row 1, column 1, is NaN, expected a finite number";
    assert_eq!(x_message(nan), expected);
    let infinite = toy_with(&[("t_valid", floats(&[2], &[1.0, f64::INFINITY]))]);
    let expected = "array `t_valid`, entry 1, is inf, expected a finite number";
    assert_eq!(npz_message(&infinite), expected);
}

#[test]
fn npy_with_wrong_dtype() {
    for dtype in [
        "<c16", "|O", "<U3", "|S2", "<M8[s]", "<f16", "|f8", "=f8", "", "é", "<i3", "<b1x",
    ] {
        let text = x_message(raw_dtype(&format!("'{dtype}'"), "(3, 2)", &[0; 64]));
        assert!(
            text.starts_with(&format!("array `x_train` has dtype `{dtype}`, expected")),
            "{text}"
        );
    }
    let record = x_message(raw_dtype("[('a', '<f8')]", "(3, 2)", &[0; 48]));
    assert!(
        record.starts_with("array `x_train` has dtype `[('a', '<f8')]"),
        "{record}"
    );
}

#[test]
fn npy_that_is_malformed() {
    let malformed = |bytes: Vec<u8>, culprit: &str| {
        let text = x_message(bytes);
        assert!(
            text.starts_with("array `x_train` is malformed: ") && text.contains(culprit),
            "{text}"
        );
    };
    malformed(b"\x93NUM".to_vec(), "cut short");
    malformed(b"not an array".to_vec(), "expected the npy format");
    malformed(b"\x93NUMPY\x01\x00\xff\x00{".to_vec(), "cut short");
    malformed(b"\x93NUMPY\x09\x00\x01\x00{".to_vec(), "npy version 9");
    malformed(
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec(),
        "header of 4294967295 bytes",
    );
    malformed(b"\x93NUMPY\x01\x00\x01\x00\xff".to_vec(), "not text");
    let header = |text: &str, culprit| malformed(raw(text, &[0; 48]), culprit);
    header("", "expected `{` before ``");
    header(
        "{'descr': '<f8'}",
        "one dict of 'descr', 'fortran_order' and 'shape'",
    );
    header("{'descr': '<f8', 'order': 1}", "before `1}`");
    header(
        "{'descr': '<f8', 'fortran_order': 1}",
        "expected True or False before `1}`",
    );
    header("{'shape': 3}", "expected `(` before `3}`");
    header("{'shape': (-3,)}", "expected a dimension before `-3,)}`");
    header(
        "{'shape': (99999999999999999999,)}",
        "expected a dimension before `9999",
    );
    header("{'shape': (3 2)}", "expected `)` before `2)}`");
    header("{'shape': (3", "expected `)`");
    header("{'descr': '<f8", "expected a string");
    header(
        &format!("{{'shape': ({}", "(".repeat(60_000)),
        "expected a dimension",
    );
    header(
        &format!("{{'shape': ({}", "1,".repeat(30_000)),
        "at most 64 axes",
    );
    malformed(
        raw_dtype("'<f8'", "(2, 2)", &[0; 48]),
        "more bytes than the shape [2, 2] needs",
    );

    let truncated = |shape: &str, data: &[u8], culprit: &str| {
        let text = x_message(raw_dtype("'<f8'", shape, data));
        assert!(
            text.starts_with("array `x_train` is truncated: shape ["),
            "{text}"
        );
        assert!(text.contains(culprit), "{text}");
    };
    truncated(
        "(3, 2)",
        &[0; 47],
        "[3, 2] of dtype `<f8` does not fit the 47 bytes",
    );
    truncated(
        "(1000000000000000000, 1)",
        &[0; 48],
        "does not fit the 48 bytes",
    );
    truncated(
        "(4294967296, 4294967296)",
        &[0; 48],
        "does not fit the 48 bytes",
    );

    // Damage inside the compressed data is caught by the archive.
    let mut damaged = zipped(&toy(), Stored);
    let data = damaged
        .windows(8)
        .position(|bytes| bytes == 6f64.to_le_bytes())
        .unwrap();
    damaged[data] ^= 1;
    let file = file(".npz", &damaged);
    let text = message(file.path(), data::read_npz(file.path()));
    assert!(
        text.starts_with("array `x_train` is malformed: its data cannot be unpacked"),
        "{text}"
    );
}
