//! What `bilevel solve` shows of a run: a table, and a page with plots.

use autodiff::bytes::human_bytes;
use serde_json::{Map, Value};

use super::args::{Common, Solve};
use super::demo_page::notices;
use super::output::{short, table, time};
use super::provenance;
use crate::report::{Cell, Plot, Report, Section, Series, Style, Table};
use crate::study::solve::{Outcome, Record};

/// The first and the last record side by side.
pub(super) fn summary(problem: &str, method: &str, outcome: &Outcome) -> String {
    let Some((columns, rows)) = ends(outcome) else {
        return format!("{problem} by {method}: no iteration was made");
    };
    let mut text = format!("{problem} by {method}\n");
    text.push_str(&table(&columns, &rows));
    for (name, values) in [("x", &outcome.x), ("y", &outcome.y)] {
        if values.len() <= 8 {
            text.push_str(&format!("\n{name} = {values:?}"));
        }
    }
    text
}

/// The first and the last record as rows, with what the columns are; `None` without a record.
fn ends(outcome: &Outcome) -> Option<(Vec<&str>, [Vec<String>; 2])> {
    let (first, last) = (outcome.records.first()?, outcome.records.last()?);
    let mut columns = vec![
        "iteration",
        "upper",
        "‖∇_y g‖",
        "‖direction‖",
        "gradients",
        "HVPs",
    ];
    columns.extend(["time", "peak", "status"]);
    let metrics: Vec<&String> = last.metrics.keys().collect();
    columns.extend(metrics.iter().map(|m| m.as_str()));
    let row = |r: &Record| {
        let mut cells = vec![
            r.iteration.to_string(),
            short(r.upper),
            short(r.lower_residual),
            short(r.hypergradient_norm),
            r.gradients.to_string(),
            r.hvps.to_string(),
            time(r.seconds),
            human_bytes(r.peak_bytes),
            r.status.to_string(),
        ];
        cells.extend(
            metrics
                .iter()
                .map(|m| short(r.metric(m).unwrap_or(f64::NAN))),
        );
        cells
    };
    Some((columns, [row(first), row(last)]))
}

/// A plot of one quantity of several runs against time.
pub(super) fn against_time<'a>(
    title: &str,
    y_label: &str,
    runs: impl Iterator<Item = (&'a str, &'a [Record])>,
    quantity: impl Fn(&Record) -> f64,
) -> Plot {
    let series = runs.map(|(name, records)| Series {
        name: name.to_owned(),
        points: records.iter().map(|r| (r.seconds, quantity(r))).collect(),
        style: Style::Line,
        ..Series::default()
    });
    Plot {
        title: title.to_owned(),
        x_label: "seconds".into(),
        y_label: y_label.to_owned(),
        series: series.collect(),
        ..Plot::default()
    }
}

pub(super) fn page(problem: &str, args: &Solve, outcome: &Outcome, common: &Common) -> Report {
    let method = args.method.as_str();
    let runs = || std::iter::once((method, &outcome.records[..]));
    let mut plots = vec![
        against_time("Upper objective", "F(x, y)", runs(), |r| r.upper),
        Plot {
            y_log: true,
            ..against_time("Norm of the direction", "norm", runs(), |r| {
                r.hypergradient_norm
            })
        },
    ];
    let names: Map<String, Value> = outcome
        .records
        .first()
        .map_or_else(Map::new, |r| r.metrics.clone());
    for name in names.keys() {
        let quantity = |r: &Record| r.metric(name).unwrap_or(f64::NAN);
        plots.push(against_time(name, name, runs(), quantity));
    }
    Report {
        title: format!("{problem} by {method}"),
        subtitle: provenance(common),
        claims: Vec::new(),
        sections: vec![Section {
            title: "The run".into(),
            text: format!("{} outer iterations.", outcome.records.len()),
            tables: ends(outcome).map(first_and_last).into_iter().collect(),
            plots,
        }],
        notices: notices(args.problem.data.is_none()),
    }
}

fn first_and_last((columns, rows): (Vec<&str>, [Vec<String>; 2])) -> Table {
    let cells = |row: Vec<String>| row.into_iter().map(Cell::from).collect();
    Table {
        caption: "The first and the last iteration".into(),
        columns: columns.into_iter().map(str::to_owned).collect(),
        rows: rows.into_iter().map(cells).collect(),
    }
}
