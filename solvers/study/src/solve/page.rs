//! What is shown of runs.

use std::fmt;

use super::{Outcome, Record};
use crate::columns::{Column, table as of_columns};
use crate::format::{bytes, short, time};
use crate::report::{Page, Plot, Section, Series, Style, Table};

/// The table of a run: a row for each record, with the metrics of the last one.
pub fn table<'r>(records: impl IntoIterator<Item = &'r Record>) -> Table {
    let records: Vec<&Record> = records.into_iter().collect();
    // A page sorts these by what they say.
    let mut columns = vec![
        Column::words("iteration", |r: &Record| r.iteration.to_string()),
        Column::words("upper", |r: &Record| short(r.upper)),
        Column::words("‖∇_y g‖", |r: &Record| short(r.lower_residual)),
        Column::words("‖direction‖", |r: &Record| short(r.hypergradient_norm)),
        Column::words("gradients", |r: &Record| r.gradients.to_string()),
        Column::words("HVPs", |r: &Record| r.hvps.to_string()),
        Column::words("time", |r: &Record| time(r.seconds)),
        Column::words("peak", |r: &Record| bytes(r.peak_bytes as f64)),
        Column::words("status", |r: &Record| r.status.to_string()),
    ];
    let names = records.last().into_iter().flat_map(|r| r.metrics.keys());
    columns.extend(names.map(|name| {
        Column::words(name, move |r: &Record| {
            short(r.metric(name).unwrap_or(f64::NAN))
        })
    }));
    of_columns("", &columns, records.iter().copied())
}

/// The first and the last record, if there is one.
fn ends(outcome: &Outcome) -> Option<[&Record; 2]> {
    Some([outcome.records.first()?, outcome.records.last()?])
}

/// The first and the last record side by side, and where a small problem ended.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome {
            problem, method, ..
        } = self;
        let Some(ends) = ends(self) else {
            return write!(f, "{problem} by {method}: no iteration was made");
        };
        write!(f, "{problem} by {method}\n{}", table(ends))?;
        for (name, values) in [("x", &self.x), ("y", &self.y)] {
            if values.len() <= 8 {
                write!(f, "\n{name} = {values:?}")?;
            }
        }
        Ok(())
    }
}

impl Page {
    /// Adds a section on runs of one problem: a curve for each in every plot.
    #[must_use]
    pub fn solve(mut self, runs: &[Outcome]) -> Self {
        if !runs.is_empty() {
            self.sections.push(section(runs));
        }
        self
    }
}

fn section(outcomes: &[Outcome]) -> Section {
    let runs = || outcomes.iter().map(|o| (o.method.as_str(), &o.records[..]));
    let norm = |r: &Record| r.hypergradient_norm;
    let mut plots = vec![
        against_time("Upper objective", "F(x, y)", runs(), |r| r.upper),
        Plot {
            y_log: true,
            ..against_time("Norm of the direction", "norm", runs(), norm)
        },
    ];
    let names = outcomes.iter().flat_map(|o| o.records.first());
    let names = names.take(1).flat_map(|r| r.metrics.keys());
    plots.extend(names.map(|name| {
        let quantity = |r: &Record| r.metric(name).unwrap_or(f64::NAN);
        against_time(name, name, runs(), quantity)
    }));
    let made = |o: &Outcome| match outcomes.len() {
        1 => format!("{} outer iterations.", o.so_far.iteration),
        _ => format!("{}: {} outer iterations.", o.method, o.so_far.iteration),
    };
    let table = |o: &Outcome| {
        let caption = match outcomes.len() {
            1 => "The first and the last iteration".to_owned(),
            _ => format!("The first and the last iteration of {}", o.method),
        };
        let table = table(ends(o)?);
        Some(Table { caption, ..table })
    };
    Section {
        title: match outcomes.len() {
            1 => "The run".into(),
            _ => "The runs".into(),
        },
        text: outcomes.iter().map(made).collect::<Vec<_>>().join("\n\n"),
        tables: outcomes.iter().filter_map(table).collect(),
        plots,
    }
}

/// The plot of one quantity of several runs, each with its name, against time.
pub fn against_time<'a>(
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
