//! Tables of numbers in text.

mod first;
mod index;
mod rows;
mod settle;
mod words;

use std::path::Path;

use csv::ByteRecord;
use nalgebra::DMatrix;

use super::error::{DataError, excerpt, unreadable, way_out};
use super::labels::{Labels, Seen, Whence};
use super::opened::Opened;
use super::reading::{Read, Reading};
use super::split::Plan;
use super::{About, DENSE_LIMIT, Format, Samples, Splits};
use first::{First, is_word};
use rows::{Delimiter, Rows, number};
use words::{Words, is_label};

/// Names of the column of labels.
const LABELS: [&str; 4] = ["label", "labels", "target", "class"];

/// Reads a table of numbers, one sample in a line and the label in the last column, and splits its
/// rows.
///
/// Labels are numbers here; [`Reading::labels`] takes words too.
///
/// Between the fields are commas, semicolons, tabs, bars or blanks, whichever makes the most
/// numbers; fields may be quoted. Blank lines and those that begin with `#` are skipped. The first
/// line is a header if most of its fields, or that of the label, are names; if it is whole numbers
/// of which the last is no label of the other rows; if it counts the columns from 0 or 1. A column named
/// `label`, `labels`, `target` or `class` holds the labels wherever it is. A first column that
/// counts the rows is left out: distinct whole numbers below an empty name, or 0, 1, 2, … or 1, 2,
/// 3, … below `index`, `id`, `row` or `#`, or in a table of eight rows or more without names.
/// [`Reading`] has settings for both, and says what was decided.
///
/// The rows are shuffled with `seed`; half of them (rounded up) become the training split, half of
/// the rest (rounded up) the validation split, and the others the test split.
///
/// # Errors
///
/// If the file cannot be read; if a field is not a finite number; if lines differ in their number
/// of fields; if there are no features or fewer than four rows.
///
/// ```
/// let file = tempfile::Builder::new().suffix(".csv").tempfile()?;
/// std::fs::write(&file, "height,width,label\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n")?;
/// let splits = models::data::read_csv(file.path(), 7)?;
/// assert_eq!((splits.train.len(), splits.valid.len(), splits.train.dim()), (2, 1, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_csv(path: &Path, seed: u64) -> Result<Splits, DataError> {
    let reading = Reading {
        seed,
        format: Some(Format::Csv),
        ..Reading::default()
    };
    reading.load(path).map(|loaded| loaded.splits)
}

pub(super) fn read(opened: Opened, file: &str, reading: &Reading) -> Result<Read, DataError> {
    let delimiter = Delimiter::of(&opened.sample);
    let mut table = Table::new(file, reading);
    table.read(Rows::new(opened.stream(), delimiter), reading.header)?;
    table.settle_header();
    table.settle_words();
    table.settle_index(reading.keep_index)?;
    let about = About {
        format: delimiter.name().into(),
        header: Some(table.header.take().unwrap_or_else(|| "none".into())),
        dropped: std::mem::take(&mut table.dropped),
        notes: std::mem::take(&mut table.notes),
        ..About::default()
    };
    let seen = std::mem::take(&mut table.seen);
    let samples = table.samples()?;
    let plan = Plan::of(samples.len(), reading, file)?;
    Ok(Read {
        splits: plan.gather(&samples, file.into()),
        about,
        seen,
    })
}

/// A table while it is read.
struct Table<'f> {
    file: &'f str,
    reading: &'f Reading,
    /// Names of all columns, if there is a header with them.
    names: Option<Vec<String>>,
    /// Fields of a line, once known.
    width: Option<usize>,
    /// The column of the label.
    label: usize,
    /// The first line and its number; the text for messages.
    first: Option<(First, u64, String)>,
    features: Vec<f64>,
    labels: Vec<f64>,
    /// The labels but that of a first line of numbers.
    seen: Seen,
    /// Labels that are words.
    words: Words,
    header: Option<String>,
    dropped: Vec<String>,
    notes: Vec<String>,
}

