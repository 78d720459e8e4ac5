//! Names with numbers behind colons: `momentum:0.9`, `box:0:1`.

use super::{Row, nearest};

/// A name that stands for a value with numbers in it.
#[derive(Debug)]
pub struct Numbered<S> {
    /// The name, with its numbers in capitals.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// The value with these numbers, if it takes as many.
    pub(crate) make: fn(&[f64]) -> Option<S>,
}

/// A name that is none of its list, or numbers that make none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct ParseNameError {
    name: String,
    reason: String,
}

impl<S> Numbered<S> {
    /// The name before its numbers.
    fn kind(&self) -> &'static str {
        self.name.split(':').next().unwrap_or_default()
    }

    /// As lists show it.
    pub fn row(&self) -> Row {
        Row {
            name: self.name,
            about: self.about,
        }
    }

    /// Reads a name of a list; `complaint` says what is wrong with the numbers of one that it has.
    pub(crate) fn parse(
        all: &[Self],
        name: &str,
        complaint: impl Fn(&S) -> Option<String>,
    ) -> Result<S, ParseNameError> {
        let mut parts = name.split(':');
        let kind = parts.next().unwrap_or_default();
        let numbers: Option<Vec<f64>> = parts.map(|n| n.parse().ok()).collect();
        let entry = all.iter().find(|entry| entry.kind() == kind);
        let made = entry.zip(numbers);
        let reason = match made.and_then(|(entry, numbers)| (entry.make)(&numbers)) {
            Some(value) => match complaint(&value) {
                Some(reason) => reason,
                None => return Ok(value),
            },
            None => {
                let near = nearest(kind, all.iter().map(Self::kind)).filter(|near| *near != kind);
                let hint = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
                let names: Vec<String> = all.iter().map(|e| format!("`{}`", e.name)).collect();
                format!("{hint}expected one of {}", names.join(", "))
            }
        };
        Err(ParseNameError::new(name, reason))
    }
}

impl ParseNameError {
    pub(crate) fn new(name: &str, reason: String) -> Self {
        ParseNameError {
            name: name.to_owned(),
            reason,
        }
    }
}
