//! Archives of NumPy arrays.

mod csr;

pub(super) use csr::read as read_csr;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use autodiff::ranks;
use nalgebra::DMatrix;
use zip::ZipArchive;
use zip::result::ZipError;

use super::error::{DataError, Place};
use super::labels::Seen;
use super::npy::{self, Array, finite};
use super::npy_rows::read_range;
use super::reading::{Limit, Read, Reading};
use super::{About, Features, OwnRows, Samples, Splits};

/// A point of a bilevel problem: outer variable `x` and, where known, inner variable `y`.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The outer variable.
    pub x: Vec<f64>,
    /// The inner variable.
    pub y: Option<Vec<f64>>,
}

/// Reads the splits of a data set from an npz file, as written by `np.savez` and
/// `np.savez_compressed`.
///
/// The arrays are `x_train` of shape `[n, d]` (one sample per row), `t_train` of shape `[n]` or
/// `[n, 1]`, `x_valid`, `t_valid` and, both or neither, `x_test`, `t_test`; other arrays are
/// ignored. Elements are bool, integers of 8 to 64 bits or floats of 16 to 64 bits, in either byte
/// order; the arrays are in C or Fortran order.
///
/// # Errors
///
/// If the file cannot be read or is not such an archive; if an array is missing, malformed,
/// truncated, empty or of another rank or element type; if the shapes disagree; if a value is not
/// finite.
///
/// ```
/// let error = models::data::read_npz("absent.npz".as_ref()).unwrap_err();
/// assert!(error.to_string().starts_with("absent.npz: cannot be read"));
/// ```
pub fn read_npz(path: &Path) -> Result<Splits, DataError> {
    read(path, &Reading::default()).map(|read| read.splits)
}

pub(super) fn read(path: &Path, reading: &Reading) -> Result<Read, DataError> {
    let mut archive = Archive::open(path, reading.limit())?;
    if archive.has("indptr") && !archive.has("x_train") {
        return Err(DataError::UnknownFormat {
            file: archive.file,
            found: "a sparse matrix without labels".into(),
        });
    }
    let own = reading.own_rows && ranks::size() > 1;
    let own = own.then(|| archive.outputs(reading)).transpose()?;
    let train = archive.samples("train", own)?;
    let valid = archive.samples("valid", own)?;
    let test = if archive.has("x_test") || archive.has("t_test") {
        Some(archive.samples("test", own)?)
    } else {
        None
    };
    let source = archive.file;

    for (array, samples) in [("x_valid", Some(&valid)), ("x_test", test.as_ref())] {
        if let Some(found) = samples
            .map(Samples::dim)
            .filter(|&found| found != train.dim())
        {
            return Err(DataError::ColumnMismatch {
                file: source,
                array: array.into(),
                found,
                reference: "x_train".into(),
                expected: train.dim(),
            });
        }
    }
    let splits = Splits {
        train,
        valid,
        test,
        source,
    };
    let about = About {
        format: "npz".into(),
        ..About::default()
    };
    let mut seen = Seen::default();
    for (part, (array, samples)) in splits.named().enumerate() {
        seen.add_array(part, array, &samples.labels);
    }
    Ok(Read {
        splits,
        about,
        seen,
    })
}

/// Reads a point from an npz file: array `x` and, if it is there, array `y`, of any shape and
/// memory order, flattened in C order (last axis fastest).
///
/// # Errors
///
/// If the file cannot be read or is not an archive of arrays; if `x` is missing; if an array is
/// malformed, truncated, empty or of another element type; if a value is not finite.
///
/// ```
/// let error = models::data::read_point("absent.npz".as_ref()).unwrap_err();
/// assert!(error.to_string().starts_with("absent.npz: cannot be read"));
/// ```
pub fn read_point(path: &Path) -> Result<Point, DataError> {
    let mut archive = Archive::open(path, Limit::NONE)?;
    let x = archive.variable("x")?;
    let y = if archive.has("y") {
        Some(archive.variable("y")?)
    } else {
        None
    };
    Ok(Point { x, y })
}

struct Archive {
    file: String,
    zip: ZipArchive<BufReader<File>>,
    limit: Limit,
}

