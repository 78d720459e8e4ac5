//! The page of `bilevel memory`.

use super::demo_page::notices;
use super::memory::{COLUMNS, cells};
use crate::report::{Cell, Claim, Plot, Report, Section, Series, Style, Table};
use crate::study::memory::{OVER_BUDGET, Record};

pub(super) fn page(records: &[Record], subtitle: String, embedded: bool) -> Report {
    let problem = records.first().map_or("", |r| r.problem);
    let bytes = |r: &Record| r.peak_bytes.map_or(f64::NAN, |b| b as f64);
    Report {
        title: format!("Memory against depth on {problem}"),
        subtitle,
        claims: claims(records),
        sections: vec![Section {
            title: "Memory policies of unrolled loops".into(),
            text: "Peak is the most bytes held at one time by programs, sweeps, kept states and \
                   solvers; the data are not counted. The prediction is made before anything is \
                   run. A policy that would go over the budget is not run."
                .into(),
            tables: vec![table(records)],
            plots: vec![
                plot("Memory against depth", "peak bytes", true, records, bytes),
                plot(
                    "Recomputed steps against depth",
                    "steps run again",
                    false,
                    records,
                    |r| r.recomputed_steps as f64,
                ),
                plot("Time against depth", "seconds", true, records, |r| {
                    r.seconds.unwrap_or(f64::NAN)
                }),
            ],
        }],
        notices: notices(embedded),
    }
}

fn claims(records: &[Record]) -> Vec<Claim> {
    let ran: Vec<&Record> = records.iter().filter(|r| r.peak_bytes.is_some()).collect();
    let right = ran
        .iter()
        .filter(|r| r.peak_bytes == Some(r.predicted_bytes))
        .count();
    let mut claims = vec![Claim {
        text: "The predicted peak is the measured one, to the byte".into(),
        value: format!("{right} of {} runs", ran.len()),
        holds: right == ran.len(),
    }];
    // Forward mode and the grid round differently, and a truncated sweep is another derivative.
    let other = |p: &str| p.starts_with("truncated") || p == "forward" || p == "reversible";
    let exact = |r: &&&Record| !other(&r.policy);
    let (mut pairs, mut same) = (0, 0);
    for (i, a) in ran.iter().enumerate().filter(|(_, r)| exact(r)) {
        for b in ran[i + 1..].iter().filter(exact) {
            if a.depth == b.depth {
                pairs += 1;
                same += usize::from(a.hypergradient_norm == b.hypergradient_norm);
            }
        }
    }
    if pairs > 0 {
        claims.push(Claim {
            text: "Policies that keep every derivative give the same norm, to the last bit".into(),
            value: format!("equal in {same} of {pairs} pairs"),
            holds: same == pairs,
        });
    }
    if let Some(budget) = records.iter().find_map(|r| r.budget) {
        let over = ran.iter().filter(|r| r.peak_bytes > Some(budget)).count();
        let left = records.iter().filter(|r| r.status == OVER_BUDGET).count();
        claims.push(Claim {
            text: "No run went over the budget".into(),
            value: format!("{budget} bytes; {left} runs that would have were left out"),
            holds: over == 0,
        });
    }
    claims
}

fn table(records: &[Record]) -> Table {
    let row = |r: &Record| -> Vec<Cell> {
        let values = [
            None,
            Some(r.depth as f64),
            None,
            r.peak_bytes.map(|b| b as f64),
            Some(r.predicted_bytes as f64),
            Some(r.recomputed_steps as f64),
            r.seconds,
            r.hypergradient_norm,
        ];
        let cells = cells(r).into_iter().zip(values);
        cells
            .map(|(text, value)| match value {
                Some(v) => Cell::number(text, v),
                None => Cell::from(text),
            })
            .collect()
    };
    Table {
        caption: "Each policy at each depth".into(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: records.iter().map(row).collect(),
    }
}

/// A curve for each policy, over those of its depths that were run.
fn plot(
    title: &str,
    y_label: &str,
    y_log: bool,
    records: &[Record],
    y: impl Fn(&Record) -> f64,
) -> Plot {
    let mut series: Vec<Series> = Vec::new();
    for r in records.iter().filter(|r| r.peak_bytes.is_some()) {
        let point = (r.depth as f64, y(r));
        match series.iter_mut().find(|s| s.name == r.family) {
            Some(curve) => curve.points.push(point),
            None => series.push(Series {
                name: r.family.clone(),
                points: vec![point],
                style: Style::LineAndMarkers,
                ..Series::default()
            }),
        }
    }
    for curve in &mut series {
        curve.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    Plot {
        title: title.into(),
        x_label: "unroll depth K".into(),
        y_label: y_label.into(),
        x_log: true,
        y_log,
        series,
        note: String::new(),
    }
}
