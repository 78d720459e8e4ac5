//! What is shown of strategies at one point.

use super::Record;
use crate::columns::{Column, table as of_columns};
use crate::format::{dash, short};
use crate::report::{Cell, Page, Plot, Section, Series, Style, Table, Unit};

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
        Column::time("time", |r: &Record| Some(r.seconds)),
        Column::bytes("peak", |r: &Record| Some(r.peak_bytes)),
    ];
    of_columns("Each strategy against the reference", &columns, records)
}

/// The table of errors on several problems: a row for each problem, a column for each strategy. A
/// strategy that failed has its status there, and one that was not run a dash.
pub fn matrix(records: &[Record]) -> Table {
    let mut strategies: Vec<&str> = Vec::new();
    for r in records {
        if !strategies.contains(&&*r.strategy) {
            strategies.push(&r.strategy);
        }
    }
    let cell = |of_one: &[Record], strategy: &str| -> Cell {
        match of_one.iter().find(|r| r.strategy == strategy) {
            Some(r) if r.success => match r.error_vs_exact {
                Some(error) => Cell::number(short(error), error),
                None => dash().into(),
            },
            Some(r) => r.status.into(),
            None => dash().into(),
        }
    };
    let row = |of_one: &[Record]| -> Vec<Cell> {
        let name = Cell::from(&*of_one[0].problem);
        let errors = strategies.iter().map(|strategy| cell(of_one, strategy));
        std::iter::once(name).chain(errors).collect()
    };
    let problems = records.chunk_by(|a, b| a.problem == b.problem);
    let names = strategies.iter().map(|s| (*s).to_owned());
    Table {
        caption: "Relative error of each strategy on each problem".into(),
        columns: std::iter::once("problem".to_owned()).chain(names).collect(),
        rows: problems.map(row).collect(),
        ..Table::default()
    }
}

impl Page {
    /// Adds a section on the strategies at one point of each problem, and before them, of several
    /// problems, one with the errors of all.
    #[must_use]
    pub fn compare(mut self, records: &[Record]) -> Self {
        let of_each: Vec<_> = records.chunk_by(|a, b| a.problem == b.problem).collect();
        if of_each.len() > 1 {
            self.sections.push(Section {
                title: "All problems".into(),
                text:
                    "A word in place of a number is the status of a strategy that failed; a dash \
                       stands where there is no reference, or the strategy does not suit the \
                       problem."
                        .into(),
                tables: vec![matrix(records)],
                plots: Vec::new(),
            });
        }
        self.sections.extend(of_each.into_iter().map(section));
        self
    }
}

fn section(records: &[Record]) -> Section {
    let against = records[0].reference.map_or_else(
        || "There is no reference to compare with.".to_owned(),
        |origin| {
            format!(
                "Errors are relative to the hypergradient by {}.",
                from(origin)
            )
        },
    );
    let left_out = records[0].left_out.iter();
    let text = left_out.fold(against, |text, more| format!("{text} Left out: {more}."));
    let calls = |r: &Record| (r.gradients + r.hvps) as f64;
    let plots = [
        plot(records, "oracle calls", Unit::Number, calls),
        plot(records, "bytes", Unit::Bytes, |r| r.peak_bytes as f64),
    ];
    Section {
        title: format!("Strategies at one point of {}", records[0].problem),
        text,
        tables: std::iter::once(table(records))
            .chain(remarks(records))
            .collect(),
        plots: plots.into_iter().filter(|p| !p.series.is_empty()).collect(),
    }
}

/// Failures and warnings in words, if there are any.
fn remarks(records: &[Record]) -> Option<Table> {
    let of_one = |r: &Record| {
        let failed = (!r.success).then(|| r.message.clone());
        let all = failed.into_iter().chain(r.warnings.iter().cloned());
        all.map(|text| vec![Cell::from(&*r.strategy), text.into()])
            .collect::<Vec<_>>()
    };
    let rows: Vec<_> = records.iter().flat_map(of_one).collect();
    (!rows.is_empty()).then(|| Table {
        caption: "Failures and warnings".into(),
        columns: vec!["strategy".into(), "what it says".into()],
        rows,
        ..Table::default()
    })
}

/// Where a reference comes from, in words.
fn from(origin: &str) -> &str {
    match origin {
        "exact" => "the strategy exact",
        "implicit" => "conjugate gradients, both levels as far as the precision goes",
        "closed-form" => "its closed form",
        "fixed-point" => "the fixed point of the steps",
        "forward-mode" => "forward mode through the steps",
        other => other,
    }
}

/// A dot for each strategy that has an error: how exact, and at what cost.
fn plot(records: &[Record], cost: &str, unit: Unit, of: impl Fn(&Record) -> f64) -> Plot {
    let dot = |r: &Record| {
        Some(Series {
            name: r.strategy.clone(),
            points: vec![(of(r), r.error_vs_exact?)],
            style: Style::Markers,
            ..Series::default()
        })
    };
    let label = match unit {
        Unit::Bytes => "peak",
        _ => "gradients + Hessian-vector products",
    };
    Plot {
        title: format!("Error against {cost}"),
        x_label: label.into(),
        y_label: "relative error".into(),
        x_log: true,
        y_log: true,
        x_unit: unit,
        y_zero: true,
        series: records.iter().filter_map(dot).collect(),
        ..Plot::default()
    }
}
