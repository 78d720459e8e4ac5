//! What is shown of strategies at one point.

use super::Record;
use crate::columns::{Column, table as of_columns};
use crate::format::{bytes, short, time};
use crate::report::{Page, Section, Table};

/// The table of strategies: a row for each.
pub fn table(records: &[Record]) -> Table {
    let columns = [
        Column::words("strategy", |r: &Record| r.strategy.clone()),
        Column::words("status", |r: &Record| r.status.to_owned()),
        Column::number("rel. error", |r: &Record| r.error_vs_exact, short),
        Column::number("norm", |r: &Record| Some(r.norm), short),
        Column::number("‖∇_y g‖", |r: &Record| Some(r.lower_residual), short),
        Column::number("distance", |r: &Record| r.distance, short),
        Column::number("lin. residual", |r: &Record| r.linear_residual, short),
        Column::count("gradients", |r: &Record| r.gradients),
        Column::count("HVPs", |r: &Record| r.hvps),
        Column::number("time", |r: &Record| Some(r.seconds), time),
        Column::number("peak", |r: &Record| Some(r.peak_bytes as f64), bytes),
    ];
    of_columns("Each strategy against the reference", &columns, records)
}

impl Page {
    /// Adds a section on the strategies at one point of each problem.
    #[must_use]
    pub fn compare(mut self, records: &[Record]) -> Self {
        let of_each = records.chunk_by(|a, b| a.problem == b.problem);
        self.sections.extend(of_each.map(section));
        self
    }
}

fn section(records: &[Record]) -> Section {
    let message = |r: &Record| format!("{}: {}.", r.strategy, r.message);
    let messages: Vec<String> = records.iter().map(message).collect();
    Section {
        title: format!("Strategies at one point of {}", records[0].problem),
        text: messages.join("\n\n"),
        tables: vec![table(records)],
        plots: Vec::new(),
    }
}
