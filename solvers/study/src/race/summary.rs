//! What the runs of a method came to, over the seeds.

use serde::Serialize;

use super::{Record, Run};
use crate::Middle;

/// The records of a method at one place of the course, over the seeds.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// Passes over the samples of both levels: gradients and Hessian-vector products of single samples, a
    /// part of their number.
    pub passes: Middle,
    /// Gradients and Hessian-vector products, of whatever batches.
    pub calls: Middle,
    /// Time in iterations.
    pub seconds: Middle,
    /// φ.
    pub value: Middle,
    /// ‖∇φ‖².
    pub gradient_squared: Middle,
    /// The most bytes held.
    pub peak_bytes: Middle,
    /// Metrics by name.
    pub metrics: Vec<(String, Middle)>,
}

/// A method's runs side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The method.
    pub method: String,
    /// Seeds.
    pub seeds: usize,
    /// The seeds of runs in which an iteration failed.
    pub failed: Vec<u64>,
    /// Records that have no φ, since the lower level could not be solved where x had come to.
    pub unmeasured: usize,
    /// Each record's place, as far as every run has come.
    pub places: Vec<Place>,
    /// The last record of each run.
    pub end: Place,
    /// Passes until ‖∇φ‖² was at most 1e-4 of what it was at the start, by the first record that says
    /// so; infinite for a run that never said so.
    pub passes_to_accuracy: Middle,
    /// Time until then.
    pub seconds_to_accuracy: Middle,
}

/// The part of ‖∇φ‖² at the start at which a run counts as accurate.
pub(super) const ACCURATE: f64 = 1e-4;

/// Puts the runs of each method together, in the order of their first.
pub fn summarise(runs: &[Run]) -> Vec<Summary> {
    let mut methods: Vec<&str> = Vec::new();
    for run in runs {
        if !methods.contains(&&*run.method) {
            methods.push(&run.method);
        }
    }
    methods
        .into_iter()
        .map(|name| of_method(name, runs))
        .collect()
}

fn of_method(name: &str, runs: &[Run]) -> Summary {
    let own: Vec<&Run> = runs.iter().filter(|r| r.method == name).collect();
    let least = own.iter().map(|r| r.records.len()).min().unwrap_or(0);
    let at =
        |of: &dyn Fn(&Run) -> usize| place(own.iter().map(|r| (*r, &r.records[of(r)])).collect());
    let accurate: Vec<Option<(f64, f64)>> = own.iter().map(|r| accurate(r)).collect();
    let of = |part: fn(&(f64, f64)) -> f64| {
        let reached = accurate
            .iter()
            .map(|a| a.as_ref().map_or(f64::INFINITY, part));
        Middle::of(reached)
    };
    Summary {
        method: name.to_owned(),
        seeds: own.len(),
        failed: own
            .iter()
            .filter(|r| r.failure.is_some())
            .map(|r| r.seed)
            .collect(),
        unmeasured: own
            .iter()
            .flat_map(|r| &r.records)
            .filter(|r| r.value.is_none())
            .count(),
        places: (0..least).map(|i| at(&|_| i)).collect(),
        end: at(&|r| r.records.len() - 1),
        passes_to_accuracy: of(|a| a.0),
        seconds_to_accuracy: of(|a| a.1),
    }
}

fn passes(run: &Run, record: &Record) -> f64 {
    record.samples as f64 / (run.samples.0 + run.samples.1) as f64
}

/// Passes and time of the first record that is accurate.
fn accurate(run: &Run) -> Option<(f64, f64)> {
    let start = run.records.first()?.gradient_squared?;
    let good = |r: &&Record| r.gradient_squared.is_some_and(|g| g <= ACCURATE * start);
    let first = run.records.iter().find(good)?;
    Some((passes(run, first), first.seconds))
}

fn place(records: Vec<(&Run, &Record)>) -> Place {
    let of = |value: &dyn Fn(&Run, &Record) -> f64| {
        Middle::of(records.iter().map(|(run, record)| value(run, record)))
    };
    let names = records
        .first()
        .into_iter()
        .flat_map(|(_, r)| r.metrics.keys());
    let metric = |name: &String| {
        let middle = of(&|_, r| {
            let value = r.metrics.get(name).and_then(serde_json::Value::as_f64);
            value.unwrap_or(f64::NAN)
        });
        (name.clone(), middle)
    };
    Place {
        passes: of(&passes),
        calls: of(&|_, r| (r.gradients + r.hvps) as f64),
        seconds: of(&|_, r| r.seconds),
        value: of(&|_, r| r.value.unwrap_or(f64::NAN)),
        gradient_squared: of(&|_, r| r.gradient_squared.unwrap_or(f64::NAN)),
        peak_bytes: of(&|_, r| r.peak_bytes as f64),
        metrics: names.map(metric).collect(),
    }
}
