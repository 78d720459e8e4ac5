//! What is shown of runs.

use std::fmt;

use super::{Outcome, Record};
use crate::columns::{Column, table as of_columns};
use crate::format::short;
use crate::report::{Across, Page, Plot, Section, Series, Style, Table, Unit};

/// The table of a run: a row for each record, with the metrics of the last one.
pub fn table(outcome: &Outcome) -> Table {
    of_records(
        &outcome.records.iter().collect::<Vec<_>>(),
        &outcome.percent,
    )
}

fn of_records(records: &[&Record], percent: &[String]) -> Table {
    let mut columns = vec![
        Column::count("iteration", |r: &Record| r.iteration),
        Column::number("upper", |r: &Record| Some(r.upper), short),
        Column::number("‖∇_y g‖", |r: &Record| Some(r.lower_residual), short),
        Column::number(
            "‖direction‖",
            |r: &Record| Some(r.hypergradient_norm),
            short,
        ),
        Column::count("gradients", |r: &Record| r.gradients),
        Column::count("HVPs", |r: &Record| r.hvps),
        Column::time("time", |r: &Record| Some(r.seconds)),
        Column::bytes("peak", |r: &Record| Some(r.peak_bytes)),
        Column::words("status", |r: &Record| r.status.to_string()),
    ];
    let names = records.last().into_iter().flat_map(|r| r.metrics.keys());
    columns.extend(names.map(|name| {
        let value = move |r: &Record| r.metric(name);
        match percent.contains(name) {
            true => Column::percent(name, value),
            false => Column::number(name, value, short),
        }
    }));
    of_columns("", &columns, records.iter().copied())
}

/// A metric's name as words.
fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// The first and the last record, as far as there are two.
fn ends(outcome: &Outcome) -> Option<Vec<&Record>> {
    match &outcome.records[..] {
        [] => None,
        [only] => Some(vec![only]),
        [first, .., last] => Some(vec![first, last]),
    }
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
        let table = of_records(&ends, &self.percent);
        write!(f, "{problem} by {method}\n{table}")?;
        for (name, values) in [("x", &self.x), ("y", &self.y)] {
            if values.len() <= 8 {
                write!(f, "\n{name} = {values:?}")?;
            }
        }
        match &self.gain {
            Some(gain) => write!(f, "\n{gain}"),
            None => Ok(()),
        }
    }
}

impl Page {
    /// Adds a section on runs of one problem: a curve for each in every plot, against iterations,
    /// oracle calls or time.
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
        along("Upper objective", "F(x, y)", runs(), |r| r.upper),
        Plot {
            y_log: true,
            ..along("Norm of the direction", "‖direction‖", runs(), norm)
        },
    ];
    let names = outcomes.iter().flat_map(|o| o.records.first());
    let names = names.take(1).flat_map(|r| r.metrics.keys());
    plots.extend(names.map(|name| {
        let quantity = |r: &Record| r.metric(name).unwrap_or(f64::NAN);
        let of_hundred = outcomes.iter().any(|o| o.percent.contains(name));
        Plot {
            y_unit: if of_hundred {
                Unit::Percent
            } else {
                Unit::Number
            },
            ..along(&spaced(name), &spaced(name), runs(), quantity)
        }
    }));
    let of = |o: &Outcome, text: String| match outcomes.len() {
        1 => text,
        _ => format!("{}: {text}", o.method),
    };
    let said = |o: &Outcome| {
        let made = format!("{} outer iterations.", o.so_far.iteration);
        let failed = o
            .so_far
            .failure
            .iter()
            .map(|f| format!("First failure: {f}."));
        let warned = o.so_far.warnings.iter().map(|w| format!("Warning: {w}."));
        let gained = o.gain.iter().map(ToString::to_string);
        let all = std::iter::once(made)
            .chain(failed)
            .chain(warned)
            .chain(gained);
        all.map(|text| of(o, text)).collect::<Vec<_>>()
    };
    let ends = |o: &Outcome| {
        let caption = match outcomes.len() {
            1 => "The first and the last record".to_owned(),
            _ => format!("The first and the last record of {}", o.method),
        };
        let table = of_records(&ends(o)?, &o.percent);
        Some(Table { caption, ..table })
    };
    Section {
        title: match outcomes.len() {
            1 => "The run".into(),
            _ => "The runs".into(),
        },
        text: outcomes
            .iter()
            .flat_map(said)
            .collect::<Vec<_>>()
            .join("\n\n"),
        tables: outcomes.iter().filter_map(ends).collect(),
        plots,
    }
}

