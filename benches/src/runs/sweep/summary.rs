//! What a sweep's runs came to: medians and ranges over the seeds.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};
use study::Middle;
use study::solve::Record;
use study::worth::Gain;

use crate::runs::run_folder::TRACE;

/// A configuration's runs side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The configuration's name.
    pub configuration: String,
    /// Runs that came to their end.
    pub runs: usize,
    /// The seeds of runs that failed or were refused.
    pub failed: Vec<u64>,
    /// The seeds of runs that are not at their end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u64>,
    /// The seeds of runs whose x is worth less than that which they began with, or where this cannot be
    /// told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<u64>,
    /// Medians and ranges of what the last records hold.
    #[serde(flatten)]
    pub last: Map<String, Value>,
    /// Medians and ranges of every quantity against the iterations.
    #[serde(skip)]
    pub curves: Vec<(String, Vec<Point>)>,
}

/// A quantity's median after an iteration, with the least and the largest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Iterations made.
    pub iteration: usize,
    /// Median over the seeds.
    pub median: f64,
    /// The least and the largest.
    pub range: (f64, f64),
}

/// What the trace of a run says.
#[derive(Clone, Debug, Default)]
pub struct Traced {
    /// The names of metrics that are parts of a hundred.
    pub percent: Vec<String>,
    /// A record for each line between the header and the end.
    pub records: Vec<Record>,
    /// What x was worth at the start and at the end, where that was measured.
    pub gain: Option<Gain>,
}

impl Traced {
    /// Reads the trace in a run's folder; it is empty where there is none.
    pub fn read(dir: &Path) -> Self {
        let text = std::fs::read_to_string(dir.join(TRACE)).unwrap_or_default();
        let mut traced = Traced::default();
        for line in text.lines() {
            if let Ok(record) = serde_json::from_str(line) {
                traced.records.push(record);
                continue;
            }
            let mut other: Value = serde_json::from_str(line).unwrap_or_default();
            if let Some(names) = other["header"]["percent"].as_array() {
                let names = names.iter().filter_map(Value::as_str);
                traced.percent = names.map(str::to_owned).collect();
            }
            let gain = serde_json::from_value(other["gain"].take());
            traced.gain = gain.ok().or(traced.gain);
        }
        traced
    }
}

/// Puts the traces of a configuration's runs together; which seeds are to be told of is the caller's.
pub fn summarise(configuration: &str, runs: &[&Traced]) -> Summary {
    let traces: Vec<&[Record]> = runs.iter().map(|run| &*run.records).collect();
    let ends: Vec<&Record> = traces.iter().filter_map(|t| t.last()).collect();
    let metrics = ends.first().map_or_else(Vec::new, |r| names(r));
    let mut last = Map::new();
    for (name, of) in [
        ("upper", (|r| r.upper) as fn(&Record) -> f64),
        ("seconds", |r| r.seconds),
        ("gradients", |r| r.gradients as f64),
        ("hvps", |r| r.hvps as f64),
        ("peak_bytes", |r| r.peak_bytes as f64),
    ] {
        last.insert(name.into(), spread(ends.iter().map(|r| of(r))));
    }
    let worth = runs.iter().filter_map(|run| run.gain.as_ref()?.end.value);
    if let worth @ Value::Object(_) = spread(worth) {
        last.insert("worth".into(), worth);
    }
    for name in &metrics {
        let values = ends.iter().map(|r| r.metric(name).unwrap_or(f64::NAN));
        last.insert(name.clone(), spread(values));
    }
    let mut curves = vec![("upper".to_owned(), curve(&traces, |r| r.upper))];
    for name in metrics {
        let points = curve(&traces, |r| r.metric(&name).unwrap_or(f64::NAN));
        curves.push((name, points));
    }
    Summary {
        configuration: configuration.to_owned(),
        runs: ends.len(),
        failed: Vec::new(),
        missing: Vec::new(),
        lost: Vec::new(),
        last,
        curves,
    }
}

fn names(record: &Record) -> Vec<String> {
    record.metrics.keys().cloned().collect()
}

fn spread(values: impl Iterator<Item = f64>) -> Value {
    match Middle::of(values) {
        middle if middle.is_some() => serde_json::json!(middle),
        _ => Value::Null,
    }
}

/// The quantity at every iteration that some run reported.
fn curve(traces: &[&[Record]], of: impl Fn(&Record) -> f64) -> Vec<Point> {
    let mut iterations: Vec<usize> = traces
        .iter()
        .copied()
        .flatten()
        .map(|r| r.iteration)
        .collect();
    iterations.sort_unstable();
    iterations.dedup();
    let mut next = vec![0; traces.len()];
    let point = |iteration| {
        let mut values = Vec::new();
        for (trace, next) in traces.iter().zip(&mut next) {
            if let Some(record) = trace.get(*next).filter(|r| r.iteration == iteration) {
                values.push(of(record));
                *next += 1;
            }
        }
        let Middle { median, low, high } = Middle::of(values);
        (!median.is_nan()).then_some(Point {
            iteration,
            median,
            range: (low, high),
        })
    };
    iterations.into_iter().filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use study::worth::Worth;

    use super::*;

    fn trace(uppers: &[f64]) -> Vec<Record> {
        let record = |(i, upper): (usize, &f64)| {
            let line = serde_json::json!({
                "problem": "p", "method": "m", "iteration": i + 1, "seconds": 1.0,
                "upper": upper, "lower_residual": 0.0, "hypergradient_norm": 1.0, "hvps": 3,
                "gradients": 2, "peak_bytes": 8, "status": "converged", "accuracy_of_test": 10.0 * upper,
            });
            serde_json::from_value(line).expect("a record")
        };
        uppers.iter().enumerate().map(record).collect()
    }

    fn run(uppers: &[f64], worth: Option<f64>) -> Traced {
        let end = Worth {
            value: worth,
            gradient_norm: None,
            projected_norm: None,
            off: None,
            missing: None,
        };
        let start = end.clone();
        Traced {
            records: trace(uppers),
            gain: worth.map(|_| Gain {
                start,
                end,
                seconds: 0.0,
            }),
            ..Traced::default()
        }
    }

    #[test]
    fn medians_and_ranges_over_seeds() {
        let runs = [
            run(&[5.0, 3.0], Some(6.0)),
            run(&[4.0, 2.0], None),
            run(&[9.0, 7.0, 1.0], Some(4.0)),
        ];
        let summary = summarise("c", &Vec::from_iter(&runs));
        assert_eq!(summary.runs, 3);
        assert_eq!(summary.last["upper"]["median"], 2.0);
        assert_eq!(summary.last["upper"]["low"], 1.0);
        // Of the runs that have it.
        let worth = ["low", "median", "high"].map(|of| summary.last["worth"][of].as_f64());
        assert_eq!(worth, [4.0, 5.0, 6.0].map(Some));
        assert_eq!(summary.last["accuracy_of_test"]["high"], 30.0);
        let (name, points) = &summary.curves[0];
        assert_eq!((&**name, points.len()), ("upper", 3));
        let at = |i: usize| (points[i].iteration, points[i].median, points[i].range);
        assert_eq!(at(0), (1, 5.0, (4.0, 9.0)));
        assert_eq!(at(1), (2, 3.0, (2.0, 7.0)));
        assert_eq!(at(2), (3, 1.0, (1.0, 1.0)));
        let unmeasured = summarise("c", &[&runs[1]]);
        assert!(!unmeasured.last.contains_key("worth"));
    }
}
