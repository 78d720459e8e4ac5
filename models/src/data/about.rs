//! What a reader decided about a file, to be said and recorded.

use std::fmt;

use super::labels::LabelMap;
use super::{Features, Samples, Splits, Standardised};

/// Labels, or files that are left out, that are listed; of more the first and the last.
const LISTED: usize = 12;
/// Features whose standard deviations differ by more than this are said to.
const UNLIKE: f64 = 1e3;

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
    /// Entries that are kept of sparse features.
    pub entries: Option<usize>,
    /// The number of classes, if labels were asked for as [`Labels`](super::Labels) that are mapped.
    pub classes: Option<usize>,
    /// Each label of the file, ascending, with what it became; empty if labels were not asked for. A
    /// label that is a word stands as its place in [`words`](About::words).
    pub label_map: Vec<(f64, f64)>,
    /// The labels that are words, in their order; empty if labels are numbers.
    pub words: Vec<String>,
    /// What the targets are, if the labels were asked for as such.
    pub targets: Option<Targets>,
    /// Columns that were left out, and why.
    pub dropped: Vec<String>,
    /// What else was decided.
    pub notes: Vec<String>,
    /// Whether each rank holds its [own rows](super::Reading::own_rows), which is not in the text: that is
    /// the same on any number of them.
    pub own_rows: bool,
    /// The constants of [`Reading::standardise`](super::Reading::standardise).
    pub standardised: Option<Standardised>,
}

/// The targets of a regression as they are in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Targets {
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl About {
    /// Counts what was read.
    pub(super) fn count(&mut self, splits: &Splits) {
        let test = splits.test.as_ref().map_or(0, |test| test.len());
        self.file.clone_from(&splits.source);
        self.samples = [splits.train.len(), splits.valid.len(), test];
        self.features = splits.train.dim();
        let kept = |(_, part): (_, &Samples)| match &part.features {
            Features::Sparse(sparse) => Some(sparse.entries()),
            Features::Dense(_) | Features::Own(_) => None,
        };
        self.entries = splits.named().map(kept).sum();
        let own = |(_, part): (_, &Samples)| matches!(part.features, Features::Own(_));
        self.own_rows = splits.named().any(own);
    }

    /// Takes note of what labels became.
    pub(super) fn map(&mut self, map: LabelMap) {
        self.classes = (!map.pairs.is_empty()).then_some(map.pairs.len());
        self.label_map = map.pairs;
    }

    /// Takes note of the targets.
    pub(super) fn range(&mut self, splits: &Splits) {
        let all = || splits.named().flat_map(|(_, part)| &part.labels).copied();
        self.targets = Some(Targets {
            least: all().fold(f64::INFINITY, f64::min),
            most: all().fold(f64::NEG_INFINITY, f64::max),
        });
    }

    /// Says where features are of so unlike scales that methods hardly move.
    pub(super) fn compare_scales(&mut self, train: &Samples) {
        let deviations = Standardised::of(train).deviations;
        let varying = || deviations.iter().copied().filter(|d| *d > 0.0);
        let (least, most) = (
            varying().fold(f64::INFINITY, f64::min),
            varying().fold(0.0, f64::max),
        );
        if most > UNLIKE * least {
            self.notes.push(format!(
                "standard deviations of features from {least:.1e} to {most:.1e} (--standardise)"
            ));
        }
    }

    /// A label as the file has it.
    pub fn written(&self, label: f64) -> String {
        match self.words.get(label as usize) {
            Some(word) => word.clone(),
            None => label.to_string(),
        }
    }

    /// The labels in words.
    fn labels(&self) -> String {
        let moved = self.label_map.iter().any(|(from, to)| from != to);
        let one = |(from, to): &(f64, f64)| match moved || !self.words.is_empty() {
            true => format!("{} → {to}", self.written(*from)),
            false => from.to_string(),
        };
        listed(&Vec::from_iter(self.label_map.iter().map(one)))
    }
}

/// What is in a list, at most the first two and the last of a long one.
fn listed(all: &[String]) -> String {
    match all {
        [first, second, .., last] if all.len() > LISTED => format!("{first}, {second}, …, {last}"),
        _ => all.join(", "),
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
        if let Some(entries) = self.entries {
            let share = 100.0 * entries as f64 / (all * d) as f64;
            parts.push(format!("sparse: {entries} entries, {share:.2} %"));
        }
        if let Some(classes) = self.classes {
            let plural = if classes == 1 { "class" } else { "classes" };
            parts.push(format!("{classes} {plural}: labels {}", self.labels()));
        }
        if let Some(Targets { least, most }) = self.targets {
            parts.push(format!("{all} targets from {least} to {most}"));
        }
        let dropped = self.dropped.iter();
        parts.extend(dropped.map(|column| format!("left out: {column}")));
        parts.extend(self.notes.iter().cloned());
        if let Some(standardised) = &self.standardised {
            let what = match standardised.target {
                Some(_) => "features and targets standardised",
                None => "standardised",
            };
            parts.push(match standardised.constant() {
                0 => format!("{what} by the training samples"),
                constant => format!(
                    "{what} by the training samples, which share {constant} of {d} features, \
                     left as they are"
                ),
            });
        }
        write!(f, "data {}: {}", self.file, parts.join("; "))
    }
}

/// How a folder of images was read. Its text is one line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AboutImages {
    /// The folder.
    pub folder: String,
    /// `png`, `jpeg` or `png and jpeg`.
    pub format: &'static str,
    /// How many images there are.
    pub count: usize,
    /// Rows and columns of what is taken of each.
    pub side: usize,
    /// Rows and columns of the smallest and of the largest image.
    pub sizes: ((usize, usize), (usize, usize)),
    /// Files that are no images.
    pub left_out: Vec<String>,
    /// What else was decided.
    pub notes: Vec<String>,
}

impl fmt::Display for AboutImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, (least, most)) = (self.side, self.sizes);
        let size = |(rows, columns): (usize, usize)| format!("{rows} × {columns}");
        let plural = if self.count == 1 { "image" } else { "images" };
        let mut text = format!("{} {plural} of {}", self.count, size(least));
        if least != most {
            text += &format!(" to {}", size(most));
        }
        text += " pixels";
        if [least, most] != [(side, side); 2] {
            text += &format!(", each cut to its middle {}", size((side, side)));
        }
        let mut parts = vec![self.format.to_owned(), text];
        if !self.left_out.is_empty() {
            parts.push(format!("left out, no images: {}", listed(&self.left_out)));
        }
        parts.extend(self.notes.iter().cloned());
        write!(f, "data {}: {}", self.folder, parts.join("; "))
    }
}

/// How a user's data was read, of whichever kind it is. Its text is one line.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadData {
    /// A table.
    Table(About),
    /// Images.
    Images(AboutImages),
}

impl ReadData {
    /// The same with what else was decided.
    pub(crate) fn and(mut self, notes: Vec<String>) -> Self {
        match &mut self {
            ReadData::Table(about) => about.notes.extend(notes),
            ReadData::Images(about) => about.notes.extend(notes),
        }
        self
    }
}

impl fmt::Display for ReadData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadData::Table(about) => about.fmt(f),
            ReadData::Images(about) => about.fmt(f),
        }
    }
}