/// Oracle calls as an axis.
pub(crate) const CALLS: &str = "oracle calls: gradients + HVPs";

/// The plot of one quantity of several runs, each with its name, against the outer iterations, or,
/// as the reader chooses, oracle calls or time.
pub fn along<'a>(
    title: &str,
    y_label: &str,
    runs: impl Iterator<Item = (&'a str, &'a [Record])>,
    quantity: impl Fn(&Record) -> f64,
) -> Plot {
    let series = runs.map(|(name, records)| {
        let of = |x: fn(&Record) -> f64| records.iter().map(x).collect();
        let point = |r: &Record| (r.iteration as f64, quantity(r));
        Series {
            name: name.to_owned(),
            points: records.iter().map(point).collect(),
            across: vec![
                of(|r| (r.gradients + r.hvps) as f64),
                of(|r| r.samples as f64),
                of(|r| r.seconds),
            ],
            style: Style::Line,
            ..Series::default()
        }
    });
    let across = |label: &str, unit| Across {
        label: label.into(),
        log: false,
        unit,
    };
    Plot {
        title: title.to_owned(),
        x_label: "outer iterations".into(),
        y_label: y_label.to_owned(),
        across: vec![
            across(CALLS, Unit::Number),
            across("samples touched: gradients + HVPs of each", Unit::Number),
            across("time", Unit::Seconds),
        ],
        series: series.collect(),
        ..Plot::default()
    }
    .thinned()
}

#[cfg(test)]
mod tests {
    use nalgebra::dvector;
    use solvers::{Aid, Descent, Optimiser};

    use super::super::run;
    use super::*;
    use crate::Subject;
    use crate::tests::distance;

    fn outcome(iterations: usize) -> Outcome {
        let problem = distance(1);
        let subject = Subject::new("own", &problem, dvector![0.3])
            .with_metric("right_share", |x, _| 100.0 * x[0])
            .with_percent("right_share");
        let rule = Optimiser::Adam { rate: 0.1 };
        run(
            &subject,
            "aid-cg",
            &Descent::new(Aid::cg(), rule, iterations),
        )
        .expect("it suits")
    }

    #[test]
    fn curves_are_the_records_against_each_horizontal_quantity() {
        let outcome = outcome(5);
        let page = Page::default().solve(std::slice::from_ref(&outcome));
        let plots = &page.sections[0].plots;
        assert_eq!(plots.len(), 3);
        let curve = &plots[0].series[0];
        for (i, record) in outcome.records.iter().enumerate() {
            let calls = (record.gradients + record.hvps) as f64;
            assert_eq!(curve.points[i], (record.iteration as f64, record.upper));
            assert_eq!(
                [curve.across[0][i], curve.across[1][i], curve.across[2][i]],
                [calls, record.samples as f64, record.seconds]
            );
        }
        let share = &plots[2];
        assert_eq!(
            (share.title.as_str(), share.y_unit),
            ("right share", Unit::Percent)
        );
        assert_eq!(
            share.series[0].points[4].1,
            outcome.records[4].metric("right_share").unwrap()
        );
        let cells = &page.sections[0].tables[0].rows[1];
        assert!(cells.last().unwrap().text.ends_with(" %"), "{cells:?}");
    }
}
