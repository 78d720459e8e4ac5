//! What is set of a problem: how a user's data is read, with what came of it, and its part.

use std::str::FromStr;

use models::data::{Format, ReadData, Reading};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use solvers::FixedPart;
use solvers::catalogue::ParseNameError;

/// A choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum YesNo {
    /// It is so.
    Yes,
    /// It is not so.
    No,
}

/// A format of tables in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DataFormat {
    /// An archive of NumPy arrays.
    Npz,
    /// Rows of numbers.
    Csv,
    /// Rows of `label index:value …`.
    Libsvm,
}

/// The first index of a LIBSVM file: 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct FirstIndex(u8);

impl TryFrom<u8> for FirstIndex {
    type Error = String;

    fn try_from(index: u8) -> Result<Self, String> {
        match index {
            0 | 1 => Ok(FirstIndex(index)),
            _ => Err(format!("{index}: expected 0 or 1")),
        }
    }
}

impl FromStr for FirstIndex {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let index: u8 = text.parse().map_err(|_| "expected 0 or 1".to_owned())?;
        FirstIndex::try_from(index)
    }
}

impl From<FirstIndex> for u8 {
    fn from(index: FirstIndex) -> u8 {
        index.0
    }
}

/// A part of numbers, as text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GivenPart(pub FixedPart);

impl FromStr for GivenPart {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        text.parse().map(GivenPart)
    }
}

impl TryFrom<String> for GivenPart {
    type Error = ParseNameError;

    fn try_from(text: String) -> Result<Self, ParseNameError> {
        text.parse()
    }
}

impl From<GivenPart> for String {
    fn from(part: GivenPart) -> String {
        part.0.to_string()
    }
}

/// What `--part` is, and takes.
fn part_help() -> String {
    let names: Vec<String> = FixedPart::ALL
        .iter()
        .map(|e| format!("`{}`", e.name))
        .collect();
    format!(
        "What the lower level has beside g, of a problem that has nothing there: {}, see `bilevel \
         list`",
        names.join(", ")
    )
}

/// What is set of a problem, each setting absent unless it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, clap::Args)]
pub struct GivenProblem {
    /// Whether the first line of a table of text is a header [default: by what is in it]
    #[arg(long, value_name = "yes|no", hide_possible_values = true)]
    pub header: Option<YesNo>,
    /// First index of a LIBSVM file [default: 0 if it occurs, else 1]
    #[arg(long, value_name = "0|1", allow_negative_numbers = true)]
    pub first_index: Option<FirstIndex>,
    /// Format of the data file [default: by its name, else by what is in it]
    #[arg(long, value_name = "NAME")]
    pub format: Option<DataFormat>,
    /// Keep a column that counts the rows among the features
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", hide_possible_values = true)]
    pub keep_index: Option<bool>,
    /// Bring features, and targets, to mean 0 and standard deviation 1, by constants of the
    /// training samples
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", hide_possible_values = true)]
    pub standardise: Option<bool>,
    /// What the lower level has beside g.
    #[arg(long, value_name = "KIND", help = part_help())]
    pub part: Option<GivenPart>,
}

impl GivenProblem {
    /// Its keys in files.
    pub const KEYS: [&str; 6] = [
        "header",
        "first_index",
        "format",
        "keep_index",
        "standardise",
        "part",
    ];

    /// These settings where given, else those of `other`.
    #[must_use]
    pub fn or(self, other: GivenProblem) -> GivenProblem {
        GivenProblem {
            header: self.header.or(other.header),
            first_index: self.first_index.or(other.first_index),
            format: self.format.or(other.format),
            keep_index: self.keep_index.or(other.keep_index),
            standardise: self.standardise.or(other.standardise),
            part: self.part.or(other.part),
        }
    }

    /// How a data file is read.
    pub fn reading(&self) -> Reading {
        Reading {
            format: self.format.map(|format| match format {
                DataFormat::Npz => Format::Npz,
                DataFormat::Csv => Format::Csv,
                DataFormat::Libsvm => Format::Libsvm,
            }),
            header: self.header.map(|header| header == YesNo::Yes),
            first_index: self.first_index.map(u8::from),
            keep_index: self.keep_index == Some(true),
            standardise: self.standardise == Some(true),
            ..Reading::default()
        }
    }
}

/// What a reader decided about a user's data, as a part of a record.
pub fn record(read: &ReadData) -> Value {
    let about = match read {
        ReadData::Table(about) => about,
        ReadData::Images(about) => {
            return json!({
                "format": about.format,
                "images": about.count,
                "side": about.side,
                "sizes": about.sizes,
                "left_out": about.left_out,
                "notes": about.notes,
            });
        }
    };
    let [train, valid, test] = about.samples;
    let standardised = about.standardised.as_ref();
    let label = |label: f64| match about.words.get(label as usize) {
        Some(word) => Value::from(&**word),
        None => label.into(),
    };
    let map = about.label_map.iter();
    let label_map: Vec<Value> = map.map(|(from, to)| json!([label(*from), to])).collect();
    json!({
        "format": about.format,
        "header": about.header,
        "samples": { "train": train, "valid": valid, "test": test },
        "features": about.features,
        "entries": about.entries,
        "classes": about.classes,
        "label_map": label_map,
        "targets": about.targets.map(|t| json!({ "least": t.least, "most": t.most })),
        "dropped": about.dropped,
        "notes": about.notes,
        "standardised": standardised
            .map(|constants| json!({
                "means": constants.means,
                "deviations": constants.deviations,
                "target": constants.target,
            })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_goes_before() {
        let given = GivenProblem {
            header: Some(YesNo::No),
            standardise: Some(false),
            ..GivenProblem::default()
        };
        let file = GivenProblem {
            header: Some(YesNo::Yes),
            first_index: Some(FirstIndex(0)),
            standardise: Some(true),
            ..GivenProblem::default()
        };
        let both = given.or(file);
        let expected = Reading {
            header: Some(false),
            first_index: Some(0),
            ..Reading::default()
        };
        assert_eq!(both.reading(), expected);
    }
}
