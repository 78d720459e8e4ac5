//! What is wrong with the numbers of a sparse matrix.

/// What is wrong with the numbers of a sparse matrix. Each message is one clause; rows and entries
/// count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SparseError {
    /// There is not a place for each value.
    #[error("{places} places for {values} values, expected as many")]
    Counts {
        /// Columns of entries.
        places: usize,
        /// Values of entries.
        values: usize,
    },
    /// There is not a start for each row and an end.
    #[error("{found} starts of rows, expected {expected}, one more than rows")]
    Rows {
        /// Starts found.
        found: usize,
        /// Starts expected.
        expected: usize,
    },
    /// A start is below the one before it.
    #[error("start {row} is {found}, expected at least {expected}, the one before it")]
    Start {
        /// The start.
        row: usize,
        /// What it is.
        found: usize,
        /// The one before it.
        expected: usize,
    },
    /// The starts do not begin at 0 or do not end at the number of entries.
    #[error("start {row} is {found}, expected {expected}")]
    End {
        /// The start, the first or the last.
        row: usize,
        /// What it is.
        found: usize,
        /// What it has to be.
        expected: usize,
    },
    /// A place is beyond the columns.
    #[error("entry {entry}, in row {row}, is in column {found}, expected one below {columns}")]
    Beyond {
        /// The row.
        row: usize,
        /// The entry.
        entry: usize,
        /// Its column.
        found: usize,
        /// The number of columns.
        columns: usize,
    },
    /// A place is not above the one before it in its row.
    #[error(
        "entry {entry}, in row {row}, is in column {found} after column {before}, expected columns that ascend, each once"
    )]
    Order {
        /// The row.
        row: usize,
        /// The entry.
        entry: usize,
        /// Its column.
        found: usize,
        /// The column of the entry before it.
        before: usize,
    },
}
