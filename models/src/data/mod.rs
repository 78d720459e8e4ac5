//! Data sets: samples with labels, split for training, validation and test.
//!
//! [`load`] reads `.npz`, `.csv` and LIBSVM files, pairs of `.npy` or IDX files, and the folder of
//! MNIST; [`read_images`] a folder of PNG images. [`digits`] and the tasks made of it need no file.
//!
//! A reader holds at most twice the `f64`s of its result at a time, and a damaged file is an error:
//! what it claims to hold is not reserved before it is there.

mod csv;
mod embedded;
mod error;
mod grow;
mod idx;
mod images;
mod libsvm;
mod npy;
mod npy_header;
mod npz;
mod pair;
mod png;
mod split;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub use self::csv::read_csv;
pub use embedded::{
    DIGITS_NOTICE, digits, digits_classes, digits_cleaning, digits_parity, digits_shuffled,
};
pub use error::DataError;
pub use images::{IMAGE_SIZE, images};
pub use libsvm::read_libsvm;
pub use npz::{Point, read_npz, read_point};
pub use pair::{read_mnist, read_pair};
pub use png::read_images;

/// Entries that a reader makes of a sparse table or of images at most: 2²⁸, 2 GiB as `f64`.
pub const DENSE_LIMIT: usize = 1 << 28;

/// Samples with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// `d × n`: one sample per column, so that each sample is contiguous.
    pub features: DMatrix<f64>,
    /// `n` labels.
    pub labels: Vec<f64>,
}

impl Samples {
    /// The number of features `d`.
    pub fn dim(&self) -> usize {
        self.features.nrows()
    }

    /// The number of samples `n`.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The samples at these indices, in this order, possibly repeated.
    ///
    /// # Panics
    ///
    /// If an index is not below [`len`](Self::len).
    ///
    /// ```
    /// let digits = models::data::digits();
    /// let two = digits.subset(&[5, 2]);
    /// assert_eq!(two.labels, [digits.labels[5], digits.labels[2]]);
    /// assert_eq!(two.features.column(0), digits.features.column(5));
    /// ```
    pub fn subset(&self, indices: &[usize]) -> Samples {
        Samples {
            features: self.features.select_columns(indices),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
        }
    }

    fn range(&self, range: Range<usize>) -> Samples {
        Samples {
            features: self.features.columns_range(range.clone()).into_owned(),
            labels: self.labels[range].to_vec(),
        }
    }
}

/// A data set split for bilevel learning: the inner problem trains on `train`, the outer problem
/// validates on `valid`, and `test` is kept for the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    /// Training samples.
    pub train: Samples,
    /// Validation samples, with as many features.
    pub valid: Samples,
    /// Test samples, with as many features.
    pub test: Option<Samples>,
    /// Where the samples come from, for messages.
    pub source: String,
}

impl Splits {
    /// The same data with labels -1 and +1.
    ///
    /// # Errors
    ///
    /// [`DataError::BadLabel`] unless the labels of all splits are in {-1, +1}, or all in {0, 1};
    /// in the second case 0 becomes -1.
    ///
    /// ```
    /// # use models::data::{Samples, Splits};
    /// # use nalgebra::DMatrix;
    /// let part = Samples { features: DMatrix::zeros(3, 2), labels: vec![0.0, 1.0] };
    /// let splits = Splits { train: part.clone(), valid: part, test: None, source: "toy".into() };
    /// assert_eq!(splits.into_binary()?.train.labels, [-1.0, 1.0]);
    /// # Ok::<(), models::data::DataError>(())
    /// ```
    pub fn into_binary(mut self) -> Result<Splits, DataError> {
        let signed = self.named().any(|(_, part)| part.labels.contains(&-1.0));
        let negative = if signed { -1.0 } else { 0.0 };
        self.check_labels("labels all in {-1, +1} or all in {0, 1}", |label| {
            label == negative || label == 1.0
        })?;
        let parts = [&mut self.train, &mut self.valid]
            .into_iter()
            .chain(&mut self.test);
        for label in parts.flat_map(|part| &mut part.labels) {
            *label = if *label == 1.0 { 1.0 } else { -1.0 };
        }
        Ok(self)
    }

