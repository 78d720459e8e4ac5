//! A run of a method to its end, with what it cost.

use std::time::Instant;

use autodiff::Real;
use models::Task;
use nalgebra::DVector;
use serde_json::{Map, Value};
use solvers::Method;

use super::{Kind, Record, values};

/// Where a run ended.
pub(super) struct Ended<T: Real> {
    pub(super) x: DVector<T>,
    pub(super) y: DVector<T>,
    /// Steps, sweeps, seconds and bytes, and whether an iteration was `told` to have failed: 1 or 0.
    pub(super) cost: Map<String, Value>,
    /// The last status in a word.
    pub(super) status: &'static str,
    /// The end in a sentence.
    pub(super) message: String,
}

impl<T: Real> Ended<T> {
    /// The row of a method that ended so, with what its end is worth before what it cost. It is no failure:
    /// that it was told is one of its values.
    pub(super) fn record(
        self,
        (task, case): (&'static str, String),
        method: &str,
        mut worth: Map<String, Value>,
        seed: u64,
    ) -> Record {
        worth.extend(self.cost);
        Record {
            task,
            case,
            method: method.to_owned(),
            kind: Kind::Method,
            values: worth,
            seed,
            status: self.status.into(),
            message: self.message,
            success: true,
        }
    }
}

/// Runs a method on a task from its start.
pub(super) fn to_end<T: Real>(method: &dyn Method<T>, task: &Task<T>) -> Result<Ended<T>, String> {
    let begun = method.begin(&task.bilevel, task.x.clone());
    let mut run = begun.map_err(|e| e.to_string())?;
    let started = Instant::now();
    let finish = run.finish();
    let seconds = started.elapsed().as_secs_f64();
    let last = finish.last.as_ref().ok_or("no iteration")?;
    Ok(Ended {
        cost: values([
            ("steps", last.iteration as f64),
            ("gradients", last.oracles.gradients() as f64),
            ("hvps", last.oracles.hvps() as f64),
            ("seconds", seconds),
            ("peak_bytes", last.peak_bytes as f64),
            ("told", f64::from(u8::from(!finish.is_success()))),
        ]),
        status: last.status.code(),
        message: finish.to_string(),
        x: run.x().clone(),
        y: run.y().clone(),
    })
}
