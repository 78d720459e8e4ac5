//! What the first line of a table is: a header or a sample.

use csv::ByteRecord;

use super::super::error::{DataError, excerpt, is_missing};
use super::rows::number;

/// Columns beyond which numbers that count them are no sample by chance.
const MANY: usize = 5;

/// What the first line is.
pub(super) enum First {
    /// Names of columns.
    Names,
    /// Names after an empty one, which a column that counts the rows has to stand below.
    Unnamed,
    /// Numbers: a sample, or a header where the other rows speak for it.
    Numbers(Vec<f64>),
    /// A sample, whatever is in it.
    Sample,
}

impl First {
    /// What the line is, by itself and the one below it, unless that was `given`.
    ///
    /// # Errors
    /// If it counts rows and columns.
    pub(super) fn of(
        first: &ByteRecord,
        second: Option<&ByteRecord>,
        (given, words): (Option<bool>, bool),
        (file, line): (&str, u64),
    ) -> Result<Self, DataError> {
        match given {
            Some(true) => return Ok(First::Names),
            Some(false) => return Ok(First::Sample),
            None => {}
        }
        let numbers: Vec<f64> = first.iter().filter_map(number).collect();
        if numbers.is_empty() {
            return Ok(First::Names);
        }
        if numbers.len() == first.len() {
            let label = second.and_then(|second| second.iter().next_back());
            if words && label.is_some_and(is_word) && are_names(&numbers) {
                return Ok(First::Names);
            }
            return Ok(match numbers.iter().all(|value| value.is_finite()) {
                true => First::Numbers(numbers),
                false => First::Sample,
            });
        }
        let Some(second) = second else {
            return Ok(First::Sample);
        };
        if counts(first, second) {
            return Err(DataError::Malformed {
                file: file.into(),
                place: format!("line {line}"),
                found: format!(
                    "`{}` looks like the numbers of rows and features and the names of classes",
                    text(first)
                ),
                expected: "names of the columns or numbers: take the line out, or --header yes to ignore it"
                    .into(),
            });
        }
        let words = first.iter().filter(|cell| is_word(cell)).count();
        let label = first.iter().next_back().is_some_and(is_word);
        let columns = first.iter().zip(second);
        let above = |(name, value): (&[u8], &[u8])| is_word(name) && number(value).is_some();
        if (label || 2 * words > first.len()) && columns.into_iter().any(above) {
            return Ok(First::Names);
        }
        // As spreadsheets of numbered columns are written, with the numbers of their rows.
        let starts = second.get(0).and_then(number);
        let empty = first
            .get(0)
            .is_some_and(|cell| cell.trim_ascii().is_empty());
        let others = first.iter().skip(1).all(|cell| number(cell).is_some());
        Ok(match starts {
            Some(start) if empty && others && start.fract() == 0.0 => First::Unnamed,
            _ => First::Sample,
        })
    }
}

/// Whether a first line says how many rows and features there are and names the classes, as data
/// files of scikit-learn do.
fn counts(first: &ByteRecord, second: &ByteRecord) -> bool {
    let count = |column| {
        let value = first.get(column).and_then(number);
        value.filter(|value: &f64| value.fract() == 0.0 && *value >= 1.0)
    };
    let (Some(_), Some(features)) = (count(0), count(1)) else {
        return false;
    };
    let fits = features + 1.0 == second.len() as f64 || first.len() != second.len();
    let numbers = second.iter().all(|cell| number(cell).is_some());
    fits && numbers && first.len() > 2 && first.iter().skip(2).all(is_word)
}

/// Whether a cell is a name, and no slip of a number or mark of a missing one.
pub(super) fn is_word(cell: &[u8]) -> bool {
    let cell = String::from_utf8_lossy(cell);
    let cell = cell.trim();
    let letter = cell.starts_with(|c: char| c.is_alphabetic() || c == '_');
    letter && number(cell.as_bytes()).is_none() && !is_missing(cell)
}

/// A row as text.
pub(super) fn text(row: &ByteRecord) -> String {
    let cells: Vec<_> = row.iter().take(20).map(String::from_utf8_lossy).collect();
    excerpt(&cells.join(","))
}

/// Why a first line of numbers is a header, if it is one: they are whole and distinct, and either
/// its label is none of the other rows, of which some share a label, or they count the columns from
/// 0 or 1, of rows with fractions or of many columns.
pub(super) fn numbered(cells: &[f64], label: f64, others: &Others) -> Option<String> {
    if !are_names(cells) {
        return None;
    }
    if !others.has_label && others.labels < others.rows {
        return Some(format!("{label} is no label of the other rows"));
    }
    let starts = cells[0] == 0.0 || cells[0] == 1.0;
    let counts = starts && cells.windows(2).all(|pair| pair[1] == pair[0] + 1.0);
    // A single feature and its label are soon such numbers.
    let by_chance = cells.len() < 3 || (cells.len() < MANY && !others.fractions);
    (counts && !by_chance && others.rows > 0).then(|| "it counts the columns".into())
}

/// Whether numbers can be names of columns: they are whole and distinct.
pub(super) fn are_names(cells: &[f64]) -> bool {
    let mut sorted = cells.to_vec();
    sorted.sort_by(f64::total_cmp);
    let distinct = sorted.windows(2).all(|pair| pair[0] != pair[1]);
    cells.len() > 1 && distinct && cells.iter().all(|cell| cell.fract() == 0.0)
}

/// What speaks for a header of numbers in the rows below it.
pub(super) struct Others {
    /// How many there are.
    pub(super) rows: usize,
    /// How many labels they have.
    pub(super) labels: usize,
    /// Whether the label of the first line is among them.
    pub(super) has_label: bool,
    /// Whether a feature is no whole number.
    pub(super) fractions: bool,
}
