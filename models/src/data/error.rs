//! What can be wrong with a data file.

mod text;

use std::io;

use text::listed;
pub(super) use text::{
    Place, excerpt, is_decimal_comma, is_missing, one_line, place, unreadable, way_out,
};

/// Why a data file was refused.
///
/// Each message is one line that starts with the file and names the culprit and what was expected.
/// Rows, columns and entries of arrays count from 0; lines and columns of text files from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused to open or read the file.
    #[error("{file}: cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// The operating system's reason.
        reason: io::Error,
    },

    /// The contents of the file are in no format that can be read.
    #[error(
        "{file}: {found}, expected an npz archive, rows of numbers (csv) or of `label index:value` (libsvm), or `FEATURES,LABELS`, two .npy or IDX files, or features as a sparse .npz"
    )]
    UnknownFormat {
        /// The file.
        file: String,
        /// What it looks like.
        found: String,
    },

    /// A setting says nothing about the format of the file.
    #[error("{file}: {setting}: the data is read as {format}, expected {expected}")]
    Unsuited {
        /// The file.
        file: String,
        /// The setting, as on the command line.
        setting: &'static str,
        /// The format of the file.
        format: String,
        /// The format that the setting is for.
        expected: &'static str,
    },

    /// The file is not a zip archive.
    #[error("{file}: not an npz file, expected a zip archive of .npy arrays: {reason}")]
    NotNpz {
        /// The file.
        file: String,
        /// What the archive lacks.
        reason: String,
    },

    /// A required array is not in the archive.
    #[error("{file}: no array `{array}`, found {}", listed(.found))]
    MissingArray {
        /// The file.
        file: String,
        /// The array that is missing.
        array: String,
        /// The arrays that the file has.
        found: Vec<String>,
    },

    /// The bytes of an array are not in the npy format.
    #[error("{file}: array `{array}` is malformed: {reason}")]
    MalformedArray {
        /// The file.
        file: String,
        /// The array.
        array: String,
        /// What was expected of the bytes.
        reason: String,
    },

    /// An array has fewer bytes than its shape needs.
    #[error(
        "{file}: array `{array}` is truncated: shape {shape:?} of dtype `{dtype}` does not fit the {found} bytes of data"
    )]
    TruncatedArray {
        /// The file.
        file: String,
        /// The array.
        array: String,
        /// The shape that the array claims.
        shape: Vec<usize>,
        /// The element type that the array claims.
        dtype: String,
        /// The bytes of data that it has.
        found: usize,
    },

    /// The elements of an array are not real numbers of a supported size.
    #[error(
        "{file}: array `{array}` has dtype `{dtype}`, expected bool, an integer of 8 to 64 bits or a float of 16 to 64 bits"
    )]
    UnsupportedDtype {
        /// The file.
        file: String,
        /// The array.
        array: String,
        /// The element type found.
        dtype: String,
    },

    /// An array has the wrong number of axes.
    #[error("{file}: array `{array}` has shape {found:?}, expected {expected}")]
    WrongRank {
        /// The file.
        file: String,
        /// The array.
        array: String,
        /// The shape found.
        found: Vec<usize>,
        /// The shape expected.
        expected: &'static str,
    },

    /// Features and labels disagree on the number of samples.
    #[error(
        "{file}: `{features}` has {rows} rows but `{labels}` has {entries} entries, expected as many"
    )]
    RowMismatch {
        /// The file.
        file: String,
        /// The array of features.
        features: String,
        /// Its rows.
        rows: usize,
        /// The array of labels.
        labels: String,
        /// Its entries.
        entries: usize,
    },

    /// Two splits disagree on the number of features.
    #[error(
        "{file}: `{array}` has {found} columns but `{reference}` has {expected}, expected as many"
    )]
    ColumnMismatch {
        /// The file.
        file: String,
        /// The array that differs.
        array: String,
        /// Its columns.
        found: usize,
        /// The array it is compared with.
        reference: String,
        /// The columns of that array.
        expected: usize,
    },

    /// An array holds NaN or an infinity.
    #[error("{file}: array `{array}`, {}, is {value}, expected a finite number", place(.index))]
    NotFinite {
        /// The file.
        file: String,
        /// The array.
        array: String,
        /// One index per axis, from 0.
        index: Vec<usize>,
        /// The value.
        value: f64,
    },

    /// A number is beyond those that were asked for.
    #[error(
        "{file}: {place}, is {value:e}, expected at most {largest:e} in size, the largest of f32: --dtype f64 takes it"
    )]
    Beyond {
        /// The file.
        file: String,
        /// The line of a text, from 1, or the array and the index there, from 0.
        place: String,
        /// The number.
        value: f64,
        /// The largest that was asked for.
        largest: f64,
    },

    /// A label does not suit the task.
    #[error("{file}: {place} is {value}, expected {expected}")]
    BadLabel {
        /// The file.
        file: String,
        /// The line of a text, from 1, or the array and the index there, from 0.
        place: String,
        /// The label.
        value: String,
        /// The labels that the task admits.
        expected: String,
    },

    /// There is nothing to learn from.
    #[error("{file}: {place} has no {what}, expected at least one")]
    Empty {
        /// The file.
        file: String,
        /// The part of the file that is empty.
        place: String,
        /// What it lacks: samples, features or elements.
        what: &'static str,
    },

    /// A field of a CSV file is not a finite number.
    #[error("{file}: line {line}, column {column}: `{text}` is not a finite number{way_out}")]
    MalformedCsv {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The field, from 1.
        column: usize,
        /// The start of the field's text.
        text: String,
        /// What can be done about it, or nothing.
        way_out: &'static str,
    },

    /// A line of a CSV file has more or fewer fields than the first.
    #[error("{file}: line {line} has {found} fields, expected {expected} as on the first line")]
    RaggedCsv {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// Its fields.
        found: usize,
        /// The fields of the first line.
        expected: usize,
    },

    /// A place in a file does not hold what the format says.
    #[error("{file}: {place}: {found}, expected {expected}")]
    Malformed {
        /// The file.
        file: String,
        /// The line, from 1, or the byte, from 0.
        place: String,
        /// What is there.
        found: String,
        /// What the format has there.
        expected: String,
    },

    /// The data would take more memory than the reader allows.
    #[error("{file}: {found}, expected at most {limit}")]
    TooLarge {
        /// The file.
        file: String,
        /// The size that the file asks for.
        found: String,
        /// The largest size, and why.
        limit: String,
    },

    /// The samples are too few for what a problem does with them.
    #[error("{file}: {found} samples, expected at least {expected} for {what}")]
    TooFewFor {
        /// The file.
        file: String,
        /// The samples found.
        found: usize,
        /// The samples needed.
        expected: usize,
        /// What they are needed for.
        what: &'static str,
    },

    /// A file has too few rows for three splits.
    #[error("{file}: {found} rows of numbers, expected at least {expected} to split")]
    TooFewRows {
        /// The file.
        file: String,
        /// The rows found.
        found: usize,
        /// The rows needed.
        expected: usize,
    },
}
