//! Data sets: samples with labels, split for training, validation and test.
//!
//! [`load`] reads `.npz`, `.csv` and LIBSVM files, pairs of `.npy` or IDX files, and the folder of
//! MNIST; [`Reading`] does so with settings, maps labels and says what it decided; [`read_images`]
//! reads a folder of PNG and JPEG images. [`digits`] and the tasks made of it need no file.
//!
//! A reader holds at most twice the `f64`s of its result at a time, and a damaged file is an error:
//! what it claims to hold is not reserved before it is there.

mod about;
mod corrupted;
mod csv;
mod embedded;
mod error;
mod features;
mod folder;
mod format;
mod grow;
mod idx;
mod images;
mod jpeg;
mod labels;
mod libsvm;
mod npy;
mod npy_header;
mod npy_rows;
mod npz;
mod npz_write;
mod opened;
mod own_rows;
mod pair;
mod png;
mod reading;
mod split;
mod standardise;

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use nalgebra::DMatrix;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub use self::csv::read_csv;
pub use about::{About, AboutImages, ReadData, Targets};
pub use corrupted::cleaning;
pub use embedded::{
    DIGITS_NOTICE, digits, digits_classes, digits_cleaning, digits_parity, digits_shuffled,
};
pub use error::DataError;
pub use features::{Features, SPARSE_FROM};
pub(crate) use folder::read as read_folder;
pub use folder::read_images;
pub use format::Format;
pub use images::{IMAGE_SIZE, images};
pub use labels::Labels;
pub use libsvm::read_libsvm;
pub use npz::{Point, read_npz, read_point};
pub use npz_write::write_point;
pub use own_rows::OwnRows;
pub use pair::{read_mnist, read_pair};
pub use reading::{Loaded, Reading};
pub use standardise::Standardised;

use labels::{LabelMap, Seen};

/// Entries that a reader makes of a sparse table or of images at most: 2²⁸, 2 GiB as `f64`.
pub const DENSE_LIMIT: usize = 1 << 28;

/// Samples with their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// `d` features of each of `n` samples.
    pub features: Features,
    /// `n` labels.
    pub labels: Vec<f64>,
}

