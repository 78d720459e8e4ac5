//! Pairs of files: `.npy` and IDX.

use flate2::{Compression, write::GzEncoder};

use crate::common::*;

pub(crate) fn idx(kind: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let axes = shape.iter().flat_map(|axis| axis.to_be_bytes());
    let mut bytes = vec![0, 0, kind, shape.len() as u8];
    bytes.extend(axes);
    bytes.extend(data);
    bytes
}

pub(crate) fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Files in a folder, and what reading the pair `x,t` of them gives.
struct Pair(TempDir);

impl Pair {
    fn of(x: &[u8], t: &[u8]) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("x"), x).unwrap();
        std::fs::write(folder.path().join("t"), t).unwrap();
        Pair(folder)
    }

    fn read(&self) -> Result<Splits, DataError> {
        let folder = self.0.path().display();
        data::load(format!("{folder}/x,{folder}/t").as_ref(), 5)
    }

    /// The message after the folder.
    fn refused(&self) -> String {
        let text = self.read().unwrap_err().to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// Six samples of 2 × 2 numbers, whose CSV is read with the same seed.
#[test]
fn pairs_are_the_csv_of_the_same_numbers() {
    let (x, t) = (Vec::from_iter(0..24u8), [0u8, 1, 2, 3, 4, 5]);
    let text = |scale: f64| -> String {
        let row = |i: usize| {
            let x = x[4 * i..4 * i + 4].iter().map(|v| f64::from(*v) / scale);
            let row = x.map(|v| format!("{v:?},")).collect::<String>();
            format!("{row}{i}\n")
        };
        (0..6).map(row).collect()
    };
    let wide = |to: fn(u8) -> Vec<u8>| x.iter().copied().flat_map(to).collect::<Vec<u8>>();
    let doubles = Vec::from_iter(x.iter().map(|v| f64::from(*v)));
    let array = |order| npy("<f8", order, &[6, 4], &doubles);
    let images = idx(0x08, &[6, 2, 2], &x);
    let cases = [
        (images.clone(), 255.0),
        (packed(&images), 255.0),
        (idx(0x08, &[6, 4], &x), 255.0),
        (idx(0x09, &[6, 4], &x), 1.0),
        (
            idx(0x0b, &[6, 4], &wide(|v| i16::from(v).to_be_bytes().into())),
            1.0,
        ),
        (
            idx(0x0c, &[6, 4], &wide(|v| i32::from(v).to_be_bytes().into())),
            1.0,
        ),
        (
            idx(0x0d, &[6, 4], &wide(|v| f32::from(v).to_be_bytes().into())),
            1.0,
        ),
        (
            idx(0x0e, &[6, 4], &wide(|v| f64::from(v).to_be_bytes().into())),
            1.0,
        ),
        (array(Order::C), 1.0),
        (array(Order::Fortran), 1.0),
        (npy("|u1", Order::C, &[6, 2, 2], &x), 1.0),
    ];
    let labels = [
        idx(0x08, &[6], &t),
        packed(&idx(0x08, &[6, 1], &t)),
        npy("<f8", Order::C, &[6], &t.map(f64::from)),
    ];
    for (features, scale) in cases {
        let table = file(".csv", text(scale).as_bytes());
        let expected = data::read_csv(table.path(), 5).unwrap();
        for labels in &labels {
            let mut read = Pair::of(&features, labels).read().unwrap();
            assert!(read.source.ends_with("/t"));
            read.source = expected.source.clone();
            assert_eq!(read, expected);
        }
    }
}

#[test]
fn pairs_that_are_refused() {
    let (x, t) = (idx(0x08, &[4, 2], &[7; 8]), idx(0x08, &[4], &[1; 4]));
    let refused = |x: &[u8], t: &[u8]| Pair::of(x, t).refused();
    let cut = |bytes: &[u8], by: usize| bytes[..bytes.len() - by].to_vec();
    for (x, complaint) in [
        (
            b"P5 1 1".to_vec(),
            "x: byte 0: 0x50 0x35, expected two zero bytes, with which an IDX file starts",
        ),
        (
            b"\0\0".to_vec(),
            "x: byte 0: the file ends, expected an IDX header",
        ),
        (vec![], "x: byte 0: the file ends, expected an IDX header"),
        (
            idx(0x0a, &[4, 2], &[7; 8]),
            "x: byte 2: 0x0a, expected 0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e, an element type",
        ),
        (
            idx(0x08, &[1; 5], &[7]),
            "x: byte 3: 5 axes, expected 1 to 4",
        ),
        (idx(0x08, &[], &[]), "x: byte 3: 0 axes, expected 1 to 4"),
        (
            cut(&idx(0x08, &[4, 2], &[]), 1),
            "x: byte 8: the file ends, expected an IDX header",
        ),
        (
            cut(&x, 3),
            "x: byte 17: the file ends, with 4 × 2 entries of 1 bytes, expected as many bytes as the header says",
        ),
        (
            [&x[..], b"!"].concat(),
            "x: byte 20: more data, with 4 × 2 entries of 1 bytes, expected as many bytes as the header says",
        ),
        (
            idx(0x08, &[4], &[7; 4]),
            "x: array `x` has shape [4], expected [samples, features]",
        ),
        (
            idx(0x08, &[4, 0], &[]),
            "x,t: array `x` has no features, expected at least one",
        ),
        (
            idx(0x08, &[5, 2], &[7; 10]),
            "x,t: `x` has 5 rows but `t` has 4 entries, expected as many",
        ),
        (
            idx(0x0d, &[4, 1], &f32::NAN.to_be_bytes().repeat(4)),
            "x: array `x`, row 0, column 0, is NaN, expected a finite number",
        ),
        (
            b"\x93NUMPY".to_vec(),
            "x: array `x` is malformed: its npy header is cut short",
        ),
    ] {
        assert_eq!(refused(&x, &t), complaint);
    }
    // 2⁶⁴ entries and more.
    for kind in [0x08, 0x0e] {
        let text = refused(&idx(kind, &[u32::MAX; 4], &[7; 8]), &t);
        assert!(
            text.starts_with("x: byte 28: the file ends, with 4294967295 × "),
            "{text}"
        );
    }
    let text = refused(&x, &idx(0x08, &[2, 2], &[1; 4]));
    assert_eq!(text, "t: array `t` has shape [2, 2], expected [samples]");
    let few = refused(&idx(0x08, &[3, 1], &[1; 3]), &idx(0x08, &[3], &[1; 3]));
    assert_eq!(few, "x,t: 3 rows of numbers, expected at least 4 to split");
    let text = refused(&cut(&packed(&x), 9), &t);
    assert!(text.contains("cannot be unpacked"), "{text}");
    let text = data::load("absent.npy,t.npy".as_ref(), 0)
        .unwrap_err()
        .to_string();
    assert!(text.starts_with("absent.npy: cannot be read"), "{text}");
}

#[test]
fn a_comma_in_a_name_is_no_pair() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a,b.csv");
    std::fs::write(&path, "1,0\n2,1\n3,0\n4,1\n").unwrap();
    assert_eq!(
        data::load(&path, 0).unwrap(),
        data::read_csv(&path, 0).unwrap()
    );
}

