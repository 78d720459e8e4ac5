//! What a reader decided about a file, to be said and recorded.

use std::fmt;

use super::labels::LabelMap;
use super::{Splits, Standardised};

/// Labels that are listed; of more the first and the last.
const LISTED: usize = 12;

/// How a data set was read. Its text is one line.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct About {
    /// The file, pair or folder.
    pub file: String,
    /// Its format, such as `csv with semicolons, gzip`.
    pub format: String,
    /// Of rows of numbers the line that was taken as a header, and why, or `none`.
    pub header: Option<String>,
    /// Training, validation and test samples.
    pub samples: [usize; 3],
    /// Features of a sample.
    pub features: usize,
    /// The number of classes, if labels were asked for as [`Labels`](super::Labels) other than
    /// `AsWritten`.
    pub classes: Option<usize>,
    /// Each label of the file, ascending, with what it became; empty if labels were not asked for.
    pub label_map: Vec<(f64, f64)>,
    /// Columns that were left out, and why.
    pub dropped: Vec<String>,
    /// What else was decided.
    pub notes: Vec<String>,
    /// The constants of [`Reading::standardise`](super::Reading::standardise).
    pub standardised: Option<Standardised>,
}

impl About {
    /// Counts what was read.
    pub(super) fn count(&mut self, splits: &Splits) {
        let test = splits.test.as_ref().map_or(0, |test| test.len());
        self.file.clone_from(&splits.source);
        self.samples = [splits.train.len(), splits.valid.len(), test];
        self.features = splits.train.dim();
    }

    /// Takes note of what labels became.
    pub(super) fn map(&mut self, map: LabelMap) {
        self.classes = (!map.pairs.is_empty()).then_some(map.pairs.len());
        self.label_map = map.pairs;
    }

    /// The labels in words.
    fn labels(&self) -> String {
        let moved = self.label_map.iter().any(|(from, to)| from != to);
        let one = |(from, to): &(f64, f64)| match moved {
            true => format!("{from} → {to}"),
            false => from.to_string(),
        };
        let all: Vec<String> = self.label_map.iter().map(one).collect();
        match &all[..] {
            [first, second, .., last] if all.len() > LISTED => {
                format!("{first}, {second}, …, {last}")
            }
            _ => all.join(", "),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, valid, test] = self.samples;
        let (all, d) = (train + valid + test, self.features);
        let mut parts = vec![self.format.clone()];
        parts.extend(self.header.iter().map(|header| format!("header {header}")));
        parts.push(format!(
            "n = {all} ({train} to train, {valid} to validate, {test} to test), d = {d}"
        ));
        if let Some(classes) = self.classes {
            let plural = if classes == 1 { "class" } else { "classes" };
            parts.push(format!("{classes} {plural}: labels {}", self.labels()));
        }
        let dropped = self.dropped.iter();
        parts.extend(dropped.map(|column| format!("left out: {column}")));
        parts.extend(self.notes.iter().cloned());
        if let Some(standardised) = &self.standardised {
            parts.push(match standardised.constant() {
                0 => "standardised by the training samples".into(),
                constant => format!(
                    "standardised by the training samples, which share {constant} of {d} features, \
                     left as they are"
                ),
            });
        }
        write!(f, "data {}: {}", self.file, parts.join("; "))
    }
}

/// How a user's data was read, of whichever kind it is. Its text is one line.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadData {
    /// A table.
    Table(About),
    /// Square images of one size.
    Images {
        /// The folder that they are from.
        folder: String,
        /// How many there are.
        count: usize,
        /// Rows and columns of each.
        side: usize,
    },
}

impl fmt::Display for ReadData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadData::Table(about) => about.fmt(f),
            ReadData::Images {
                folder,
                count,
                side,
            } => write!(
                f,
                "data {folder}: png; {count} images, cut to {side} × {side} pixels"
            ),
        }
    }
}
