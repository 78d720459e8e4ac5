//! The problems by name.

use std::io;
use std::path::{Path, PathBuf};

use autodiff::Real;
use models::data::{self, DataError, Labels, Loaded, Point, ReadData, Splits};
use models::{
    HyperCleaning, Task, closed_form, hyper_cleaning, least_squares, logistic, random_quadratics,
    ridge, shifted_sines, sine_product, softmax, stability, tv_denoising, tv_denoising_of,
};
use nalgebra::DVector;

pub use super::problem_names::ALL;
use super::reading::GivenReading;
use super::{learned, unknown};

/// Share of training labels that `hyper-cleaning` makes wrong on embedded data.
pub const CORRUPTION: f64 = 0.7;

/// Where a problem's data comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The user's file, pair of files or folder; embedded data if `None`.
    pub data: Option<PathBuf>,
    /// How it is read.
    pub reading: GivenReading,
    /// Seed of splits, corruptions and random problems.
    pub seed: u64,
    /// Whether `hyper-cleaning` has biases.
    pub bias: bool,
    /// Whether a problem that has one takes its larger setting.
    pub large: bool,
}

/// Why a problem could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProblemFailure {
    /// No such name.
    #[error("{0}")]
    Unknown(String),
    /// The data file was refused.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A problem that makes its own numbers was given data.
    #[error("{file}: problem `{problem}` brings its own numbers: expected no --data")]
    NoData {
        /// The file.
        file: String,
        /// The problem's name.
        problem: &'static str,
    },
    /// A setting of the reader where no table is read.
    #[error("{setting}: no table is read: expected --data FILE, of a problem that takes a table")]
    NoTable {
        /// The setting.
        setting: &'static str,
    },
    /// A problem that has none was given a bias.
    #[error("--bias: problem `{problem}` has none: expected problem `hyper-cleaning`")]
    NoBias {
        /// The problem's name.
        problem: &'static str,
    },
    /// A problem without a larger setting was asked for it.
    #[error("--large: problem `{problem}` has one size: expected one of {}", learned::LARGER.join(", "))]
    NotLarger {
        /// The problem's name.
        problem: &'static str,
    },
    /// A number of a data file or a point is beyond the scalar type.
    #[error("{file}: {place} holds {value:e}: expected at most {largest:e} in {dtype}")]
    Overflow {
        /// The file.
        file: String,
        /// The array.
        place: &'static str,
        /// The number.
        value: f64,
        /// The largest of the scalar type.
        largest: f64,
        /// The scalar type.
        dtype: &'static str,
    },
    /// A point does not fit the problem.
    #[error(
        "{file}: array `{array}` has {found} entries: expected {expected}, as problem `{problem}` has here"
    )]
    Point {
        /// The file.
        file: String,
        /// `x` or `y`.
        array: &'static str,
        /// Entries found.
        found: usize,
        /// Entries expected.
        expected: usize,
        /// The problem's name.
        problem: &'static str,
    },
}

/// The problem of this name.
///
/// # Errors
/// If there is none, or its data is bad.
pub fn named<T: Real>(name: &str, source: &Source) -> Result<Task<T>, ProblemFailure> {
    let seed = source.seed;
    let (splits, mut read) = match &source.data {
        Some(file) => table::<T>(name, file, source)?,
        None => (None, None),
    };
    let is_table = splits.is_some();
    let task = match name {
        "logistic" => logistic(splits.unwrap_or_else(|| data::digits_parity(seed)))?,
        "softmax" => softmax(splits.unwrap_or_else(|| data::digits_classes(seed)))?,
        "hyper-cleaning" => cleaning(splits, source)?,
        "bda-counterexample" => closed_form::bda_counterexample(),
        "bda-discriminating" => closed_form::bda_discriminating(),
        "penalty-bias" => closed_form::penalty_bias(),
        "scalar" => closed_form::scalar(),
        "quadratic" => closed_form::quadratic(5, 8, seed),
        "ridge" => ridge(20, seed),
        "least-squares" => least_squares(seed),
        "tv-denoising" => match &source.data {
            Some(folder) => {
                let images = data::read_images(folder)?;
                let folder = folder.display().to_string();
                read = Some(ReadData::Images {
                    folder,
                    count: images.len(),
                    side: images.first().map_or(0, |image| image.nrows()),
                });
                tv_denoising_of(images, seed)
            }
            None => tv_denoising(6, 32, seed),
        },
        "random-quadratics" => random_quadratics(10, 20, 1000, seed),
        "shifted-sines" => shifted_sines(),
        "sine-product" => sine_product(),
        "ridge-prior" => stability::ridge_prior(100, seed, None),
        "orthogonal-map" => stability::orthogonal_map(500, seed, None),
        _ => match learned::task(name, splits, source)? {
            Some(task) => task,
            None => return Err(ProblemFailure::Unknown(unknown("problem", name, ALL))),
        },
    };
    let own = ["ridge", "ridge-prior", "orthogonal-map", "few-shot"];
    // Those of images bring a block of y for each.
    let images = task.bilevel.blocks() > 1;
    let random = own.contains(&task.name) || (images && task.name != "tv-denoising");
    if let (true, Some(file)) = (random || task.known.is_some(), &source.data) {
        return Err(ProblemFailure::NoData {
            file: file.display().to_string(),
            problem: task.name,
        });
    }
    if let (false, Some(setting)) = (is_table, source.reading.asked()) {
        return Err(ProblemFailure::NoTable { setting });
    }
    if source.bias && task.name != "hyper-cleaning" {
        return Err(ProblemFailure::NoBias { problem: task.name });
    }
    if source.large && !learned::LARGER.contains(&task.name) {
        return Err(ProblemFailure::NotLarger { problem: task.name });
    }
    Ok(Task { read, ..task })
}

