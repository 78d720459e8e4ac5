//! Features and labels in two files: `.npy` or IDX, and the four files of MNIST.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use autodiff::ranks;
use flate2::bufread::MultiGzDecoder;
use nalgebra::DMatrix;

use super::error::{DataError, Place, unreadable};
use super::labels::Seen;
use super::npy::{Array, finite};
use super::npy_rows::RowFile;
use super::reading::{Limit, Read, Reading};
use super::split::Plan;
use super::{About, Features, OwnRows, Samples, Splits, idx, npy, npz};

/// Reads features and labels from two files, each a `.npy` or an IDX file, and splits the rows as
/// [`read_csv`](super::read_csv) does. Features may also be a sparse matrix, as SciPy's `save_npz`
/// writes it in the form `csr`: the result is sparse as that of [`read_libsvm`](super::read_libsvm)
/// is.
///
/// The first axis of the features is that of the samples, the others are flattened, last axis
/// fastest; labels have the shape `[n]` or `[n, 1]`. An IDX file may be packed by gzip. Pixels, IDX
/// features of unsigned bytes, are divided by 255; other numbers are taken as they are. The
/// contents, not the names, say which format a file has.
///
/// No more is held at a time than twice the `f64`s of the result.
///
/// # Errors
///
/// If a file cannot be read, is neither format, has other axes or is cut short; if the two disagree
/// on the number of samples; if a value is not finite; if there are no features or fewer than four
/// samples.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let (images, labels) = (folder.path().join("images.idx"), folder.path().join("labels.idx"));
/// // Four images of 1 × 2 pixels.
/// std::fs::write(&images, b"\0\0\x08\x03\0\0\0\x04\0\0\0\x01\0\0\0\x02\x00\xff\x00\xff\x00\xff\x00\xff")?;
/// std::fs::write(&labels, b"\0\0\x08\x01\0\0\0\x04\x07\x02\x01\x00")?;
/// let splits = models::data::read_pair(&images, &labels, 0)?;
/// assert_eq!(splits.train.features.dense().as_slice(), [0.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_pair(features: &Path, labels: &Path, seed: u64) -> Result<Splits, DataError> {
    let reading = Reading {
        seed,
        ..Reading::default()
    };
    read(features, labels, &reading).map(|read| read.splits)
}

pub(super) fn read(features: &Path, labels: &Path, reading: &Reading) -> Result<Read, DataError> {
    let source = format!("{},{}", features.display(), labels.display());
    let mut seen = Seen::default();
    let mut see = |entries: &[f64]| seen.add_array(0, &name_of(labels), entries);
    let own = match reading.own_rows && ranks::size() > 1 {
        true => own_rows(features, labels, reading, &source, &mut see)?,
        false => None,
    };
    let splits = match own {
        Some(splits) => splits,
        None => {
            let samples = read_samples(features, labels, reading)?;
            see(&samples.labels);
            Plan::of(samples.len(), reading, &source)?.gather(&samples, source)
        }
    };
    let about = About {
        format: "features and labels".into(),
        ..About::default()
    };
    Ok(Read {
        splits,
        about,
        seen,
    })
}

/// The splits with this rank's rows alone of each; `None` if the features have to be read as a whole.
fn own_rows(
    features: &Path,
    labels: &Path,
    reading: &Reading,
    source: &str,
    see: &mut dyn FnMut(&[f64]),
) -> Result<Option<Splits>, DataError> {
    let (file, x) = (features.display().to_string(), name_of(features));
    let at = Place {
        file: &file,
        array: &x,
    };
    let Some(table) = RowFile::open(features, at)? else {
        return Ok(None);
    };
    let (rows, columns) = table.shape();
    let read = read_labels(features, labels, reading, rows, columns)?;
    see(&read);
    let mut seen = Seen::default();
    seen.add_array(0, &name_of(labels), &read);
    let outputs = seen.map(reading.labels, source)?.outputs(reading.labels);
    let plan = Plan::of(rows, reading, source)?;
    let part = |rows: &[usize]| {
        let own = &rows[OwnRows::range(rows.len(), outputs)];
        let dense = table.read(own, reading.limit())?;
        Ok(Samples {
            features: Features::Own(OwnRows::new(dense, rows.len(), outputs)),
            labels: rows.iter().map(|row| read[*row]).collect(),
        })
    };
    let [train, valid, test] = plan.parts();
    Ok(Some(Splits {
        train: part(train)?,
        valid: part(valid)?,
        test: Some(part(test)?),
        source: source.into(),
    }))
}

/// Images and labels to train with, then to test with.
const MNIST: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Reads the four files of MNIST and its kin from a folder: `train-images-idx3-ubyte`,
/// `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each perhaps
/// with `.gz` at the end.
///
/// The first two are shuffled with `seed` and halved into training (rounded up) and validation
/// samples; the others are the test samples. Pixels are divided by 255.
///
/// # Errors
///
/// If a file is missing, and as [`read_pair`].
///
/// ```
/// let error = models::data::read_mnist(std::env::temp_dir().as_path(), 0).unwrap_err();
/// assert!(error.to_string().contains("train-images-idx3-ubyte"));
/// ```
pub fn read_mnist(folder: &Path, seed: u64) -> Result<Splits, DataError> {
    mnist(folder, seed, Limit::NONE).map(|read| read.splits)
}