impl Archive {
    fn open(path: &Path, limit: Limit) -> Result<Self, DataError> {
        let file = path.display().to_string();
        let opened = match File::open(path) {
            Ok(opened) => opened,
            Err(reason) => return Err(DataError::Unreadable { file, reason }),
        };
        match ZipArchive::new(BufReader::new(opened)) {
            Ok(zip) => Ok(Self { file, zip, limit }),
            // Only the operating system's errors have a number; the others are about the bytes.
            Err(ZipError::Io(reason)) if reason.raw_os_error().is_some() => {
                Err(DataError::Unreadable { file, reason })
            }
            Err(reason) => Err(DataError::NotNpz {
                file,
                reason: reason.to_string(),
            }),
        }
    }

    fn has(&self, array: &str) -> bool {
        self.zip.index_for_name(&entry(array)).is_some()
    }

    /// An array, or this rank's rows of one of samples for so many scores, with the shape of all.
    fn array(&mut self, array: &str, own: Option<usize>) -> Result<Array, DataError> {
        if !self.has(array) {
            return Err(DataError::MissingArray {
                file: self.file.clone(),
                array: array.into(),
                found: self.names(),
            });
        }
        let at = Place {
            file: &self.file,
            array,
        };
        let stream = self
            .zip
            .by_name(&entry(array))
            .map_err(|reason| at.malformed(reason))?;
        match own {
            None => {
                let read = npy::read(stream, at)?;
                finite(&read, at, self.limit)?;
                Ok(read)
            }
            Some(outputs) => read_range(stream, at, self.limit, |n| OwnRows::range(n, outputs)),
        }
    }

    /// The scores of a linear model for the labels of all splits.
    fn outputs(&mut self, reading: &Reading) -> Result<usize, DataError> {
        let mut seen = Seen::default();
        for (part, array) in ["t_train", "t_valid", "t_test"].into_iter().enumerate() {
            if self.has(array) {
                seen.add_array(part, array, &self.array(array, None)?.values);
            }
        }
        let map = seen.map(reading.labels, &self.file)?;
        Ok(map.outputs(reading.labels))
    }

    fn names(&self) -> Vec<String> {
        let names = self.zip.file_names().flatten();
        names
            .map(|name| name.strip_suffix(".npy").unwrap_or(&name).to_owned())
            .collect()
    }

    fn samples(&mut self, split: &str, own: Option<usize>) -> Result<Samples, DataError> {
        let (x, t) = (format!("x_{split}"), format!("t_{split}"));
        let Array { shape, values } = self.array(&x, own)?;
        let [rows, columns] = shape[..] else {
            return Err(self.wrong_rank(x, shape, "[samples, features]"));
        };
        let labels = self.array(&t, None)?;
        let entries = match labels.shape[..] {
            [entries] | [entries, 1] => entries,
            _ => return Err(self.wrong_rank(t, labels.shape, "[samples]")),
        };
        if rows != entries {
            let file = self.file.clone();
            return Err(DataError::RowMismatch {
                file,
                features: x,
                rows,
                labels: t,
                entries,
            });
        }
        for (axis, what) in [(rows, "samples"), (columns, "features")] {
            if axis == 0 {
                return Err(self.empty(&x, what));
            }
        }
        // Rows in C order are columns in nalgebra's order.
        let held = DMatrix::from_vec(columns, values.len() / columns, values);
        Ok(Samples {
            features: match own {
                None => held.into(),
                Some(outputs) => Features::Own(OwnRows::new(held, rows, outputs)),
            },
            labels: labels.values,
        })
    }

    fn variable(&mut self, array: &str) -> Result<Vec<f64>, DataError> {
        let values = self.array(array, None)?.values;
        if values.is_empty() {
            Err(self.empty(array, "elements"))
        } else {
            Ok(values)
        }
    }

    fn wrong_rank(&self, array: String, found: Vec<usize>, expected: &'static str) -> DataError {
        DataError::WrongRank {
            file: self.file.clone(),
            array,
            found,
            expected,
        }
    }

    fn empty(&self, array: &str, what: &'static str) -> DataError {
        DataError::Empty {
            file: self.file.clone(),
            place: format!("array `{array}`"),
            what,
        }
    }
}

fn entry(array: &str) -> String {
    format!("{array}.npy")
}