impl Samples {
    /// The number of features `d`.
    pub fn dim(&self) -> usize {
        self.features.dim()
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
    /// assert_eq!(two.features.dense().column(0), digits.features.dense().column(5));
    /// ```
    pub fn subset(&self, indices: &[usize]) -> Samples {
        Samples {
            features: self.features.select(indices),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
        }
    }

    /// The first `count` of them.
    pub(crate) fn first(&self, count: usize) -> Samples {
        self.subset(&Vec::from_iter(0..count))
    }

    /// These samples and after them the others, as a dense table.
    ///
    /// # Panics
    /// If they differ in their number of features.
    pub fn and(&self, others: &Samples) -> Samples {
        let (own, theirs) = (self.features.dense(), others.features.dense());
        let columns = own.column_iter().chain(theirs.column_iter());
        Samples {
            features: DMatrix::from_columns(&Vec::from_iter(columns)).into(),
            labels: [&self.labels[..], &others.labels].concat(),
        }
    }

    fn range(&self, range: Range<usize>) -> Samples {
        Samples {
            features: self.features.select(&Vec::from_iter(range.clone())),
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
    /// Maps labels to -1 and +1: the smaller of two labels becomes -1. Where all labels
    /// are one, 1 is +1, and 0 and -1 are -1.
    ///
    /// # Errors
    ///
    /// [`DataError::BadLabel`] if a label is no whole number, or there are more than two; that of
    /// [`Reading::load`] names its place in the file.
    ///
    /// ```
    /// # use models::data::{Samples, Splits};
    /// # use nalgebra::DMatrix;
    /// let part = Samples { features: DMatrix::zeros(3, 2).into(), labels: vec![1.0, 2.0] };
    /// let splits = Splits { train: part.clone(), valid: part, test: None, source: "toy".into() };
    /// assert_eq!(splits.into_binary()?.train.labels, [-1.0, 1.0]);
    /// # Ok::<(), models::data::DataError>(())
    /// ```
    pub fn into_binary(mut self) -> Result<Splits, DataError> {
        let map = self.seen().map(Labels::Signs, &self.source)?;
        self.map_labels(&map);
        Ok(self)
    }

    /// Maps labels to 0, …, k − 1 in the order of the labels of all splits. Gives the number of
    /// classes k too, which is at least 2. Labels that no sample has are no classes.
    ///
    /// # Errors
    ///
    /// [`DataError::BadLabel`] if a label is no whole number, or there are more than 10,000; if the
    /// labels are -1, 0 and 1, but -1 begins in another split than 0.
    ///
    /// ```
    /// # use models::data::{Samples, Splits};
    /// # use nalgebra::DMatrix;
    /// let part = Samples { features: DMatrix::zeros(3, 2).into(), labels: vec![900.0, 3.0] };
    /// let splits = Splits { train: part.clone(), valid: part, test: None, source: "toy".into() };
    /// let (splits, classes) = splits.into_classes()?;
    /// assert_eq!((splits.train.labels, classes), (vec![1.0, 0.0], 2));
    /// # Ok::<(), models::data::DataError>(())
    /// ```
    pub fn into_classes(mut self) -> Result<(Splits, usize), DataError> {
        let map = self.seen().map(Labels::Classes, &self.source)?;
        self.map_labels(&map);
        Ok((self, map.classes()))
    }

    /// The number of different labels of all splits, and at least 2.
    ///
    /// # Errors
    ///
    /// As [`into_classes`](Self::into_classes).
    ///
    /// ```
    /// let (splits, _) = models::data::digits_cleaning(0, 0.25);
    /// assert_eq!(splits.classes()?, 10);
    /// # Ok::<(), models::data::DataError>(())
    /// ```
    pub fn classes(&self) -> Result<usize, DataError> {
        let map = self.seen().map(Labels::Classes, &self.source)?;
        Ok(map.classes())
    }

    /// As [`into_classes`](Self::into_classes), without a copy where the labels are classes.
    pub(crate) fn in_classes(&self) -> Result<(Cow<'_, Splits>, usize), DataError> {
        let map = self.seen().map(Labels::Classes, &self.source)?;
        let mut splits = Cow::Borrowed(self);
        if map.moves() {
            splits.to_mut().map_labels(&map);
        }
        Ok((splits, map.classes()))
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &Samples)> {
        let test = self.test.as_ref().map(|test| ("t_test", test));
        [("t_train", &self.train), ("t_valid", &self.valid)]
            .into_iter()
            .chain(test)
    }

    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Samples> {
        [&mut self.train, &mut self.valid]
            .into_iter()
            .chain(&mut self.test)
    }

    /// The labels; of samples that were shuffled since they were read, their places say nothing.
    fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        for (part, (array, samples)) in self.named().enumerate() {
            seen.add_samples(part, array, &samples.labels);
        }
        seen
    }

    fn map_labels(&mut self, map: &LabelMap) {
        self.parts_mut()
            .for_each(|part| map.apply(&mut part.labels));
    }
}

/// Reads a data set; `seed` draws the splits of formats that have none. Labels stay what they are;
/// those that are words need [`Reading::labels`].
///
/// | `path` | reader |
/// |---|---|
/// | `….npz` | [`read_npz`] |
/// | `….csv`, `….tsv` | [`read_csv`] |
/// | `….libsvm`, `….svm`, `….svmlight` | [`read_libsvm`] |
/// | another file | the one of these that its contents are for |
/// | `FEATURES,LABELS`: two names with a comma between them | [`read_pair`] |
/// | a folder | [`read_mnist`] |
///
/// Text may be packed by gzip, bzip2 or xz, and begin with a byte-order mark. Extensions are
/// compared in either case, without that of a packed file. A comma in the name of a file that exists
/// is no pair. [`Reading`] has settings, and says what was decided.
///
/// # Errors
///
/// For contents of no such format, and as the reader of the format.
///
/// ```
/// let file = tempfile::Builder::new().suffix(".train").tempfile()?;
/// std::fs::write(&file, "0.5,1\n1.5,2\n2.5,1\n3.5,2\n")?;
/// let splits = models::data::load(file.path(), 0)?.into_binary()?;
/// assert_eq!(splits.train.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load(path: &Path, seed: u64) -> Result<Splits, DataError> {
    let reading = Reading {
        seed,
        ..Reading::default()
    };
    reading.load(path).map(|loaded| loaded.splits)
}

/// The files that [`load`] or [`read_images`] read of a path: itself, the two of a pair, or the
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
    let mut found = folder::files(path)?;
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
