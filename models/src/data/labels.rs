//! Labels that models can use, made of labels as files write them.

use super::DataError;
use super::error::{Place, excerpt};

/// More classes than that are no classes.
const MOST: usize = 10_000;

/// What the labels of a file become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// They stay what they are.
    #[default]
    AsWritten,
    /// They stay what they are, and are the targets of a regression.
    Targets,
    /// Two labels become −1 and +1, the smaller one first.
    Signs,
    /// k labels become 0, …, k − 1 in their order.
    Classes,
    /// They stay what they are, and are a series: rows keep their order, so that the splits follow one
    /// another in time, and need no features.
    Series,
}

impl Labels {
    /// Whether they are mapped, so that words can be labels too.
    pub(super) fn are_mapped(self) -> bool {
        matches!(self, Labels::Signs | Labels::Classes)
    }

    /// Whether they are numbers of a scale of their own.
    pub(super) fn are_targets(self) -> bool {
        matches!(self, Labels::Targets | Labels::Series)
    }
}

/// Where a label stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whence {
    /// On a line, from 1.
    Line(u64),
    /// In an array of a part of the data.
    Entry {
        part: usize,
        index: usize,
        array: String,
    },
    /// In an array of samples that may have been shuffled since they were read.
    Somewhere { part: usize, array: &'static str },
}

impl Whence {
    /// Which part of the data it is in, of data in parts.
    fn part(&self) -> Option<usize> {
        match self {
            Whence::Line(_) => None,
            Whence::Entry { part, .. } | Whence::Somewhere { part, .. } => Some(*part),
        }
    }
}

/// The labels that occur, in order, each with the place where it was met first.
#[derive(Default)]
pub(super) struct Seen {
    found: Vec<(f64, Whence)>,
    /// One label more than can be classes.
    beyond: Option<(f64, Whence)>,
    /// The words that labels 0, 1, … stand for, if they are words.
    pub(super) words: Vec<String>,
}

impl Seen {
    /// Takes note of a label.
    pub(super) fn add(&mut self, label: f64, at: impl FnOnce() -> Whence) {
        // −0 is 0.
        let label = label + 0.0;
        match self.found.binary_search_by(|(l, _)| l.total_cmp(&label)) {
            Ok(_) => {}
            Err(place) if self.found.len() < MOST => self.found.insert(place, (label, at())),
            Err(_) => {
                self.beyond.get_or_insert_with(|| (label, at()));
            }
        }
    }

    /// Takes note of the labels of an array.
    pub(super) fn add_array(&mut self, part: usize, array: &str, labels: &[f64]) {
        for (index, label) in labels.iter().enumerate() {
            let array = || array.to_owned();
            self.add(*label, || Whence::Entry {
                part,
                index,
                array: array(),
            });
        }
    }

    /// Takes note of the labels of samples that may have been shuffled.
    pub(super) fn add_samples(&mut self, part: usize, array: &'static str, labels: &[f64]) {
        for label in labels {
            self.add(*label, || Whence::Somewhere { part, array });
        }
    }

    /// A label as the file has it.
    fn written(&self, label: f64) -> String {
        match self.words.get(label as usize) {
            Some(word) => format!("`{}`", excerpt(word)),
            None => label.to_string(),
        }
    }

    /// Whether it is among them.
    pub(super) fn has(&self, label: f64) -> bool {
        self.found.iter().any(|(l, _)| *l == label)
    }

