//! What is shown of memory policies.

use super::{OVER_BUDGET, Record};
use crate::columns::{Column, table as of_columns};
use crate::format::short;
use crate::report::{Claim, Page, Plot, Section, Series, Style, Table, Unit};

/// The table of policies: a row for each at each depth.
pub fn table(records: &[Record]) -> Table {
    let mut columns = vec![
        Column::words("policy", |r: &Record| r.policy.clone()),
        Column::count("depth", |r: &Record| r.depth),
        Column::words("status", |r: &Record| r.status.to_owned()),
        Column::bytes("peak", |r: &Record| r.peak_bytes),
        Column::bytes("predicted", |r: &Record| Some(r.predicted_bytes)),
        Column::count("run again", |r: &Record| r.recomputed_steps),
        Column::time("time", |r: &Record| r.seconds)
            .with("least", |r: &Record| Some(r.seconds_range?.0))
            .with("largest", |r: &Record| Some(r.seconds_range?.1)),
        Column::number("‖hypergradient‖", |r: &Record| r.hypergradient_norm, short),
    ];
    if records.iter().any(|r| r.predicted_disk_bytes > 0) {
        let disk = Column::bytes("on disk", |r: &Record| Some(r.disk_bytes));
        columns.insert(5, disk);
    }
    of_columns("Each policy at each depth", &columns, records)
}

impl Page {
    /// Adds a section on memory against depth, and its claims.
    #[must_use]
    pub fn memory(mut self, records: &[Record]) -> Self {
        if !records.is_empty() {
            self.claims.extend(claims(records));
            self.sections.push(section(records));
        }
        self
    }
}

fn section(records: &[Record]) -> Section {
    let bytes = |r: &Record| r.peak_bytes.map_or(f64::NAN, |b| b as f64);
    let again = |r: &Record| r.recomputed_steps as f64;
    let seconds = |r: &Record| r.seconds.unwrap_or(f64::NAN);
    let mut memory = plot("Memory against depth", "peak", records, bytes);
    (memory.y_log, memory.y_unit) = (true, Unit::Bytes);
    let again = plot(
        "Recomputed steps against depth",
        "steps run again",
        records,
        again,
    );
    let mut time = plot("Time against depth", "time", records, seconds);
    (time.y_log, time.y_unit) = (true, Unit::Seconds);
    for series in &mut time.series {
        let of = records.iter().filter(|r| r.family == series.name);
        let mut ranges: Vec<_> = of
            .filter_map(|r| Some((r.depth, r.seconds_range?)))
            .collect();
        ranges.sort_by_key(|(depth, _)| *depth);
        series.spread = ranges.into_iter().map(|(_, range)| range).collect();
    }
    time.note = "Medians of up to five runs, as many as are done in a quarter of a second; bands \
                 are their range."
        .into();
    Section {
        title: "Memory policies of unrolled loops".into(),
        text: "Peak is the most bytes held at one time by programs, sweeps, kept states and \
               solvers; the data are not counted. The prediction is made before anything is \
               run. A policy that would go over the budget is not run."
            .into(),
        tables: vec![table(records)],
        plots: vec![memory, again, time],
    }
}

fn claims(records: &[Record]) -> Vec<Claim> {
    let ran: Vec<&Record> = records.iter().filter(|r| r.peak_bytes.is_some()).collect();
    let right = ran
        .iter()
        .filter(|r| r.peak_bytes == Some(r.predicted_bytes))
        .filter(|r| r.disk_bytes == r.predicted_disk_bytes)
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
fn plot(title: &str, y_label: &str, records: &[Record], y: impl Fn(&Record) -> f64) -> Plot {
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
        series,
        ..Plot::default()
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::dvector;
    use solvers::Itd;

    use super::super::run;
    use super::*;
    use crate::Subject;
    use crate::tests::distance;

    #[test]
    fn times_have_bands_and_bytes_their_unit() {
        let problem = distance(1);
        let subject = Subject::new("own", &problem, dvector![0.3]);
        // Depths out of order: a curve goes from left to right.
        let records = run(&subject, Itd::reverse, &[100, 10], None).expect("a loop");
        let page = Page::default().memory(&records);
        let [memory, again, time] = &page.sections[0].plots[..] else {
            panic!("three plots")
        };
        assert_eq!([memory.y_unit, time.y_unit], [Unit::Bytes, Unit::Seconds]);
        assert!(again.series.iter().all(|s| s.spread.is_empty()));
        for series in &time.series {
            let of = |depth: f64| {
                let mut of = records.iter().filter(|r| r.family == series.name);
                of.find(|r| r.depth as f64 == depth).expect("a record")
            };
            assert_eq!(series.points.len(), 2);
            for ((depth, seconds), range) in series.points.iter().zip(&series.spread) {
                let record = of(*depth);
                assert_eq!(
                    (Some(*seconds), Some(*range)),
                    (record.seconds, record.seconds_range)
                );
                assert!(range.0 <= *seconds && *seconds <= range.1);
            }
        }
    }
}
