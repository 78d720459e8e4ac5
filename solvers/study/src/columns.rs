//! Tables of records: each column is said once, for the terminal and for a page.

use std::fmt;

use crate::format::dash;
use crate::report::{Cell, Table};

/// A column of a table of records.
pub struct Column<'a, R> {
    title: String,
    text: Box<dyn Fn(&R) -> String + 'a>,
    value: Value<'a, R>,
}

/// What a page sorts a cell by.
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
        }
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
    };
    let row = |r: &R| columns.iter().map(|c| cell(c, r)).collect();
    Table {
        caption: caption.into(),
        columns: columns.iter().map(|c| c.title.clone()).collect(),
        rows: records.into_iter().map(row).collect(),
    }
}
