//! Labels that are words.

use std::collections::HashMap;

use super::super::error::is_missing;

/// Words in the order in which they were met, each with the line where that was.
#[derive(Default)]
pub(super) struct Words {
    found: HashMap<String, (usize, u64)>,
}

impl Words {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The number that stands for a word.
    pub(super) fn add(&mut self, cell: &[u8], line: u64) -> f64 {
        let (word, next) = (text(cell), self.found.len());
        self.found.entry(word).or_insert((next, line)).0 as f64
    }

    /// The words in their order with their lines, and for each number that stood for one its place
    /// in that order.
    pub(super) fn ordered(self) -> (Vec<(String, u64)>, Vec<f64>) {
        let mut words: Vec<_> = self.found.into_iter().collect();
        words.sort_unstable();
        let mut places = vec![0.0; words.len()];
        for (place, (_, (number, _))) in words.iter().enumerate() {
            places[*number] = place as f64;
        }
        let lined = words.into_iter().map(|(word, (_, line))| (word, line));
        (lined.collect(), places)
    }
}

/// Whether a cell can be a label among words: whatever is no mark of a missing one.
pub(super) fn is_label(cell: &[u8]) -> bool {
    !is_missing(&text(cell))
}

fn text(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).trim().to_owned()
}
