//! What `bilevel solve` shows of a run: a table, and a page with plots.

use autodiff::bytes::human_bytes;
use serde_json::{Map, Value};
use study::report::{Plot, Report, Section};
use study::solve::{Outcome, Record};

use super::args::{Common, Solve};
use super::columns::{Column, table, terminal};
use super::output::{short, time};
use super::pages::{against_time, notices, provenance};

/// The first and the last record side by side.
pub(super) fn summary(problem: &str, method: &str, outcome: &Outcome) -> String {
    let Some((first, last)) = ends(outcome) else {
        return format!("{problem} by {method}: no iteration was made");
    };
    let mut text = format!("{problem} by {method}\n");
    text.push_str(&terminal(&columns(last), [first, last]));
    for (name, values) in [("x", &outcome.x), ("y", &outcome.y)] {
        if values.len() <= 8 {
            text.push_str(&format!("\n{name} = {values:?}"));
        }
    }
    text
}

/// The first and the last record, if there is one.
fn ends(outcome: &Outcome) -> Option<(&Record, &Record)> {
    Some((outcome.records.first()?, outcome.records.last()?))
}

/// The columns of a table of records, with the metrics of one of them. A page sorts them by what
/// they say.
fn columns(of: &Record) -> Vec<Column<'_, Record>> {
    let mut columns = vec![
        Column::words("iteration", |r: &Record| r.iteration.to_string()),
        Column::words("upper", |r: &Record| short(r.upper)),
        Column::words("‖∇_y g‖", |r: &Record| short(r.lower_residual)),
        Column::words("‖direction‖", |r: &Record| short(r.hypergradient_norm)),
        Column::words("gradients", |r: &Record| r.gradients.to_string()),
        Column::words("HVPs", |r: &Record| r.hvps.to_string()),
        Column::words("time", |r: &Record| time(r.seconds)),
        Column::words("peak", |r: &Record| human_bytes(r.peak_bytes)),
        Column::words("status", |r: &Record| r.status.to_string()),
    ];
    columns.extend(
        of.metrics.keys().map(|name| {
            Column::words(name, |r: &Record| short(r.metric(name).unwrap_or(f64::NAN)))
        }),
    );
    columns
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
    let tables = ends(outcome).into_iter().map(|(first, last)| {
        table(
            "The first and the last iteration",
            &columns(last),
            [first, last],
        )
    });
    Report {
        title: format!("{problem} by {method}"),
        subtitle: provenance(common),
        claims: Vec::new(),
        sections: vec![Section {
            title: "The run".into(),
            text: format!("{} outer iterations.", outcome.so_far.iteration),
            tables: tables.collect(),
            plots,
        }],
        notices: notices(args.problem.data.is_none()),
    }
}
