//! Files that are read.

use crate::common::*;

#[test]
fn npz_has_the_splits() {
    let splits = read(&toy()).unwrap();
    assert_eq!(
        splits.train.features.dense().as_slice(),
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
    assert_eq!((splits.train.dim(), splits.train.len()), (2, 3));
    assert_eq!(splits.train.labels, [0.0, 1.0, 1.0]);
    assert_eq!(
        splits.valid.features.dense().column(1).as_slice(),
        [9.0, 10.0]
    );
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
                assert_eq!(train.features.dense().as_slice(), expected, "{dtype} {order:?}");
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
        assert_eq!(splits.train.features.dense().as_slice(), numbers);
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
