//! Sparse tables: read without their zeros, as LIBSVM's lines and as SciPy's `csr`, and refused.

use autodiff::Sparse;
use models::data::{Features, Reading, SPARSE_FROM};

use crate::common::*;
use crate::decided::DEFAULT;
use crate::heap::peak;

const DENSE: Reading = Reading {
    dense: true,
    ..DEFAULT
};

/// Rows of a few entries, ascending, by a draw.
fn rows(count: usize, columns: usize, each: usize, seed: u64) -> Vec<Vec<(usize, f64)>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut row = || {
        let entries = rng.random_range(0..=2 * each);
        let mut places: Vec<usize> = (0..entries).map(|_| rng.random_range(0..columns)).collect();
        places.sort_unstable();
        places.dedup();
        let value = |j| (j, (rng.random_range(-4.0..4.0f64) * 8.0).round() / 8.0);
        places.into_iter().map(value).collect()
    };
    (0..count).map(|_| row()).collect()
}

fn libsvm(rows: &[Vec<(usize, f64)>]) -> String {
    let row = |(i, row): (usize, &Vec<(usize, f64)>)| {
        let entries = row.iter().map(|(j, v)| format!(" {}:{v}", j + 1));
        format!("{}{}\n", [1, -1][i % 2], entries.collect::<String>())
    };
    rows.iter().enumerate().map(row).collect()
}

fn all(splits: &Splits) -> [(&Features, &[f64]); 3] {
    let test = splits.test.as_ref().unwrap();
    [&splits.train, &splits.valid, test].map(|part| (&part.features, &part.labels[..]))
}

fn sparse(features: &Features) -> &Sparse<f64> {
    match features {
        Features::Sparse(sparse) => sparse,
        Features::Dense(_) | Features::Own(_) => panic!("it is dense"),
    }
}

/// The same numbers in the same splits.
#[track_caller]
fn same(sparse: &Splits, dense: &Splits) {
    for ((a, s), (b, t)) in all(sparse).into_iter().zip(all(dense)) {
        assert_eq!(&a.to_dense(), b.dense());
        assert_eq!(s, t);
    }
}

#[test]
fn a_sparse_libsvm_file_is_the_dense_table_of_the_same_numbers() {
    for (count, columns, each) in [(40, 300, 5), (9, 64, 1)] {
        let mut table = rows(count, columns, each, 3);
        table[1] = vec![(columns - 1, 1.5)];
        let file = file(".libsvm", libsvm(&table).as_bytes());
        for seed in 0..4 {
            let reading = Reading { seed, ..DEFAULT };
            let loaded = reading.load(file.path()).unwrap();
            let dense = Reading { seed, ..DENSE }.load(file.path()).unwrap();
            same(&loaded.splits, &dense.splits);
            let parts = all(&loaded.splits).map(|(features, _)| sparse(features).entries());
            let entries: usize = table.iter().map(Vec::len).sum();
            assert_eq!(parts.iter().sum::<usize>(), entries);
            assert_eq!(loaded.about.entries, Some(entries));
            let said = format!("sparse: {entries} entries, ");
            assert!(loaded.about.to_string().contains(&said), "{}", loaded.about);
            assert_eq!(dense.about.entries, None);
        }
    }
}

#[test]
fn a_table_is_sparse_below_the_threshold_alone() {
    // Ten rows of ten features: ten entries are one in SPARSE_FROM.
    assert_eq!(SPARSE_FROM, 10);
    let text = |full: &str| format!("1 10:1\n{}{full}", "-1 3:1\n".repeat(8));
    for (last, dense) in [("1 1:1\n", true), ("1\n", false)] {
        let file = file(".libsvm", text(last).as_bytes());
        let splits = data::load(file.path(), 0).unwrap();
        assert_eq!(matches!(splits.train.features, Features::Dense(_)), dense);
    }
}

fn whole(values: &[i64]) -> Vec<u8> {
    npy(
        "<i4",
        Order::C,
        &[values.len() as u64],
        &values.iter().map(|v| *v as i32).collect::<Vec<_>>(),
    )
}

fn form(word: &str) -> Vec<u8> {
    raw_dtype(&format!("'|S{}'", word.len()), "()", word.as_bytes())
}