#[test]
fn mnist_is_a_folder() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let missing = |name: &str| {
        let text = message(folder.path(), data::load(folder.path(), 1));
        assert!(
            text.contains(&format!("directory without `{name}`")),
            "{text}"
        );
    };
    missing("train-images-idx3-ubyte");
    let x = Vec::from_iter(0..14u8);
    write(
        "train-images-idx3-ubyte.gz",
        &packed(&idx(0x08, &[7, 1, 2], &x)),
    );
    missing("train-labels-idx1-ubyte");
    write(
        "train-labels-idx1-ubyte",
        &idx(0x08, &[7], &[0, 1, 2, 3, 4, 5, 6]),
    );
    write(
        "t10k-images-idx3-ubyte",
        &idx(0x08, &[2, 1, 2], &[255, 0, 0, 255]),
    );
    missing("t10k-labels-idx1-ubyte");
    write("t10k-labels-idx1-ubyte", &idx(0x08, &[2], &[9, 8]));

    let splits = data::load(folder.path(), 1).unwrap();
    let test = splits.test.as_ref().unwrap();
    assert_eq!(
        (test.features.dense().as_slice(), &test.labels[..]),
        (&[1.0, 0.0, 0.0, 1.0][..], &[9.0, 8.0][..])
    );
    assert_eq!((splits.train.len(), splits.valid.len()), (4, 3));
    let mut labels = [&splits.train.labels[..], &splits.valid.labels].concat();
    for (part, labels) in [
        (&splits.train, &splits.train.labels),
        (&splits.valid, &splits.valid.labels),
    ] {
        for (x, t) in part.features.dense().column_iter().zip(labels) {
            assert_eq!(x.as_slice(), [2.0 * t / 255.0, (2.0 * t + 1.0) / 255.0]);
        }
    }
    assert_ne!(splits.train, data::load(folder.path(), 2).unwrap().train);
    labels.sort_by(f64::total_cmp);
    assert_eq!(labels, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);

    write("t10k-images-idx3-ubyte", &idx(0x08, &[2, 1, 1], &[255, 0]));
    let text = message(folder.path(), data::load(folder.path(), 1));
    let expected = "`t10k-images-idx3-ubyte` has 1 columns but `train-images-idx3-ubyte.gz` has 2, expected as many";
    assert_eq!(text, expected);
}
