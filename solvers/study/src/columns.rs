//! Tables of records: each column is said once, for the terminal and for a page.

use std::fmt;

use crate::format::{bytes, dash, percent, time};
use crate::report::{Cell, Table, Unit};

/// A column of a table of records.
pub struct Column<'a, R> {
    title: String,
    text: Box<dyn Fn(&R) -> String + 'a>,
    value: Value<'a, R>,
    unit: Unit,
    more: Vec<(String, Value<'a, R>)>,
}

/// What a page sorts a cell by, or a number that its text tells too.
type Value<'a, R> = Box<dyn Fn(&R) -> Option<f64> + 'a>;

impl<'a, R> Column<'a, R> {
    /// What a cell says, and what a page sorts it by.
    pub fn new(
        title: impl Into<String>,
        text: impl Fn(&R) -> String + 'a,
        value: impl Fn(&R) -> Option<f64> + 'a,
    ) -> Self {
        Column {
            title: title.into(),
            text: Box::new(text),
            value: Box::new(value),
            unit: Unit::Number,
            more: Vec::new(),
        }
    }

    /// The column with its numbers in a unit, which downloads name.
    #[must_use]
    pub fn unit(self, unit: Unit) -> Self {
        Column { unit, ..self }
    }

    /// The column with another number that its text tells, such as the end of a range, for
    /// downloads.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Fn(&R) -> Option<f64> + 'a) -> Self {
        self.more.push((name.into(), Box::new(value)));
        self
    }

    /// Words, or numbers that a page reads itself.
    pub fn words(title: impl Into<String>, text: impl Fn(&R) -> String + 'a) -> Self {
        Self::new(title, text, |_| None)
    }

    /// A number in this form, or a dash.
    pub fn number(
        title: impl Into<String>,
        value: impl Fn(&R) -> Option<f64> + Copy + 'a,
        form: fn(f64) -> String,
    ) -> Self {
        Self::new(title, move |r| value(r).map_or(dash(), form), value)
    }

    /// Seconds, or a dash.
    pub fn time(title: impl Into<String>, seconds: impl Fn(&R) -> Option<f64> + Copy + 'a) -> Self {
        Self::number(title, seconds, time).unit(Unit::Seconds)
    }

    /// Bytes, or a dash.
    pub fn bytes(
        title: impl Into<String>,
        count: impl Fn(&R) -> Option<usize> + Copy + 'a,
    ) -> Self {
        let count = move |r: &R| count(r).map(|bytes| bytes as f64);
        Self::number(title, count, bytes).unit(Unit::Bytes)
    }

    /// Parts of a hundred, or a dash.
    pub fn percent(
        title: impl Into<String>,
        value: impl Fn(&R) -> Option<f64> + Copy + 'a,
    ) -> Self {
        Self::number(title, value, percent).unit(Unit::Percent)
    }

    /// A whole number.
    pub fn count(title: impl Into<String>, count: impl Fn(&R) -> usize + Copy + 'a) -> Self {
        Self::new(
            title,
            move |r| count(r).to_string(),
            move |r| Some(count(r) as f64),
        )
    }
}

impl<R> fmt::Debug for Column<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", self.title)
    }
}

/// The table of some records: a row for each.
pub fn table<'r, R: 'r>(
    caption: impl Into<String>,
    columns: &[Column<'_, R>],
    records: impl IntoIterator<Item = &'r R>,
) -> Table {
    let cell = |c: &Column<'_, R>, r: &R| Cell {
        text: (c.text)(r),
        sort: (c.value)(r),
        more: c
            .more
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value(r)?)))
            .collect(),
    };
    let row = |r: &R| columns.iter().map(|c| cell(c, r)).collect();
    Table {
        caption: caption.into(),
        columns: columns.iter().map(|c| c.title.clone()).collect(),
        units: columns.iter().map(|c| c.unit).collect(),
        rows: records.into_iter().map(row).collect(),
    }
}
