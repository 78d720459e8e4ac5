//! What is shown of races.

use super::summary::ACCURATE;
use super::{Place, Run, Summary, summarise};
use crate::Middle;
use crate::columns::{Column, table as of_columns};
use crate::format::{bytes, dash, short, time};
use crate::report::{Across, Page, Plot, Section, Series, Style, Table, Unit};
use crate::solve::CALLS;

/// The table of a race: a row for each method, medians over the seeds with the least and the largest value.
pub fn table(runs: &[Run]) -> Table {
    of_summaries("", &summarise(runs))
}

fn of_summaries(caption: &str, summaries: &[Summary]) -> Table {
    fn middle(
        title: impl Into<String>,
        form: fn(f64) -> String,
        unit: Unit,
        of: impl Fn(&Summary) -> Middle + Copy + 'static,
    ) -> Column<'static, Summary> {
        let word = move |v: f64| match v {
            v if v.is_nan() => dash(),
            v if v.is_infinite() => "never".into(),
            v => form(v),
        };
        let text = move |s: &Summary| {
            let Middle { median, low, high } = of(s);
            match low == high || median.is_nan() {
                true => word(median),
                false => format!("{} [{}, {}]", word(median), word(low), word(high)),
            }
        };
        let finite = |v: f64| v.is_finite().then_some(v);
        Column::new(title, text, move |s| finite(of(s).median))
            .with("low", move |s| finite(of(s).low))
            .with("high", move |s| finite(of(s).high))
            .unit(unit)
    }
    let mut columns = vec![
        Column::words("method", |s: &Summary| s.method.clone()),
        Column::count("seeds", |s: &Summary| s.seeds),
        Column::count("failed", |s: &Summary| s.failed.len()),
        middle("‖∇φ‖² at the end", short, Unit::Number, |s| {
            s.end.gradient_squared
        }),
        middle("φ at the end", short, Unit::Number, |s| s.end.value),
        middle("passes", short, Unit::Number, |s| s.end.passes),
        middle("calls", short, Unit::Number, |s| s.end.calls),
        middle("time", time, Unit::Seconds, |s| s.end.seconds),
        middle("peak", bytes, Unit::Bytes, |s| s.end.peak_bytes),
        middle(
            format!("passes to {ACCURATE:e} of ‖∇φ‖²"),
            short,
            Unit::Number,
            |s| s.passes_to_accuracy,
        ),
        middle("time to it", time, Unit::Seconds, |s| s.seconds_to_accuracy),
    ];
    if summaries.iter().any(|s| s.unmeasured > 0) {
        columns.push(Column::count("records without φ", |s: &Summary| {
            s.unmeasured
        }));
    }
    of_columns(caption, &columns, summaries)
}

impl Page {
    /// Adds a section on a race: medians and ranges of ‖∇φ‖², of φ and of the metrics, against passes over
    /// the samples, oracle calls or time.
    #[must_use]
    pub fn race(mut self, runs: &[Run]) -> Self {
        if !runs.is_empty() {
            self.sections.push(section(runs));
        }
        self
    }
}

fn section(runs: &[Run]) -> Section {
    let summaries = summarise(runs);
    let mut plots = vec![
        Plot {
            y_log: true,
            ..along(
                "The gradient that counts",
                "‖∇φ(x)‖²",
                &summaries,
                |p| p.gradient_squared,
            )
        },
        along("The objective that counts", "φ(x)", &summaries, |p| {
            p.value
        }),
    ];
    let first = summaries.first().and_then(|s| s.places.first());
    for (i, (name, _)) in first.into_iter().flat_map(|p| p.metrics.iter().enumerate()) {
        let spaced = name.replace('_', " ");
        let metric = move |p: &Place| p.metrics[i].1;
        plots.push(along(&spaced, &spaced, &summaries, metric));
    }
    let note = "φ(x) = F(x, y*(x)) and its gradient, with the lower level solved at each record as far \
                as the precision goes, which no count and no time contains. Medians over the seeds, \
                with the least and the largest value. A pass is as many gradients and Hessian-vector \
                products of single samples as both levels have.";
    let failed = runs.iter().filter_map(|r| {
        let failure = r.failure.as_ref()?;
        Some(format!("{}, seed {}: {failure}.", r.method, r.seed))
    });
    let said = std::iter::once(note.to_owned()).chain(failed);
    Section {
        title: "The race".into(),
        text: said.collect::<Vec<_>>().join("\n\n"),
        tables: vec![of_summaries("Where the methods ended", &summaries)],
        plots,
    }
}

/// The plot of one quantity against passes, calls or time.
fn along(
    title: &str,
    y_label: &str,
    summaries: &[Summary],
    quantity: impl Fn(&Place) -> Middle,
) -> Plot {
    let series = summaries.iter().map(|s| {
        let of = |x: fn(&Place) -> f64| s.places.iter().map(x).collect();
        let points = s
            .places
            .iter()
            .map(|p| (p.passes.median, quantity(p).median));
        let range = |p: &Place| (quantity(p).low, quantity(p).high);
        Series {
            name: s.method.clone(),
            points: points.collect(),
            spread: match s.seeds {
                1 => Vec::new(),
                _ => s.places.iter().map(range).collect(),
            },
            across: vec![of(|p| p.calls.median), of(|p| p.seconds.median)],
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
        title: format!("{title}: median and range over the seeds"),
        x_label: "passes over the samples".into(),
        y_label: y_label.to_owned(),
        across: vec![across(CALLS, Unit::Number), across("time", Unit::Seconds)],
        series: series.collect(),
        ..Plot::default()
    }
    .thinned()
}