pub(super) fn mnist(folder: &Path, seed: u64, limit: Limit) -> Result<Read, DataError> {
    let [images, labels, test_images, test_labels] = MNIST.map(|name| member(folder, name));
    let (images, labels) = (images?, labels?);
    let (test_images, test_labels) = (test_images?, test_labels?);
    let source = folder.display().to_string();
    let reading = Reading {
        largest: limit.largest(),
        ..Reading::default()
    };
    let samples = read_samples(&images, &labels, &reading)?;
    let mut seen = Seen::default();
    seen.add_array(0, &name_of(&labels), &samples.labels);
    let (train, valid) = {
        let plan = Plan::draw(samples.len(), seed, &source)?;
        let [train, valid, rest] = plan.parts();
        let valid = [valid, rest].concat();
        (samples.subset(train), samples.subset(&valid))
    };
    drop(samples);
    let test = read_samples(&test_images, &test_labels, &reading)?;
    if test.dim() != train.dim() {
        return Err(DataError::ColumnMismatch {
            file: source,
            array: name_of(&test_images),
            found: test.dim(),
            reference: name_of(&images),
            expected: train.dim(),
        });
    }
    seen.add_array(1, &name_of(&test_labels), &test.labels);
    let about = About {
        format: "MNIST".into(),
        ..About::default()
    };
    Ok(Read {
        splits: Splits {
            train,
            valid,
            test: Some(test),
            source,
        },
        about,
        seen,
    })
}

/// The two names in `FEATURES,LABELS`, unless that is the name of one file.
pub(super) fn names(path: &Path) -> Option<[&Path; 2]> {
    let (features, labels) = path.to_str()?.split_once(',')?;
    (!path.exists()).then(|| [features.as_ref(), labels.as_ref()])
}

/// The files of MNIST that are in a folder.
pub(super) fn files_of_mnist(folder: &Path) -> impl Iterator<Item = PathBuf> {
    MNIST.into_iter().filter_map(|name| present(folder, name))
}

fn present(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = folder.join(name);
    let packed = folder.join(format!("{name}.gz"));
    [plain, packed].into_iter().find(|path| path.is_file())
}

fn member(folder: &Path, name: &str) -> Result<PathBuf, DataError> {
    present(folder, name).ok_or_else(|| {
        unreadable(&folder.display().to_string())(io::Error::other(format!(
            "it is a directory without `{name}`, expected a file, or the four files of MNIST"
        )))
    })
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn read_samples(features: &Path, labels: &Path, reading: &Reading) -> Result<Samples, DataError> {
    let table = read_features(features, reading)?;
    let labels = read_labels(features, labels, reading, table.len(), table.dim())?;
    Ok(Samples {
        features: table,
        labels,
    })
}

/// The labels of so many samples.
fn read_labels(
    features: &Path,
    labels: &Path,
    reading: &Reading,
    rows: usize,
    columns: usize,
) -> Result<Vec<f64>, DataError> {
    let (x, t) = (name_of(features), name_of(labels));
    let (read, _) = read_array(labels, reading.limit())?;
    let entries = match read.shape[..] {
        [entries] | [entries, 1] => entries,
        _ => return Err(wrong_rank(labels, &t, read.shape, "[samples]")),
    };
    let file = format!("{},{}", features.display(), labels.display());
    if rows != entries {
        return Err(DataError::RowMismatch {
            file,
            features: x,
            rows,
            labels: t,
            entries,
        });
    }
    if columns == 0 {
        return Err(DataError::Empty {
            file,
            place: format!("array `{x}`"),
            what: "features",
        });
    }
    Ok(read.values)
}

fn wrong_rank(path: &Path, array: &str, found: Vec<usize>, expected: &'static str) -> DataError {
    DataError::WrongRank {
        file: path.display().to_string(),
        array: array.into(),
        found,
        expected,
    }
}

/// Samples without their labels: an array whose first axis they are, or a sparse matrix.
fn read_features(path: &Path, reading: &Reading) -> Result<Features, DataError> {
    let mut start = [0; 4];
    let file = path.display().to_string();
    let mut stream = File::open(path).map_err(unreadable(&file))?;
    if stream.read_exact(&mut start).is_ok() && &start == b"PK\x03\x04" {
        return npz::read_csr(path, reading);
    }
    let (read, pixels) = read_array(path, reading.limit())?;
    let mut values = read.values;
    if pixels {
        values.iter_mut().for_each(|value| *value /= 255.0);
    }
    let (rows, columns) = match read.shape[..] {
        [rows, ref rest @ ..] if !rest.is_empty() => (
            rows,
            rest.iter()
                .fold(1, |n: usize, axis| n.saturating_mul(*axis)),
        ),
        _ => {
            let expected = "[samples, features]";
            return Err(wrong_rank(path, &name_of(path), read.shape, expected));
        }
    };
    Ok(DMatrix::from_vec(columns, rows, values).into())
}

/// The array of a file, and whether its entries are bytes of an IDX file.
fn read_array(path: &Path, limit: Limit) -> Result<(Array, bool), DataError> {
    let file = path.display().to_string();
    let mut stream = BufReader::new(File::open(path).map_err(unreadable(&file))?);
    let start = stream.fill_buf().map_err(unreadable(&file))?;
    let name = name_of(path);
    let at = Place {
        file: &file,
        array: &name,
    };
    let (array, bytes) = if start.starts_with(b"\x93NUMPY") {
        (npy::read(stream, at)?, false)
    } else if start.starts_with(b"\x1f\x8b") {
        idx::read(MultiGzDecoder::new(stream), &file)?
    } else {
        idx::read(stream, &file)?
    };
    finite(&array, at, limit)?;
    Ok((array, bytes))
}
