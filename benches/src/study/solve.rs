//! Runs of methods, iteration by iteration.

use std::time::Instant;

use autodiff::Real;
use serde::Serialize;
use serde_json::{Map, Value};
use solvers::{ConfigError, Method};

use crate::catalogue::problems::Problem;

/// One outer iteration of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The problem's name.
    pub problem: &'static str,
    /// The method's name.
    pub method: String,
    /// Iterations made so far.
    pub iteration: usize,
    /// Time spent in iterations so far, without the metrics'.
    pub seconds: f64,
    /// F where the iteration started.
    pub upper: f64,
    /// ‖∇_y g‖ there.
    pub lower_residual: f64,
    /// Norm of the hypergradient, or of what takes its place.
    pub hypergradient_norm: f64,
    /// Hessian-vector products so far.
    pub hvps: usize,
    /// Gradients so far.
    pub gradients: usize,
    /// The accuracy that its solves were asked for, in methods that choose one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The certified bound on its error, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<f64>,
    /// The most bytes held at one time.
    pub peak_bytes: usize,
    /// How the hypergradient's computation ended, in a word.
    pub status: &'static str,
    /// The problem's metrics at the point reached.
    #[serde(flatten)]
    pub metrics: Map<String, Value>,
    /// The status in a sentence.
    #[serde(skip)]
    pub message: String,
    /// Whether the status is what was asked for.
    #[serde(skip)]
    pub success: bool,
}

impl Record {
    /// The value of a metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name)?.as_f64()
    }
}

/// Runs a method to its end, `each` iteration reported with their number in all.
///
/// # Errors
/// If the method's settings do not fit, before any work.
pub fn run<T: Real>(
    problem: &Problem<T>,
    name: &str,
    method: &dyn Method<T>,
    mut each: impl FnMut(&Record, usize),
) -> Result<Outcome, ConfigError> {
    let started = Instant::now();
    let mut run = method.begin(&problem.bilevel, problem.task.x.clone())?;
    let mut seconds = started.elapsed().as_secs_f64();
    let total = run.iterations();
    let (mut records, mut warnings) = (Vec::new(), Vec::new());
    loop {
        let started = Instant::now();
        let Some(progress) = run.step() else { break };
        seconds += started.elapsed().as_secs_f64();
        let record = Record {
            problem: problem.task.name,
            method: name.to_owned(),
            iteration: progress.iteration,
            seconds,
            upper: progress.upper,
            lower_residual: progress.lower_residual,
            hypergradient_norm: progress.hypergradient_norm,
            hvps: progress.oracles.hvps(),
            gradients: progress.oracles.gradients(),
            accuracy: progress.accuracy,
            certificate: progress.certificate.map(|c| c.bound),
            peak_bytes: progress.peak_bytes,
            status: progress.status.code(),
            metrics: problem.measure(run.x(), run.y()),
            message: progress.status.to_string(),
            success: progress.status.is_success(),
        };
        each(&record, total);
        records.push(record);
        for warning in progress.warnings {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    Ok(Outcome {
        records,
        warnings,
        x: run.x().iter().map(|v| v.f64()).collect(),
        y: run.y().iter().map(|v| v.f64()).collect(),
    })
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its trace.
    pub records: Vec<Record>,
    /// Remarks, each once.
    pub warnings: Vec<String>,
    /// The outer variable at the end.
    pub x: Vec<f64>,
    /// The inner variable at the end.
    pub y: Vec<f64>,
}