/// The same problem, at the `x` and from the `y` of a point that was read from `file`.
///
/// # Errors
/// If their lengths are not those of the problem.
pub fn at<T: Real>(task: Task<T>, point: &Point, file: &str) -> Result<Task<T>, ProblemFailure> {
    let entries = |array: &'static str, values: &[f64], expected: usize| {
        if values.len() != expected {
            return Err(ProblemFailure::Point {
                file: file.to_owned(),
                array,
                found: values.len(),
                expected,
                problem: task.name,
            });
        }
        in_range::<T>(file, array, values)?;
        Ok(DVector::from_iterator(
            expected,
            values.iter().map(|v| T::of(*v)),
        ))
    };
    let x = entries("x", &point.x, task.bilevel.dim_x())?;
    let y = point
        .y
        .as_ref()
        .map(|y| entries("y", y, task.bilevel.dim_y()));
    let task = match y.transpose()? {
        Some(y) => task.starting_from(y),
        None => task,
    };
    Ok(Task { x, ..task })
}

/// The user's data in the range of the scalar type, and how it was read, if this problem learns from
/// a table.
fn table<T: Real>(
    name: &str,
    file: &Path,
    source: &Source,
) -> Result<(Option<Splits>, Option<ReadData>), ProblemFailure> {
    let labels = match name {
        "logistic" => Labels::Signs,
        "softmax" | "hyper-cleaning" | "mlp" | "mlp-cleaning" | "learning-rates" => Labels::Classes,
        _ => return Ok((None, None)),
    };
    let reading = source.reading.reading(source.seed, labels);
    let Loaded { splits, about } = reading.load(file)?;
    for (array, samples) in [
        ("x_train", Some(&splits.train)),
        ("x_valid", Some(&splits.valid)),
        ("x_test", splits.test.as_ref()),
    ] {
        let values = samples.map_or(&[][..], |s| s.features.as_slice());
        in_range::<T>(&splits.source, array, values)?;
    }
    Ok((Some(splits), Some(ReadData::Table(about))))
}

/// A folder opens as a file does, and fails on reading for reasons of its own.
pub(crate) fn no_folder(file: &Path) -> Result<(), DataError> {
    if !file.is_dir() {
        return Ok(());
    }
    Err(DataError::Unreadable {
        file: file.display().to_string(),
        reason: io::Error::other("it is a directory, expected a file"),
    })
}

fn in_range<T: Real>(
    file: &str,
    array: &'static str,
    values: &[f64],
) -> Result<(), ProblemFailure> {
    match values.iter().find(|v| !T::of(**v).is_finite()) {
        None => Ok(()),
        Some(value) => Err(ProblemFailure::Overflow {
            file: file.to_owned(),
            place: array,
            value: *value,
            largest: T::max_value().map_or(f64::MAX, |v| v.f64()),
            dtype: T::NAME,
        }),
    }
}

fn cleaning<T: Real>(given: Option<Splits>, source: &Source) -> Result<Task<T>, ProblemFailure> {
    let settings = HyperCleaning {
        bias: source.bias,
        ..HyperCleaning::default()
    };
    let (splits, corrupted) = cleaning_splits(given, source.seed);
    Ok(hyper_cleaning(splits, corrupted, settings)?)
}

/// The splits of a cleaning problem; of embedded ones also which training labels are wrong.
pub(super) fn cleaning_splits(given: Option<Splits>, seed: u64) -> (Splits, Option<Vec<bool>>) {
    match given {
        Some(splits) => (splits, None),
        None => {
            let (splits, marks) = data::digits_cleaning(seed, CORRUPTION);
            (splits, Some(marks))
        }
    }
}
