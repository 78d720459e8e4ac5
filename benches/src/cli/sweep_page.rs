//! What `bilevel sweep` shows: a table, and a page with medians and ranges.

use serde_json::Value;
use study::columns::{Column, table};
use study::format::{bytes, dash, short, time};
use study::report::{Page, Plot, Section, Series, Style};

use super::args::Common;
use crate::runs::sweep::Summary;

/// The table for the terminal.
pub(super) fn terminal(summaries: &[Summary]) -> String {
    let note = "median over the seeds, and in brackets the least and the largest value";
    let names = quantities(summaries);
    format!("{note}\n{}", table("", &columns(&names), summaries))
}

fn columns(names: &[String]) -> Vec<Column<'_, Summary>> {
    let mut columns = vec![
        Column::words("configuration", |s: &Summary| s.configuration.clone()),
        Column::count("runs", |s: &Summary| s.runs),
        Column::count("failed", |s: &Summary| s.failed.len()),
    ];
    columns.extend(names.iter().map(|name| {
        let value = move |s: &Summary| s.last.get(name).cloned().unwrap_or(Value::Null);
        let text = move |s: &Summary| cell(name, &value(s));
        Column::new(name, text, move |s: &Summary| {
            Some(number(&value(s), "median"))
        })
    }));
    columns
}

/// The names of what the last records hold, in their order, of all configurations.
fn quantities(summaries: &[Summary]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in summaries.iter().flat_map(|s| s.last.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}

fn cell(name: &str, value: &Value) -> String {
    let word = |v: f64| match name {
        _ if v.is_nan() => dash(),
        "seconds" => time(v),
        "peak_bytes" => bytes(v),
        "gradients" | "hvps" => format!("{v:.0}"),
        _ => short(v),
    };
    let [median, low, high] = ["median", "low", "high"].map(|key| word(number(value, key)));
    match low == high {
        true => median,
        false => format!("{median} [{low}, {high}]"),
    }
}

/// The page.
pub(super) fn page(summaries: &[Summary], seeds: &[u64], common: &Common) -> Page {
    let names = quantities(summaries);
    let mut curves: Vec<&String> = Vec::new();
    for (name, _) in summaries.iter().flat_map(|s| &s.curves) {
        if !curves.contains(&name) {
            curves.push(name);
        }
    }
    Page {
        title: "A sweep".into(),
        subtitle: provenance(seeds, common),
        claims: Vec::new(),
        sections: vec![Section {
            title: format!("{} configurations, {} seeds", summaries.len(), seeds.len()),
            text:
                "Medians over the seeds, with the least and the largest value: in brackets in the \
                   table, as bands in the plots."
                    .into(),
            tables: vec![table("Where the runs ended", &columns(&names), summaries)],
            plots: curves.iter().map(|name| plot(name, summaries)).collect(),
        }],
        notices: Vec::new(),
    }
}

/// A line on how the numbers were made.
fn provenance(seeds: &[u64], common: &Common) -> String {
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    format!(
        "bilevel {}, seeds {}, {}, {} threads a run on {} {}",
        env!("CARGO_PKG_VERSION"),
        seeds.join(", "),
        common.dtype.name(),
        common.threads.unwrap_or(1),
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

fn plot(name: &str, summaries: &[Summary]) -> Plot {
    let series = summaries.iter().filter_map(|s| {
        let (_, points) = s.curves.iter().find(|(of, _)| of == name)?;
        Some(Series {
            name: s.configuration.clone(),
            points: points
                .iter()
                .map(|p| (p.iteration as f64, p.median))
                .collect(),
            spread: points.iter().map(|p| p.range).collect(),
            style: Style::Line,
        })
    });
    Plot {
        title: format!("{name}: median and range over the seeds"),
        x_label: "iteration".into(),
        y_label: name.to_owned(),
        series: series.collect(),
        ..Plot::default()
    }
}