    /// How many there are, where they can be classes.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// What each label becomes.
    ///
    /// # Errors
    /// [`DataError::BadLabel`] if one is no whole number, or if there are more than two for
    /// [`Labels::Signs`] or than 10,000 for [`Labels::Classes`].
    pub(super) fn map(&self, labels: Labels, file: &str) -> Result<LabelMap, DataError> {
        let bad = |(value, at): &(f64, Whence), expected: String| DataError::BadLabel {
            file: file.into(),
            place: match at {
                Whence::Line(line) => format!("line {line}: the label"),
                Whence::Entry { index, array, .. } => Place { file, array }.entry(*index),
                Whence::Somewhere { array, .. } => format!("a label of `{array}`"),
            },
            value: self.written(*value),
            expected,
        };
        if !labels.are_mapped() {
            return Ok(LabelMap::default());
        }
        let met = {
            let mut met: Vec<_> = self.found.iter().collect();
            met.sort_by(|a, b| a.1.cmp(&b.1));
            met
        };
        if let Some(fraction) = met.iter().find(|(label, _)| label.fract() != 0.0) {
            let expected = "a whole number: targets are for a regression, such as `ridge`";
            return Err(bad(fraction, expected.into()));
        }
        let values: Vec<f64> = self.found.iter().map(|(label, _)| *label).collect();
        let to: Vec<f64> = match (labels, &values[..]) {
            (Labels::Signs, [_, _]) => vec![-1.0, 1.0],
            (Labels::Signs, []) => Vec::new(),
            (Labels::Signs, [1.0]) if self.words.is_empty() => vec![1.0],
            (Labels::Signs, [0.0 | -1.0]) if self.words.is_empty() => vec![-1.0],
            (Labels::Signs, [_]) => {
                return Err(bad(met[0], "two labels, where all are this one".into()));
            }
            (Labels::Signs, _) => {
                let mut two = [met[0].0, met[1].0];
                two.sort_by(f64::total_cmp);
                let [a, b] = two;
                let [a, b] = [a, b].map(|label| self.written(label));
                let expected = format!("no third label beside {{{a}, {b}}}");
                return Err(bad(met[2], expected));
            }
            _ => {
                if let Some(beyond) = &self.beyond {
                    let expected = format!("at most {MOST} different labels");
                    return Err(bad(beyond, expected));
                }
                if let Some(other) = self.other_convention() {
                    let expected = "either {-1, 1} or {0, 1} in all parts".into();
                    return Err(bad(other, expected));
                }
                (0..values.len()).map(|class| class as f64).collect()
            }
        };
        Ok(LabelMap {
            pairs: values.into_iter().zip(to).collect(),
        })
    }

    /// Of labels −1, 0 and 1 the later one of −1 and 0, if they begin in two parts of the data: one
    /// part has signs, the other classes, and there are two classes, not three.
    fn other_convention(&self) -> Option<&(f64, Whence)> {
        let [a @ (-1.0, _), b @ (0.0, _), (1.0, _)] = &self.found[..] else {
            return None;
        };
        match (a.1.part(), b.1.part()) {
            (Some(of_a), Some(of_b)) if of_a != of_b => Some(if of_a > of_b { a } else { b }),
            _ => None,
        }
    }
}

/// What each label became.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LabelMap {
    /// Labels as written, ascending, with what they became; none where all stay.
    pub(super) pairs: Vec<(f64, f64)>,
}

impl LabelMap {
    /// The number of classes, of a map to classes.
    pub(super) fn classes(&self) -> usize {
        self.pairs.len().max(2)
    }

    /// The scores of a linear model for labels that became these.
    pub(super) fn outputs(&self, labels: Labels) -> usize {
        match labels {
            Labels::Classes => self.classes(),
            Labels::Signs | Labels::Targets | Labels::Series | Labels::AsWritten => 1,
        }
    }

    /// Whether it changes a label.
    pub(super) fn moves(&self) -> bool {
        self.pairs.iter().any(|(from, to)| from != to)
    }

    /// Maps labels that have been seen.
    pub(super) fn apply(&self, labels: &mut [f64]) {
        let moves = self.moves();
        for label in labels.iter_mut().filter(|_| moves) {
            let at = |from: &f64| from.total_cmp(&(*label + 0.0));
            let place = self.pairs.binary_search_by(|(from, _)| at(from));
            *label = self.pairs[place.expect("every label was seen")].1;
        }
    }
}
