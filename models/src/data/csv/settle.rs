//! What is decided once all rows are read: a header of numbers, words, and a column that counts.

use super::super::error::{DataError, excerpt};
use super::super::labels::Whence;
use super::Table;
use super::first::{First, Others, are_names, numbered};
use super::index::is_index;

impl Table<'_> {
    /// Decides whether a first line of numbers is a header.
    pub(super) fn settle_header(&mut self) {
        let Some((First::Numbers(cells), line, text)) = &self.first else {
            return;
        };
        let (dim, label) = (self.dim(), self.labels[0]);
        let targets = self.reading.labels.are_targets();
        let others = Others {
            rows: self.labels.len() - 1,
            labels: self.seen.count(),
            // A target is seldom that of another sample.
            has_label: targets || self.seen.has(label),
            fractions: self.features[dim..].iter().any(|v| v.fract() != 0.0),
        };
        match numbered(cells, label, &others) {
            Some(why) => {
                self.header = Some(format!(
                    "line {line}, `{text}`, as {why} (--header no if it is a sample)"
                ));
                self.features.drain(..dim);
                self.labels.remove(0);
            }
            None => {
                self.seen.add(label, || Whence::Line(*line));
                if targets && others.fractions && are_names(cells) {
                    self.notes.push(format!(
                        "line {line}, `{text}`, is a sample (--header yes if it is none)"
                    ));
                }
            }
        }
    }

    /// Puts labels that are words in their order.
    pub(super) fn settle_words(&mut self) {
        let words = std::mem::take(&mut self.words);
        if words.is_empty() {
            return;
        }
        let (ordered, places) = words.ordered();
        for label in &mut self.labels {
            *label = places[*label as usize];
        }
        for (i, (_, line)) in ordered.iter().enumerate() {
            self.seen.add(i as f64, || Whence::Line(*line));
        }
        self.seen.words = ordered.into_iter().map(|(word, _)| word).collect();
    }

    /// Leaves out a first column that counts the rows.
    pub(super) fn settle_index(&mut self, keep: bool) -> Result<(), DataError> {
        let dim = self.dim();
        if dim < 1 || self.label == 0 || self.labels.is_empty() {
            return Ok(());
        }
        let name = self.names.as_ref().map(|names| &*names[0]);
        let values: Vec<f64> = self.features.iter().step_by(dim).copied().collect();
        // Without a name, the only feature of a table is one.
        let is_index = (name.is_some() || dim > 1) && is_index(name, &values);
        if let (Some((First::Unnamed, line, _)), false) = (&self.first, is_index) {
            return Err(self.malformed(*line, 0, b""));
        }
        if !is_index || keep {
            return Ok(());
        }
        let named = match name {
            None | Some("") => String::new(),
            Some(name) => format!(", `{}`,", excerpt(name)),
        };
        self.dropped.push(format!(
            "column 1{named} which counts the rows (--keep-index)"
        ));
        let mut place = 0;
        self.features.retain(|_| {
            place += 1;
            (place - 1) % dim != 0
        });
        self.width = self.width.map(|width| width - 1);
        Ok(())
    }
}
