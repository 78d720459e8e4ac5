//! What is shown of schedules.

use super::Record;
use crate::columns::{Column, table as of_columns};
use crate::format::bytes;
use crate::report::{Page, Section, Table};

/// The table of schedules: a row for each.
pub fn table(records: &[Record]) -> Table {
    let peak = |r: &Record| Some(r.predicted_bytes as f64);
    let exact = |r: &Record| {
        format!(
            "{0} ({1})",
            r.predicted_bytes,
            bytes(r.predicted_bytes as f64)
        )
    };
    let again = |n: Option<usize>| n.map_or("grows with depth".into(), |n| n.to_string());
    let mut columns = vec![
        Column::words("policy", |r: &Record| r.policy.clone()),
        Column::words("depth", |r: &Record| {
            r.depth.map_or("any".into(), |d| d.to_string())
        }),
        Column::new("peak", exact, peak),
        Column::words("run again", move |r: &Record| again(r.recomputed_steps)),
        Column::words("fits", |r: &Record| {
            if r.fits { "yes" } else { "no" }.into()
        }),
    ];
    if records.iter().any(|r| r.disk_budget > 0) {
        let disk = Column::bytes("on disk", |r: &Record| Some(r.predicted_disk_bytes));
        columns.insert(3, disk);
    }
    of_columns("Each schedule", &columns, records)
}

impl Page {
    /// Adds a section on schedules for a budget.
    #[must_use]
    pub fn plan(mut self, records: &[Record]) -> Self {
        if let Some(first) = records.first() {
            self.sections.push(Section {
                title: format!("Unrolled loops in {}", bytes(first.budget as f64)),
                text: "Peaks are predicted; nothing was run.".into(),
                tables: vec![table(records)],
                plots: Vec::new(),
            });
        }
        self
    }
}
