//! The page of `bilevel memory`.

use study::memory::{OVER_BUDGET, Record};
use study::report::{Claim, Plot, Report, Section, Series, Style};

use super::columns::{Column, table};
use super::output::{bytes, short, time};
use super::pages::notices;

/// The columns of a table of policies.
pub(super) fn columns() -> [Column<'static, Record>; 8] {
    [
        Column::words("policy", |r: &Record| r.policy.clone()),
        Column::count("depth", |r: &Record| r.depth),
        Column::words("status", |r: &Record| r.status.to_owned()),
        Column::number("peak", |r: &Record| r.peak_bytes.map(|b| b as f64), bytes),
        Column::number(
            "predicted",
            |r: &Record| Some(r.predicted_bytes as f64),
            bytes,
        ),
        Column::count("run again", |r: &Record| r.recomputed_steps),
        Column::number("time", |r: &Record| r.seconds, time),
        Column::number("‖hypergradient‖", |r: &Record| r.hypergradient_norm, short),
    ]
}

pub(super) fn page(records: &[Record], subtitle: String, embedded: bool) -> Report {
    let problem = records.first().map_or("", |r| &r.problem);
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
            tables: vec![table("Each policy at each depth", &columns(), records)],
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
    let (mut pairs, mut same) = (0, 0);
    for (i, a) in ran.iter().enumerate().filter(|(_, r)| r.exact) {
        for b in ran[i + 1..].iter().filter(|r| r.exact) {
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
