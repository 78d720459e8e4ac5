//! What `bilevel compare` shows of its records.

use study::compare::Record;
use study::report::{Report, Section};

use super::args::Common;
use super::columns::{Column, table};
use super::output::{bytes, short, time};
use super::pages::{notices, provenance};

/// The columns of a table of strategies.
pub(super) fn columns() -> [Column<'static, Record>; 11] {
    [
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
    ]
}

/// The page.
pub(super) fn page(records: &[Record], common: &Common, embedded: bool) -> Report {
    let of_each: Vec<&[Record]> = records.chunk_by(|a, b| a.problem == b.problem).collect();
    let names: Vec<&str> = of_each.iter().map(|r| &*r[0].problem).collect();
    let section = |records: &&[Record]| {
        let messages: Vec<String> = records
            .iter()
            .map(|r| format!("{}: {}.", r.strategy, r.message))
            .collect();
        Section {
            title: format!("Strategies at one point of {}", records[0].problem),
            text: messages.join("\n\n"),
            tables: vec![table(
                "Each strategy against the reference",
                &columns(),
                *records,
            )],
            plots: Vec::new(),
        }
    };
    Report {
        title: format!("Hypergradients of {}", names.join(", ")),
        subtitle: provenance(common),
        claims: Vec::new(),
        sections: of_each.iter().map(section).collect(),
        notices: notices(embedded),
    }
}
