//! Data files: what is read, what is refused with which message, and what must never panic.

use std::io::{Cursor, Seek, Write};
use std::path::Path;
use std::time::Instant;

use models::data::{self, DataError, Splits};
use npyz::{DType, Order, WriterBuilder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::{NamedTempFile, TempDir};
use zip::CompressionMethod::{Deflated, Stored};
use zip::write::SimpleFileOptions;

type Arrays = Vec<(&'static str, Vec<u8>)>;

fn npy<T: npyz::Serialize + Copy>(dtype: &str, order: Order, shape: &[u64], c: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = npyz::WriteOptions::new()
        .dtype(DType::new_scalar(dtype.parse().unwrap()))
        .order(order)
        .shape(shape)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    if order == Order::Fortran && shape.len() == 2 {
        let (rows, columns) = (shape[0] as usize, shape[1] as usize);
        writer
            .extend((0..columns).flat_map(|j| (0..rows).map(move |i| c[i * columns + j])))
            .unwrap();
    } else {
        writer.extend(c.iter().copied()).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

fn floats(shape: &[u64], values: &[f64]) -> Vec<u8> {
    npy("<f8", Order::C, shape, values)
}

fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

fn raw_dtype(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    raw(
        &format!("{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"),
        data,
    )
}

fn zipped(arrays: &Arrays, compression: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(compression);
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn file(suffix: &str, bytes: &[u8]) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    std::fs::write(&file, bytes).unwrap();
    file
}

fn toy() -> Arrays {
    vec![
        ("x_train", floats(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("t_train", floats(&[3], &[0.0, 1.0, 1.0])),
        ("x_valid", floats(&[2, 2], &[7.0, 8.0, 9.0, 10.0])),
        ("t_valid", floats(&[2], &[1.0, 0.0])),
        ("x_test", floats(&[1, 2], &[11.0, 12.0])),
        ("t_test", floats(&[1], &[1.0])),
    ]
}

/// [`toy`] with some arrays replaced, or removed where the bytes are empty.
fn toy_with(changes: &[(&'static str, Vec<u8>)]) -> Arrays {
    let mut arrays = toy();
    for (name, bytes) in changes {
        arrays.retain(|(other, _)| other != name);
        if !bytes.is_empty() {
            arrays.push((name, bytes.clone()));
        }
    }
    arrays
}

fn read(arrays: &Arrays) -> Result<Splits, DataError> {
    data::read_npz(file(".npz", &zipped(arrays, Stored)).path())
}

/// The message without the path that it must start with.
fn message<T: std::fmt::Debug>(path: &Path, result: Result<T, DataError>) -> String {
    let text = result.unwrap_err().to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    let start = format!("{}: ", path.display());
    text.strip_prefix(&start)
        .unwrap_or_else(|| panic!("`{text}` lacks `{start}`"))
        .to_owned()
}

fn npz_message(arrays: &Arrays) -> String {
    let file = file(".npz", &zipped(arrays, Deflated));
    message(file.path(), data::read_npz(file.path()))
}

fn x_message(bytes: Vec<u8>) -> String {
    npz_message(&toy_with(&[("x_train", bytes)]))
}

fn csv_message(text: impl AsRef<[u8]>) -> String {
    let file = file(".csv", text.as_ref());
    message(file.path(), data::read_csv(file.path(), 0))
}

#[test]
fn npz_has_the_splits() {
    let splits = read(&toy()).unwrap();
    assert_eq!(
        splits.train.features.as_slice(),
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
    assert_eq!((splits.train.dim(), splits.train.len()), (2, 3));
    assert_eq!(splits.train.labels, [0.0, 1.0, 1.0]);
    assert_eq!(splits.valid.features.column(1).as_slice(), [9.0, 10.0]);
    assert_eq!(splits.test.unwrap().labels, [1.0]);

    let without_test = toy_with(&[("x_test", vec![]), ("t_test", vec![])]);
    assert_eq!(read(&without_test).unwrap().test, None);
    let column = toy_with(&[("t_train", floats(&[3, 1], &[0.0, 1.0, 1.0]))]);
    assert_eq!(read(&column).unwrap().train.labels, [0.0, 1.0, 1.0]);
}

macro_rules! round_trips {
    ($($code:literal: $values:expr;)*) => {$({
        let values = $values;
        for byte_order in ["<", ">", "|"] {
            let size: usize = $code[1..].parse().unwrap();
            if (byte_order == "|") != (size == 1) {
                continue;
            }
            let dtype = format!("{byte_order}{}", $code);
            for (order, compression) in [(Order::C, Stored), (Order::Fortran, Deflated)] {
                let arrays = toy_with(&[
                    ("x_train", npy(&dtype, order, &[3, 2], &values)),
                    ("t_train", npy(&dtype, order, &[3], &values[..3])),
                ]);
                let file = file(".npz", &zipped(&arrays, compression));
                let train = data::read_npz(file.path()).unwrap().train;
                let expected: Vec<f64> = values.iter().map(|&value| as_f64!(value)).collect();
                assert_eq!(train.features.as_slice(), expected, "{dtype} {order:?}");
                assert_eq!(train.labels, expected[..3], "{dtype} {order:?}");
            }
        }
    })*};
}

macro_rules! as_f64 {
    ($value:expr) => {
        $value
            .to_string()
            .replace("true", "1")
            .replace("false", "0")
            .parse::<f64>()
            .unwrap()
    };
}

#[test]
fn npz_round_trips_dtypes_and_orders() {
    round_trips! {
        "f8": [0.1, -2.5e300, 3.0, f64::MIN_POSITIVE, -0.0, 6.0];
        "f4": [0.5f32, -2.25, 3.0, 1024.0, -0.0, 6.0];
        "i1": [i8::MIN, -1, 0, 1, 2, i8::MAX];
        "i2": [i16::MIN, -1, 0, 1, 2, i16::MAX];
        "i4": [i32::MIN, -1, 0, 1, 2, i32::MAX];
        "i8": [i64::MIN, -1, 0, 1, 2, i64::MAX];
        "u1": [0u8, 1, 2, 3, 4, u8::MAX];
        "u2": [0u16, 1, 2, 3, 4, u16::MAX];
        "u4": [0u32, 1, 2, 3, 4, u32::MAX];
        "u8": [0u64, 1, 2, 3, 4, u64::MAX];
        "b1": [true, false, true, true, false, false];
    }
}

#[test]
fn npz_reads_half_precision() {
    let bits = [0x3c00u16, 0xc000, 0x7bff, 0x0001, 0x3555, 0x0400];
    let numbers = [
        1.0,
        -2.0,
        65504.0,
        2f64.powi(-24),
        0.333251953125,
        2f64.powi(-14),
    ];
    for (dtype, bytes) in [
        ("'<f2'", u16::to_le_bytes as fn(_) -> _),
        ("'>f2'", u16::to_be_bytes),
    ] {
        let x = raw_dtype(dtype, "(3, 2)", &bits.map(bytes).concat());
        let splits = read(&toy_with(&[("x_train", x)])).unwrap();
        assert_eq!(splits.train.features.as_slice(), numbers);
    }
    let infinite = raw_dtype("'<f2'", "(1, 1)", &0xfc00u16.to_le_bytes());
    assert!(x_message(infinite).contains("row 0, column 0, is -inf"));
}

#[test]
fn npy_versions_two_and_three_are_read() {
    for version in 2..=3 {
        let mut x = floats(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        x[6] = version;
        x.splice(10..10, [0, 0]);
        let splits = read(&toy_with(&[("x_train", x)])).unwrap();
        assert_eq!(splits.train, read(&toy()).unwrap().train);
    }
}

#[test]
fn point_is_flattened_in_c_order() {
    let read = |arrays: &Arrays| {
        let file = file(".npz", &zipped(arrays, Stored));
        data::read_point(file.path()).map_err(|error| error.to_string())
    };
    let values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let y = npy("<f8", Order::Fortran, &[3, 2], &values);
    let point = read(&vec![("x", floats(&[6], &values)), ("y", y)]).unwrap();
    assert_eq!(
        (point.x, point.y.unwrap()),
        (values.to_vec(), values.to_vec())
    );

    // Entry [i, j, k] of shape [2, 3, 4] is 100 i + 10 j + k.
    let cube = |i: u64, j: u64, k: u64| (100 * i + 10 * j + k) as f64;
    let c: Vec<f64> = (0..24).map(|n| cube(n / 12, n / 4 % 3, n % 4)).collect();
    let fortran: Vec<f64> = (0..24).map(|n| cube(n % 2, n / 2 % 3, n / 6)).collect();
    let point = read(&vec![(
        "x",
        npy("<f8", Order::Fortran, &[2, 3, 4], &fortran),
    )])
    .unwrap();
    assert_eq!((point.x, point.y), (c, None));
    assert_eq!(read(&vec![("x", floats(&[], &[4.0]))]).unwrap().x, [4.0]);

    let refused = |arrays| read(&arrays).unwrap_err();
    assert!(refused(vec![("y", floats(&[1], &[1.0]))]).ends_with("no array `x`, found `y`"));
    assert!(refused(vec![("x", floats(&[0], &[]))]).contains("`x` has no elements"));
    assert!(
        refused(vec![("x", floats(&[1, 1, 2], &[0.0, f64::NAN]))]).contains("[0, 0, 1], is NaN")
    );
    assert!(refused(vec![("x", floats(&[], &[f64::NAN]))]).contains("only entry, is NaN"));
}

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
    let expected = "unknown file extension `.TXT`, expected the file extension `.npz` or `.csv`";
    assert_eq!(message(text, data::load(text, 0)), expected);
    let bare = Path::new("set");
    assert!(message(bare, data::load(bare, 0)).starts_with("no file extension, expected"));

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

#[test]
fn csv_is_split_and_seeded() {
    let text: String = (0..11)
        .map(|i| format!("{i}, {}.5,{}\n", -i, i % 2))
        .collect();
    let headed = format!("\u{feff}a,\"b c\",label\n \n{text}");
    for text in [text.replace('\n', "\r\n"), text, headed] {
        let file = file(".csv", text.as_bytes());
        let splits = data::read_csv(file.path(), 3).unwrap();
        let test = splits.test.as_ref().unwrap();
        assert_eq!(
            (splits.train.len(), splits.valid.len(), test.len()),
            (6, 3, 2)
        );
        assert_eq!(splits, data::load(file.path(), 3).unwrap());
        assert_ne!(splits.train, data::read_csv(file.path(), 4).unwrap().train);

        let mut seen = Vec::new();
        for part in [&splits.train, &splits.valid, test] {
            for (x, &t) in part.features.column_iter().zip(&part.labels) {
                assert_eq!((x[1].abs(), t), (x[0] + 0.5, x[0] % 2.0));
                seen.push(x[0] as usize);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, Vec::from_iter(0..11));
    }
}

#[test]
fn csv_that_is_refused() {
    let rows = "1,2,0\n3,4,1\n5,6,0\n7,8,1\n";
    assert_eq!(
        csv_message(format!("{rows}\n9,ab\n")),
        "line 6 has 2 fields, expected 3 as on the first line"
    );
    assert_eq!(
        csv_message(format!("{rows}\n9,ab,1\n")),
        "line 6, column 2: `ab` is not a finite number"
    );
    let windows = format!("{rows}\n\n\n9,10\n").replace('\n', "\r\n");
    assert!(csv_message(windows).starts_with("line 8 has 2 fields"));
    for text in ["nan", "inf", "1e999", "", "0x1", "1 2"] {
        let expected = format!("line 1, column 3: `{text}` is not a finite number");
        assert_eq!(csv_message(format!("1,2,{text}\n{rows}")), expected);
    }
    assert!(csv_message(b"1,2,3\n1,\xff\n,0").contains("line 2 has 2 fields"));
    assert!(csv_message(b"1,2,3\n1,\xff\n3,0\n").contains("line 2"));
    assert!(csv_message(b"1,2\n1,\xff\n").contains("line 2, column 2: `\u{fffd}`"));
    assert!(csv_message(format!("1,\"{}\n\",2", "long ".repeat(50))).contains("…` is not"));
    assert_eq!(
        csv_message("1\n2\n3\n4\n"),
        "the table, with one column for the labels, has no features, expected at least one"
    );
    for (text, found) in [("", 0), ("a,b\n", 0), ("1,2\n3,4\n5,6\n", 3)] {
        let expected = format!("{found} rows of numbers, expected at least 4 to split");
        assert_eq!(csv_message(text), expected);
    }
}

#[test]
fn labels_are_checked() {
    let labelled = |train: [f64; 3], valid: [f64; 2]| {
        let t = [
            ("t_train", floats(&[3], &train)),
            ("t_valid", floats(&[2], &valid)),
        ];
        let mut splits = read(&toy_with(&t)).unwrap();
        splits.source = "toy.npz".into();
        splits
    };
    let binary = |train, valid| {
        labelled(train, valid)
            .into_binary()
            .map_err(|e| e.to_string())
    };
    let splits = binary([0.0, 1.0, 0.0], [1.0, 1.0]).unwrap();
    assert_eq!(
        (splits.train.labels, splits.valid.labels),
        (vec![-1.0, 1.0, -1.0], vec![1.0, 1.0])
    );
    assert_eq!(splits.test.unwrap().labels, [1.0]);
    assert_eq!(
        binary([1.0, -1.0, 1.0], [1.0, -1.0]).unwrap().train.labels,
        [1.0, -1.0, 1.0]
    );
    assert_eq!(binary([1.0; 3], [1.0; 2]).unwrap().train.labels, [1.0; 3]);
    let expected = "expected labels all in {-1, +1} or all in {0, 1}";
    assert_eq!(
        binary([0.0, 1.0, 1.0], [1.0, 3.0]).unwrap_err(),
        format!("toy.npz: array `t_valid`, entry 1, is 3, {expected}")
    );
    assert_eq!(
        binary([1.0, 0.0, 1.0], [1.0, -1.0]).unwrap_err(),
        format!("toy.npz: array `t_train`, entry 1, is 0, {expected}")
    );

    let classes = |train, valid| labelled(train, valid).classes().map_err(|e| e.to_string());
    assert_eq!(classes([0.0, 1.0, 2.0], [6.0, 0.0]), Ok(7));
    assert_eq!(classes([0.0; 3], [0.0; 2]), Ok(2));
    assert_eq!(classes([9999.0; 3], [0.0; 2]), Ok(10_000));
    for bad in [-1.0, 0.5, 10_000.0] {
        let expected = "expected an integer from 0 to 9999";
        let expected = format!("toy.npz: array `t_train`, entry 2, is {bad}, {expected}");
        assert_eq!(classes([0.0, 1.0, bad], [0.0; 2]), Err(expected));
    }
}

#[test]
fn digits_are_whole() {
    let digits = data::digits();
    assert_eq!((digits.dim(), digits.len()), (64, 1797));
    assert!(
        digits
            .features
            .iter()
            .all(|pixel| (0.0..=1.0).contains(pixel))
    );
    assert_eq!(digits.features.max(), 1.0);
    assert_eq!(digits.labels[..5], [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        digits.features.column(0).as_slice()[..4],
        [0.0, 0.0, 0.3125, 0.8125]
    );
    assert!(data::DIGITS_NOTICE.contains("CC BY 4.0"));

    let shuffled = data::digits_shuffled(1);
    assert_eq!(shuffled, data::digits_shuffled(1));
    assert_ne!(shuffled, data::digits_shuffled(2));
    assert_eq!(
        shuffled.labels.iter().sum::<f64>(),
        digits.labels.iter().sum()
    );
    assert!((shuffled.features.sum() - digits.features.sum()).abs() < 1e-6);
}

#[test]
fn digits_tasks_are_as_described() {
    let sizes = |splits: &Splits| {
        (
            splits.train.len(),
            splits.valid.len(),
            splits.test.as_ref().unwrap().len(),
        )
    };
    let shuffled = data::digits_shuffled(5);
    let parity = data::digits_parity(5);
    assert_eq!(sizes(&parity), (600, 400, 797));
    for (label, digit) in parity.train.labels.iter().zip(&shuffled.labels) {
        assert_eq!(*label, 2.0 * (digit % 2.0) - 1.0);
    }
    assert_eq!(
        parity.valid.features.column(0),
        shuffled.features.column(600)
    );
    assert!(parity.into_binary().is_ok());

    for (corruption, count) in [
        (0.0, 0),
        (0.5, 450),
        (0.3331, 300),
        (1.0, 900),
        (7.0, 900),
        (-1.0, 0),
    ] {
        let (splits, corrupted) = data::digits_cleaning(5, corruption);
        assert_eq!(sizes(&splits), (900, 60, 837));
        assert_eq!(splits.classes().unwrap(), 10);
        assert_eq!(corrupted.iter().filter(|&&wrong| wrong).count(), count);
        for (i, &wrong) in corrupted.iter().enumerate() {
            assert_eq!(splits.train.labels[i] != shuffled.labels[i], wrong);
        }
        assert_eq!(splits.valid.labels, shuffled.labels[900..960]);
    }
    assert_eq!(data::digits_cleaning(5, f64::NAN).1, vec![false; 900]);
    let (splits, corrupted) = data::digits_cleaning(5, 0.5);
    assert_eq!(data::digits_cleaning(5, 0.5), (splits, corrupted.clone()));
    assert_ne!(data::digits_cleaning(6, 0.5).1, corrupted);
    // Each of the nine wrong labels is drawn about 100 times.
    let (splits, _) = data::digits_cleaning(5, 1.0);
    let mut shifts = [0; 10];
    for (wrong, right) in splits.train.labels.iter().zip(&shuffled.labels) {
        shifts[(wrong - right).rem_euclid(10.0) as usize] += 1;
    }
    assert!(
        shifts[0] == 0 && shifts[1..].iter().all(|count| (60..140).contains(count)),
        "{shifts:?}"
    );
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..bytes.len().max(1));
        match rng.random_range(0..5) {
            _ if bytes.is_empty() => bytes.push(rng.random()),
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, rng.random()),
            _ => bytes.insert(at, b"0129-,(){}'\"\n"[rng.random_range(0..13)]),
        }
    }
}

/// Without truncating to nothing, which some file systems answer by flushing to the disk.
fn rewrite(file: &mut NamedTempFile, bytes: &[u8]) {
    file.rewind().unwrap();
    file.write_all(bytes).unwrap();
    file.as_file().set_len(bytes.len() as u64).unwrap();
}

#[test]
fn damaged_files_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let mut file = file("", b"");
    let archives = [zipped(&toy(), Stored), zipped(&toy(), Deflated)];
    let table = b"a,b,label\n1,2,0\n3.5,-4e2,1\n5,\"6\",0\n7,8,1\n9,10,1\n".to_vec();
    let start = Instant::now();
    let mut accepted = [0; 3];
    for trial in 0..20_000 {
        // Damage to the archive, then to an array inside a sound archive, then to a table.
        let mut bytes = archives[trial % 2].clone();
        mutate(&mut bytes, &mut rng);
        rewrite(&mut file, &bytes);
        accepted[0] += usize::from(data::read_npz(file.path()).is_ok());

        let mut arrays = toy();
        mutate(&mut arrays[trial % 6].1, &mut rng);
        rewrite(&mut file, &zipped(&arrays, Stored));
        accepted[1] += usize::from(data::read_npz(file.path()).is_ok());

        let mut bytes = table.clone();
        mutate(&mut bytes, &mut rng);
        rewrite(&mut file, &bytes);
        accepted[2] += usize::from(data::read_csv(file.path(), 0).is_ok());
    }
    // Some damage is harmless, most is not: both paths have been taken.
    assert!(
        accepted.iter().all(|&count| (100..19_900).contains(&count)),
        "{accepted:?}"
    );
    println!("{accepted:?} accepted in {:?}", start.elapsed());
}
