//! Why a task cannot be made.

use crate::data::DataError;

use super::{Data, Entry, names};

/// Why a task cannot be made of what was given. Each message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// No problem has this name.
    #[error("{0}")]
    Unknown(String),
    /// The data was refused.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A problem that makes its own numbers was given data.
    #[error("{file}: problem `{problem}` brings its own numbers: expected no --data, or {}", one_of(|e| e.data != Data::Own))]
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
    #[error("--bias: problem `{problem}` has none: expected {}", one_of(|e| e.bias))]
    NoBias {
        /// The problem's name.
        problem: &'static str,
    },
    /// A problem without a larger size was asked for it.
    #[error("--large: problem `{problem}` has one size: expected {}", one_of(|e| e.large))]
    NotLarger {
        /// The problem's name.
        problem: &'static str,
    },
    /// A part that the lower level of a problem cannot have.
    #[error("--part {part}: problem `{problem}`: {reason}")]
    Part {
        /// The part.
        part: String,
        /// The problem's name.
        problem: &'static str,
        /// Why not, and what was expected.
        reason: String,
    },
    /// A number of a point is beyond the scalar type.
    #[error(
        "{file}: array `{array}`, entry {entry}, is {value:e}: expected at most {largest:e} in {dtype}"
    )]
    Overflow {
        /// The file.
        file: String,
        /// `x` or `y`.
        array: &'static str,
        /// Where it is, from 0.
        entry: usize,
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

/// The problems with a property, as what is expected.
fn one_of(with: impl Fn(&Entry) -> bool) -> String {
    match &names(with)[..] {
        [name] => format!("problem `{name}`"),
        names => format!("one of {}", names.join(", ")),
    }
}