    /// The number of classes: the largest label of all splits plus one, and at least 2.
    ///
    /// # Errors
    ///
    /// [`DataError::BadLabel`] unless all labels are integers from 0 to 9999.
    ///
    /// ```
    /// let (splits, _) = models::data::digits_cleaning(0, 0.25);
    /// assert_eq!(splits.classes()?, 10);
    /// # Ok::<(), models::data::DataError>(())
    /// ```
    pub fn classes(&self) -> Result<usize, DataError> {
        self.check_labels("an integer from 0 to 9999", |label| {
            (0.0..10_000.0).contains(&label) && label.fract() == 0.0
        })?;
        let labels = self.named().flat_map(|(_, part)| &part.labels);
        Ok(labels.fold(1.0, |largest: f64, &label| largest.max(label)) as usize + 1)
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &Samples)> {
        let test = self.test.as_ref().map(|test| ("t_test", test));
        [("t_train", &self.train), ("t_valid", &self.valid)]
            .into_iter()
            .chain(test)
    }

    fn check_labels(
        &self,
        expected: &'static str,
        admits: impl Fn(f64) -> bool,
    ) -> Result<(), DataError> {
        for (array, part) in self.named() {
            if let Some(index) = part.labels.iter().position(|&label| !admits(label)) {
                return Err(DataError::BadLabel {
                    file: self.source.clone(),
                    array: array.into(),
                    index,
                    value: part.labels[index],
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// Reads a data set; `seed` draws the splits of formats that have none.
///
/// | `path` | reader |
/// |---|---|
/// | `….npz` | [`read_npz`] |
/// | `….csv` | [`read_csv`] |
/// | `….libsvm`, `….svm`, `….svmlight` | [`read_libsvm`] |
/// | `FEATURES,LABELS`: two names with a comma between them | [`read_pair`] |
/// | a folder | [`read_mnist`] |
///
/// Extensions are compared in either case. A comma in the name of a file that exists is no pair.
///
/// # Errors
///
/// For another extension, and as the reader of the format.
///
/// ```
/// let file = tempfile::Builder::new().suffix(".CSV").tempfile()?;
/// std::fs::write(&file, "0.5,0\n1.5,1\n2.5,0\n3.5,1\n")?;
/// let splits = models::data::load(file.path(), 0)?.into_binary()?;
/// assert_eq!(splits.train.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load(path: &Path, seed: u64) -> Result<Splits, DataError> {
    if path.is_dir() {
        return read_mnist(path, seed);
    }
    if let Some([features, labels]) = pair::names(path) {
        return read_pair(features, labels, seed);
    }
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    match extension.to_ascii_lowercase().as_str() {
        "npz" => read_npz(path),
        "csv" => read_csv(path, seed),
        "libsvm" | "svm" | "svmlight" => read_libsvm(path, seed),
        _ => Err(DataError::UnknownExtension {
            file: path.display().to_string(),
            extension: if extension.is_empty() {
                String::new()
            } else {
                format!(".{extension}")
            },
        }),
    }
}

/// The files that [`load`] or [`read_images`] read of a path: itself, the two of a pair, or the PNG
/// images and MNIST files of a folder in the order of their names.
///
/// # Errors
///
/// If a folder cannot be listed. Whether the files can be read is not looked at.
///
/// ```
/// use models::data::files;
/// use std::path::Path;
///
/// assert_eq!(files("user.npz".as_ref())?, [Path::new("user.npz")]);
/// assert_eq!(files("x.npy,y.npy".as_ref())?, [Path::new("x.npy"), Path::new("y.npy")]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if let Some(pair) = pair::names(path) {
        return Ok(pair.map(Path::to_owned).into());
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = png::files(path)?;
    found.extend(pair::files_of_mnist(path));
    found.sort();
    Ok(found)
}

fn shuffled(samples: &Samples, seed: u64) -> Samples {
    samples.subset(&order(samples.len(), seed))
}

fn order(samples: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}
