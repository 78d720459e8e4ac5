//! A data set read as one asks for.

use std::path::Path;

use super::labels::{LabelMap, Labels, Seen};
use super::opened::Opened;
use super::{About, DataError, Features, Format, Splits, Standardised};
use super::{csv, format, libsvm, npz, pair};

/// How to read a data set; [`Reading::default`] decides by what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Draws the splits of formats that have none.
    pub seed: u64,
    /// What labels become.
    pub labels: Labels,
    /// The format of a single file; told by its name or contents if `None`.
    pub format: Option<Format>,
    /// Whether the first line of text is a header; told by its cells if `None`.
    pub header: Option<bool>,
    /// The first index of a LIBSVM file, 0 or 1; 0 if that occurs, else 1, if `None`.
    pub first_index: Option<u8>,
    /// Whether a column that counts the rows stays among the features.
    pub keep_index: bool,
    /// Whether features, and targets, are brought to mean 0 and standard deviation 1 by constants of
    /// the training samples. Sparse features keep their zeros: they are scaled and keep their mean.
    pub standardise: bool,
    /// Whether a table is kept with its zeros, however few of its entries are written.
    pub dense: bool,
    /// Whether each of several [ranks](autodiff::ranks) holds its [own rows](super::OwnRows) of dense
    /// features alone: for tasks of fused losses over whole data sets. Of a pair of `.npy` files in C order
    /// it reads no others, of an `.npz` archive it keeps no others; of other formats it leaves out others
    /// once all are read.
    pub own_rows: bool,
    /// The largest size of a number, such as that of `f32`; any that is finite if `None`.
    pub largest: Option<f64>,
}

/// The largest size of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit(f64);

impl Limit {
    /// Any number that is finite.
    pub(super) const NONE: Limit = Limit(f64::MAX);

    /// The number that was asked for.
    pub(super) fn largest(self) -> Option<f64> {
        (self.0 < f64::MAX).then_some(self.0)
    }

    pub(super) fn allows(self, value: f64) -> bool {
        value.abs() <= self.0
    }

    /// A number that is not allowed, at a place in a file.
    pub(super) fn beyond(self, file: &str, place: String, value: f64) -> DataError {
        DataError::Beyond {
            file: file.into(),
            place,
            value,
            largest: self.0,
        }
    }
}

/// A data set with what was decided about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The data.
    pub splits: Splits,
    /// What was decided.
    pub about: About,
}

/// What a reader makes of a file.
pub(super) struct Read {
    pub(super) splits: Splits,
    pub(super) about: About,
    /// Its labels with their places in the file.
    pub(super) seen: Seen,
}

impl Reading {
    /// Reads a data set as [`load`](super::load) does, with these settings.
    ///
    /// # Errors
    /// As [`load`](super::load); if a label does not suit [`labels`](Reading::labels), with its line
    /// in the file; if a setting does not suit the format.
    ///
    /// ```
    /// use models::data::{Labels, Reading};
    ///
    /// let file = tempfile::NamedTempFile::new()?;
    /// std::fs::write(&file, "900 1:0.5 2:9\n3 1:1.5\n900 1:2.5\n3 1:3.5 2:1\n")?;
    /// let reading = Reading { labels: Labels::Classes, ..Reading::default() };
    /// let loaded = reading.load(file.path())?;
    /// assert_eq!(loaded.about.label_map, [(3.0, 0.0), (900.0, 1.0)]);
    /// assert_eq!(loaded.splits.classes()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(&self, path: &Path) -> Result<Loaded, DataError> {
        let mut read = self.read(path)?;
        let map = read.seen.map(self.labels, &read.splits.source)?;
        if self.own_rows {
            let parts = read.splits.parts_mut();
            parts.for_each(|part| part.keep_own(map.outputs(self.labels)));
        }
        Ok(self.finished(read, map))
    }

    /// The first setting that asks for something, as on the command line.
    pub(crate) fn asked(&self) -> Option<&'static str> {
        let asked = [
            ("--header", self.header.is_some()),
            ("--first-index", self.first_index.is_some()),
            ("--format", self.format.is_some()),
            ("--keep-index", self.keep_index),
            ("--standardise", self.standardise),
        ];
        let first = asked.iter().find(|(_, asked)| *asked);
        first.map(|(name, _)| *name)
    }

    pub(super) fn limit(&self) -> Limit {
        self.largest.map_or(Limit::NONE, Limit)
    }

    fn read(&self, path: &Path) -> Result<Read, DataError> {
        let file = path.display().to_string();
        // A format is that of a single file.
        let several = self.format.is_none();
        if several && path.is_dir() {
            self.suits(None, "the files of MNIST", &file)?;
            return pair::mnist(path, self.seed, self.limit());
        }
        if several && let Some([features, labels]) = pair::names(path) {
            self.suits(None, "a pair of files", &file)?;
            return pair::read(features, labels, self);
        }
        let opened = Opened::open(path, &file)?;
        let format = match self.format {
            Some(format) => format,
            None => format::of(path, &opened, &file)?,
        };
        self.suits(Some(format), &format.to_string(), &file)?;
        let packing = opened.packing;
        let mut read = match format {
            Format::Npz => npz::read(path, self)?,
            Format::Csv => csv::read(opened, &file, self)?,
            Format::Libsvm => {
                // It is read twice.
                drop(opened);
                libsvm::read(path, self)?
            }
        };
        if let Some(packing) = packing {
            read.about.format = format!("{}, {packing}", read.about.format);
        }
        Ok(read)
    }

    /// Refuses a setting that would have no effect.
    fn suits(&self, format: Option<Format>, name: &str, file: &str) -> Result<(), DataError> {
        let header = self.header.is_some() && format != Some(Format::Csv);
        let index = self.first_index.is_some() && format != Some(Format::Libsvm);
        let unused = [
            ("--header", header, "csv"),
            ("--first-index", index, "libsvm"),
        ];
        match unused.into_iter().find(|(_, unused, _)| *unused) {
            None => Ok(()),
            Some((setting, _, expected)) => Err(DataError::Unsuited {
                file: file.into(),
                setting,
                format: name.into(),
                expected,
            }),
        }
    }

    fn finished(&self, read: Read, map: LabelMap) -> Loaded {
        let Read {
            mut splits,
            mut about,
            seen,
        } = read;
        splits.map_labels(&map);
        about.count(&splits);
        about.map(map);
        about.words = seen.words;
        let targets = self.labels.are_targets();
        if targets {
            about.range(&splits);
        }
        if self.standardise {
            let mut constants = Standardised::of(&splits.train);
            if targets {
                constants.add_targets(&splits.train.labels);
            }
            splits.parts_mut().for_each(|part| constants.apply(part));
            if matches!(splits.train.features, Features::Sparse(_)) {
                about
                    .notes
                    .push("scaled and not centred, so that zeros stay zeros".into());
            }
            about.standardised = Some(constants);
        } else if self.labels != Labels::AsWritten {
            about.compare_scales(&splits.train);
        }
        Loaded { splits, about }
    }
}