impl<'f> Table<'f> {
    fn new(file: &'f str, reading: &'f Reading) -> Self {
        Table {
            file,
            reading,
            names: None,
            width: None,
            label: 0,
            first: None,
            features: Vec::new(),
            labels: Vec::new(),
            seen: Seen::default(),
            words: Words::default(),
            header: None,
            dropped: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn read(
        &mut self,
        mut rows: Rows<impl std::io::BufRead>,
        header: Option<bool>,
    ) -> Result<(), DataError> {
        let unreadable = unreadable(self.file);
        let [mut first, mut row] = [ByteRecord::new(), ByteRecord::new()];
        let Some(line) = rows.next(&mut first).map_err(unreadable)? else {
            return Ok(());
        };
        let mut next = rows.next(&mut row).map_err(unreadable)?;
        let second = next.map(|_| &row);
        let words = self.reading.labels.are_mapped();
        let kind = First::of(&first, second, (header, words), (self.file, line))?;
        let text = first::text(&first);
        match kind {
            First::Names | First::Unnamed => {
                self.header = Some(format!("line {line}"));
                let name = |cell| String::from_utf8_lossy(cell).trim().to_owned();
                let mut names: Vec<String> = first.iter().map(name).collect();
                let columns = second.map_or(names.len(), ByteRecord::len);
                // The numbers of rows of R's tables have no name.
                if columns == names.len() + 1 && second.is_some_and(|row| is_whole(&row[0])) {
                    names.insert(0, String::new());
                }
                self.width = Some(names.len());
                if header == Some(true) && columns != names.len() {
                    self.width = Some(columns);
                } else {
                    self.names = Some(names);
                }
                self.place_label();
            }
            First::Numbers(_) | First::Sample => {
                self.width = Some(first.len());
                self.place_label();
                self.push(&first, line)?;
                if let First::Sample = kind {
                    self.see(line);
                }
            }
        }
        self.first = Some((kind, line, text));
        while let Some(line) = next {
            self.push(&row, line)?;
            self.see(line);
            next = rows.next(&mut row).map_err(unreadable)?;
        }
        Ok(())
    }

    /// Which column holds the labels: the one named so, else the last.
    fn place_label(&mut self) {
        let last = self.width.unwrap_or(0).saturating_sub(1);
        self.label = last;
        let Some(names) = &self.names else { return };
        let is_label = |name: &String| LABELS.contains(&&*name.to_lowercase());
        let mut named = (0..names.len()).filter(|column| is_label(&names[*column]));
        if let (Some(column), None) = (named.next(), named.next())
            && column != last
        {
            self.label = column;
            let name = excerpt(&names[column]);
            self.notes
                .push(format!("labels in column {}, `{name}`", column + 1));
        }
    }

    fn push(&mut self, row: &ByteRecord, line: u64) -> Result<(), DataError> {
        let expected = self.width.unwrap_or(row.len());
        if row.len() != expected {
            return Err(self.ragged(line, row.len(), expected));
        }
        for (column, field) in row.iter().enumerate() {
            if column == self.label {
                let label = self.label_of(field, line)?;
                self.labels.push(label);
            } else {
                let value = self.number_of(line, column, field)?;
                self.features.push(value);
            }
        }
        if self.features.len() > DENSE_LIMIT {
            return Err(DataError::TooLarge {
                file: self.file.into(),
                found: format!("more than {DENSE_LIMIT} numbers up to line {line}"),
                limit: format!("{DENSE_LIMIT}"),
            });
        }
        Ok(())
    }

    /// The number in a cell.
    fn number_of(&self, line: u64, column: usize, field: &[u8]) -> Result<f64, DataError> {
        let value = number(field).filter(|value| value.is_finite());
        let value = value.ok_or_else(|| self.malformed(line, column, field))?;
        let limit = self.reading.limit();
        if !limit.allows(value) {
            let place = format!("line {line}, column {}", column + 1);
            return Err(limit.beyond(self.file, place, value));
        }
        Ok(value)
    }

    /// The label in a cell: all are words where the first of them is one.
    fn label_of(&mut self, field: &[u8], line: u64) -> Result<f64, DataError> {
        let words = !self.words.is_empty();
        let first = self.labels.is_empty() && self.reading.labels.are_mapped();
        if (words && is_label(field)) || (first && is_word(field)) {
            return Ok(self.words.add(field, line));
        }
        if words {
            return Err(self.malformed(line, self.label, field));
        }
        self.number_of(line, self.label, field)
    }

    /// Takes note of the last label, if it is a number.
    fn see(&mut self, line: u64) {
        if let (Some(label), true) = (self.labels.last(), self.words.is_empty()) {
            self.seen.add(*label, || Whence::Line(line));
        }
    }

    /// The features of a row.
    fn dim(&self) -> usize {
        self.width.unwrap_or(0).saturating_sub(1)
    }

    fn samples(mut self) -> Result<Samples, DataError> {
        // What they grew to ahead of the rows.
        self.features.shrink_to_fit();
        self.labels.shrink_to_fit();
        if self.width == Some(1) && self.reading.labels != Labels::Series {
            return Err(DataError::Empty {
                file: self.file.into(),
                place: "the table, with one column for the labels,".into(),
                what: "features",
            });
        }
        Ok(Samples {
            features: DMatrix::from_vec(self.dim(), self.labels.len(), self.features).into(),
            labels: self.labels,
        })
    }

    fn ragged(&self, line: u64, found: usize, expected: usize) -> DataError {
        DataError::RaggedCsv {
            file: self.file.into(),
            line,
            found,
            expected,
        }
    }

    fn malformed(&self, line: u64, column: usize, field: &[u8]) -> DataError {
        let text = String::from_utf8_lossy(field);
        DataError::MalformedCsv {
            file: self.file.into(),
            line,
            column: column + 1,
            way_out: way_out(text.trim(), column == self.label),
            text: excerpt(&text),
        }
    }
}

/// Whether a field is a whole number.
fn is_whole(field: &[u8]) -> bool {
    number(field).is_some_and(|value| value.fract() == 0.0)
}