/// The arrays of `save_npz`.
fn csr(columns: i64, starts: &[i64], places: &[i64], values: &[f64]) -> Arrays {
    vec![
        ("indices", whole(places)),
        ("indptr", whole(starts)),
        ("format", form("csr")),
        (
            "shape",
            npy("<i8", Order::C, &[2], &[starts.len() as i64 - 1, columns]),
        ),
        ("data", floats(&[values.len() as u64], values)),
    ]
}

struct Pair(TempDir);

impl Pair {
    fn of(arrays: &Arrays, labels: &[f64]) -> Self {
        let folder = TempDir::new().unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("x.npz", &zipped(arrays, Deflated));
        write("t.npy", &floats(&[labels.len() as u64], labels));
        Pair(folder)
    }

    fn path(&self) -> std::path::PathBuf {
        let folder = self.0.path().display();
        format!("{folder}/x.npz,{folder}/t.npy").into()
    }

    fn refused(&self) -> String {
        let text = data::load(&self.path(), 0).unwrap_err().to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// By the same seed, the same splits.
#[test]
fn a_csr_of_scipy_with_labels_is_the_libsvm_file_of_the_same_numbers() {
    for (each, dense) in [(3, false), (40, true)] {
        let table = rows(30, 120, each, 5);
        let mut starts = vec![0];
        for row in &table {
            starts.push(starts[starts.len() - 1] + row.len() as i64);
        }
        let places: Vec<i64> = table.iter().flatten().map(|(j, _)| *j as i64).collect();
        let values: Vec<f64> = table.iter().flatten().map(|(_, v)| *v).collect();
        let labels: Vec<f64> = (0..30).map(|i| [1.0, -1.0][i % 2]).collect();
        let pair = Pair::of(&csr(120, &starts, &places, &values), &labels);
        // The last column may have no entry, and LIBSVM's lines do not say how many there are.
        let mut table = table;
        table[0].retain(|(j, _)| *j != 119);
        table[0].push((119, 1.0));
        let text = file(".libsvm", libsvm(&table).as_bytes());
        let read = Reading { seed: 2, ..DEFAULT }
            .load(&pair.path())
            .unwrap()
            .splits;
        let lines = Reading { seed: 2, ..DENSE }
            .load(text.path())
            .unwrap()
            .splits;
        let corner = |splits: &Splits| {
            all(splits).map(|(features, labels)| {
                (
                    features.to_dense().rows(0, 119).into_owned(),
                    labels.to_vec(),
                )
            })
        };
        assert_eq!(corner(&read), corner(&lines));
        assert_eq!(matches!(read.train.features, Features::Dense(_)), dense);
    }
}

#[test]
fn a_csr_that_is_refused() {
    let labels = [1.0, -1.0, 1.0, -1.0];
    let right = csr(3, &[0, 1, 2, 2, 3], &[0, 2, 1], &[1.0, 2.0, 3.0]);
    assert!(data::load(&Pair::of(&right, &labels).path(), 0).is_ok());
    let tail = "expected the form of `csr`: `X.sum_duplicates()` sorts the columns of each row";
    let wrong = |starts: &[i64], places: &[i64], message: &str| {
        let arrays = csr(3, starts, places, &[1.0, 2.0, 3.0]);
        let expected = format!("x.npz: sparse matrix: {message}, {tail}");
        assert_eq!(Pair::of(&arrays, &labels).refused(), expected);
    };
    wrong(
        &[0, 1, 2, 2, 3],
        &[0, 3, 1],
        "entry 1, in row 1, is in column 3, expected one below 3",
    );
    let order = "expected columns that ascend, each once";
    wrong(
        &[0, 0, 2, 2, 3],
        &[2, 1, 1],
        &format!("entry 1, in row 1, is in column 1 after column 2, {order}"),
    );
    wrong(
        &[0, 0, 2, 2, 3],
        &[1, 1, 1],
        &format!("entry 1, in row 1, is in column 1 after column 1, {order}"),
    );
    wrong(
        &[0, 2, 1, 2, 3],
        &[0, 1, 2],
        "start 2 is 1, expected at least 2, the one before it",
    );
    wrong(&[0, 1, 1, 2, 2], &[0, 1, 2], "start 4 is 2, expected 3");
    let with = |name: &'static str, bytes: Vec<u8>| {
        let mut arrays = csr(3, &[0, 1, 2, 2, 3], &[0, 2, 1], &[1.0, 2.0, 3.0]);
        arrays.retain(|(other, _)| *other != name);
        arrays.push((name, bytes));
        Pair::of(&arrays, &labels).refused()
    };
    assert_eq!(
        with("indices", whole(&[0, -2, 1])),
        "x.npz: array `indices` is malformed: entry 1 is -2, expected a whole number from 0 on"
    );
    assert_eq!(
        with("format", form("csc")),
        "x.npz: array `format` is malformed: `csc`, expected `csr`: `X.tocsr()`"
    );
    assert_eq!(
        with("data", floats(&[3], &[1.0, f64::NAN, 2.0])),
        "x.npz: array `data`, entry 1, is NaN, expected a finite number"
    );
    assert_eq!(
        Pair::of(&right, &labels[..3]).refused(),
        "x.npz,t.npy: `x.npz` has 4 rows but `t.npy` has 3 entries, expected as many"
    );
    let alone = file(".npz", &zipped(&right, Stored));
    let said = message(alone.path(), data::load(alone.path(), 0));
    assert!(
        said.starts_with("a sparse matrix without labels, expected"),
        "{said}"
    );
}

/// Scaled by the deviations that the table has with its zeros, and not moved.
#[test]
fn sparse_features_are_scaled_and_keep_their_zeros() {
    let mut table = rows(60, 200, 4, 7);
    // One feature that all rows share, and one of extreme size.
    for (i, row) in table.iter_mut().enumerate() {
        row.retain(|(j, _)| (2..199).contains(j));
        row.insert(0, (0, 3.0));
        row.push((199, 1e300 * (i % 3) as f64));
    }
    let file = file(".libsvm", libsvm(&table).as_bytes());
    let standardise = true;
    let raw = DEFAULT.load(file.path()).unwrap().splits;
    let read = Reading {
        standardise,
        ..DEFAULT
    }
    .load(file.path())
    .unwrap();
    let dense = Reading {
        standardise,
        ..DENSE
    }
    .load(file.path())
    .unwrap();
    let (of, with_zeros) = (
        read.about.standardised.as_ref().unwrap(),
        dense.about.standardised.as_ref().unwrap(),
    );
    assert!(of.means.iter().all(|mean| *mean == 0.0));
    assert_eq!(of.deviations[0], 0.0);
    for (j, (a, b)) in of.deviations.iter().zip(&with_zeros.deviations).enumerate() {
        assert!((a - b).abs() <= 1e-14 * b, "feature {j}: {a} for {b}");
    }
    for ((scaled, _), (before, _)) in all(&read.splits).into_iter().zip(all(&raw)) {
        let (scaled, before) = (sparse(scaled), sparse(before));
        for i in 0..scaled.rows() {
            let ((places, values), (same_places, were)) = (scaled.row(i), before.row(i));
            assert_eq!(places, same_places);
            for ((j, v), was) in places.iter().zip(values).zip(were) {
                let deviation = of.deviations[*j as usize];
                let expected = if deviation > 0.0 {
                    was / deviation
                } else {
                    *was
                };
                assert_eq!(*v, expected);
            }
        }
    }
    let said = "scaled and not centred, so that zeros stay zeros";
    assert!(read.about.notes.iter().any(|note| note == said));
}

/// No table with its zeros in between: at most twice the bytes of the result.
#[test]
fn a_sparse_reader_holds_at_most_twice_the_entries() {
    let table = rows(3000, 20_000, 40, 11);
    let text = file(".libsvm", libsvm(&table).as_bytes());
    let mut starts = vec![0];
    for row in &table {
        starts.push(starts[starts.len() - 1] + row.len() as i64);
    }
    let places: Vec<i64> = table.iter().flatten().map(|(j, _)| *j as i64).collect();
    let values: Vec<f64> = table.iter().flatten().map(|(_, v)| *v).collect();
    let labels: Vec<f64> = (0..3000).map(|i| [1.0, -1.0][i % 2]).collect();
    let pair = Pair::of(&csr(20_000, &starts, &places, &values), &labels);
    for path in [text.path().to_owned(), pair.path()] {
        let (splits, held) = peak(|| data::load(&path, 0).unwrap());
        let bytes: usize = all(&splits)
            .map(|(f, t)| sparse(f).bytes() + 8 * t.len())
            .iter()
            .sum();
        let ratio = held as f64 / bytes as f64;
        println!(
            "{}: {held} bytes at the peak, {ratio:.2} of the data",
            path.display()
        );
        assert!(ratio < 2.2, "{ratio}");
    }
}
