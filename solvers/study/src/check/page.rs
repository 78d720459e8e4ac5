//! What is shown of checks.

use super::Record;
use crate::columns::{Column, table as of_columns};
use crate::format::short;
use crate::report::{Claim, Page, Section, Table};

/// The table of checks: a row for each.
pub fn table(records: &[Record]) -> Table {
    let verdict = |r: &Record| {
        let mut text = r.verdict.to_owned();
        if !r.place.is_empty() {
            text += &format!(", {}", r.place);
        }
        if let Some(why) = &r.reason {
            text += &format!(": {why}");
        }
        text
    };
    let columns = [
        Column::words("subject", |r: &Record| r.subject.clone()),
        Column::words("check", |r: &Record| r.check.to_owned()),
        Column::words("mode", |r: &Record| r.mode.to_owned()),
        Column::count("number", |r: &Record| r.number),
        Column::number("expected", |r: &Record| Some(r.expected), short),
        Column::number("got", |r: &Record| Some(r.got), short),
        Column::number("ratio", |r: &Record| Some(r.ratio), short),
        Column::words("verdict and place", verdict),
    ];
    of_columns("Each derivative against the other ways", &columns, records)
}

/// Comparisons that came to this verdict.
pub fn count(records: &[Record], verdict: &str) -> usize {
    let of = records.iter().filter(|r| r.verdict == verdict);
    of.map(|r| r.number).sum()
}

impl Page {
    /// Adds a section on checks of derivatives, and its claim.
    #[must_use]
    pub fn check(mut self, records: &[Record]) -> Self {
        if records.is_empty() {
            return self;
        }
        let [pass, mismatch] = ["pass", "mismatch"].map(|verdict| count(records, verdict));
        self.claims.push(Claim {
            text: "Derivatives agree with the other ways of finding them".into(),
            value: format!("{pass} comparisons pass, {mismatch} do not"),
            holds: mismatch == 0 && pass > 0,
        });
        self.sections.push(Section {
            title: "Derivatives checked".into(),
            text: "The ratio is the distance of what was expected and got, over the tolerance. A \
                   row that is unchecked says why nothing could be said."
                .into(),
            tables: vec![table(records)],
            plots: Vec::new(),
        });
        self
    }
}
