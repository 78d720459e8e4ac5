//! Runs of methods, iteration by iteration.

mod page;

use std::borrow::Cow;
use std::fmt;
use std::time::Instant;

use autodiff::Real;
use autodiff::ranks::{self, Traffic};
use nalgebra::DVector;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use solvers::{ConfigError, Method, RestoreError, Run, keep_warnings};

use crate::Subject;
use crate::worth::{Gain, Solved, Worth};

pub(crate) use page::CALLS;
pub use page::{along, table};

/// The names of the fields of a record, beside which its metrics stand.
pub(crate) const FIELDS: [&str; 17] = [
    "problem",
    "method",
    "iteration",
    "seconds",
    "upper",
    "lower_residual",
    "hypergradient_norm",
    "hvps",
    "gradients",
    "samples",
    "accuracy",
    "certificate",
    "peak_bytes",
    "messages",
    "bytes_sent",
    "exchange_bytes",
    "status",
];

/// What is recorded of one outer iteration of a run, or of several.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The problem's name.
    pub problem: String,
    /// The method's name.
    pub method: String,
    /// Iterations made so far.
    pub iteration: usize,
    /// Time spent in iterations so far: without that of F and the residual where they are measured for
    /// a report alone, and of metrics.
    #[serde(deserialize_with = "nullable")]
    pub seconds: f64,
    /// F where the iteration started.
    #[serde(deserialize_with = "nullable")]
    pub upper: f64,
    /// ‖∇_y g‖ there.
    #[serde(deserialize_with = "nullable")]
    pub lower_residual: f64,
    /// Norm of the hypergradient, or of what takes its place.
    #[serde(deserialize_with = "nullable")]
    pub hypergradient_norm: f64,
    /// Hessian-vector products so far.
    pub hvps: usize,
    /// Gradients so far.
    pub gradients: usize,
    /// Gradients and Hessian-vector products of single samples so far: a sweep of a batch is as many as
    /// it has samples.
    #[serde(default)]
    pub samples: usize,
    /// The accuracy that its solves were asked for, in methods that choose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The certified bound on its error, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<f64>,
    /// The most bytes held at one time.
    pub peak_bytes: usize,
    /// Messages that this process and other ranks exchanged so far; not written without ranks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub messages: usize,
    /// Bytes that this process sent to each other rank.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_sent: usize,
    /// The most bytes of buffers that were held for one message so far, which are no part of
    /// `peak_bytes`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exchange_bytes: usize,
    /// How the hypergradient's computation ended, in a word.
    pub status: Cow<'static, str>,
    /// The problem's metrics at the point reached.
    #[serde(flatten)]
    pub metrics: Map<String, Value>,
}

impl Record {
    /// The value of a metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name)?.as_f64()
    }
}

/// A run of a method that says at each record what came of it.
pub struct Session<'p, T: Real> {
    subject: &'p Subject<'p, T>,
    name: String,
    run: Box<dyn Run<T> + 'p>,
    progress: SoFar,
    /// x and y where it began.
    start: [DVector<T>; 2],
    /// What had been sent when it began.
    sent: Traffic,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl<T: Real> fmt::Debug for Session<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("subject", self.subject)
            .field("method", &self.name)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// What a session says of the iterations made so far, beside their records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoFar {
    /// Iterations made.
    pub iteration: usize,
    /// Time spent in iterations, in every process that had a part in the run, without that of what is
    /// measured for reports.
    pub seconds: f64,
    /// Remarks, each once.
    pub warnings: Vec<String>,
    /// The first iteration that failed, with its status in a sentence.
    pub failure: Option<String>,
}

impl<'p, T: Real> Session<'p, T> {
    /// Begins a run.
    ///
    /// # Errors
    /// If the method's settings do not fit, before any work.
    pub fn begin(
        subject: &'p Subject<'p, T>,
        name: &str,
        method: &dyn Method<T>,
    ) -> Result<Self, ConfigError> {
        let (started, sent) = (Instant::now(), ranks::traffic());
        let run = method.begin(subject.problem(), subject.x().clone())?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(Session {
            subject,
            name: name.to_owned(),
            start: [run.x().clone(), run.y().clone()],
            run,
            sent,
            progress: SoFar {
                seconds,
                ..SoFar::default()
            },
        })
    }

    /// The record of the point where a session begins, before any iteration: counts and times are 0,
    /// what iterations report is no number.
    pub(crate) fn start(&self) -> Record {
        let [x, y] = self.reached();
        Record {
            problem: self.subject.name().to_owned(),
            method: self.name.clone(),
            iteration: 0,
            seconds: 0.0,
            upper: f64::NAN,
            lower_residual: f64::NAN,
            hypergradient_norm: f64::NAN,
            hvps: 0,
            gradients: 0,
            samples: 0,
            accuracy: None,
            certificate: None,
            peak_bytes: 0,
            messages: 0,
            bytes_sent: 0,
            exchange_bytes: 0,
            status: "start".into(),
            metrics: self.subject.measure(x, y),
        }
    }

    /// Makes the iterations of one record; `None` when there are no more.
    pub fn step(&mut self) -> Option<Record> {
        let (started, before) = (Instant::now(), self.run.measuring_seconds());
        let progress = self.run.step()?;
        let measuring = self.run.measuring_seconds() - before;
        let so_far = &mut self.progress;
        so_far.seconds += started.elapsed().as_secs_f64() - measuring;
        so_far.iteration = progress.iteration;
        if !progress.status.is_success() {
            let (iteration, status) = (progress.iteration, &progress.status);
            so_far
                .failure
                .get_or_insert_with(|| format!("iteration {iteration}: {status}"));
        }
        keep_warnings(&mut so_far.warnings, &progress.warnings);
        let sent = ranks::traffic() - self.sent;
        Some(Record {
            problem: self.subject.name().to_owned(),
            method: self.name.clone(),
            iteration: progress.iteration,
            seconds: so_far.seconds,
            upper: progress.upper,
            lower_residual: progress.lower_residual,
            hypergradient_norm: progress.hypergradient_norm,
            hvps: progress.oracles.hvps(),
            gradients: progress.oracles.gradients(),
            samples: progress.samples,
            accuracy: progress.accuracy,
            certificate: progress.certificate.map(|c| c.bound),
            peak_bytes: progress.peak_bytes,
            messages: sent.messages,
            bytes_sent: sent.bytes,
            exchange_bytes: sent.held,
            status: progress.status.code().into(),
            metrics: self.subject.measure(self.run.x(), self.run.y()),
        })
    }

    /// The outer and the inner variable reached.
    pub fn reached(&self) -> [&DVector<T>; 2] {
        [self.run.x(), self.run.y()]
    }

    /// The method's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Iterations in all.
    pub fn iterations(&self) -> usize {
        self.run.iterations()
    }

    /// Whether the next record is the last, or none is left, where there is one `every` so many
    /// iterations.
    pub fn is_near_its_end(&self, every: usize) -> bool {
        self.progress.iteration.saturating_add(every) >= self.run.iterations()
    }

    /// What was said so far.
    pub fn so_far(&self) -> &SoFar {
        &self.progress
    }

    /// The state between two iterations.
    pub fn save(&mut self) -> Vec<u64> {
        self.run.save()
    }

    /// Goes on from a state that a session of the same problem and method saved.
    ///
    /// # Errors
    /// If it cannot be of such a session, which is then in no state to go on.
    pub fn restore(&mut self, so_far: SoFar, state: &[u64]) -> Result<(), RestoreError> {
        self.run.restore(state)?;
        self.progress = so_far;
        Ok(())
    }

    /// What x is worth where the run began and where it stands, measured with the lower level
    /// [solved](Worth): two hypergradients, which are no part of the run's counts, bytes or time. `None`
    /// where the problem [brings its own steps](solvers::Bilevel::with_step): what they lead to is what
    /// is meant, and there is nothing to solve.
    pub fn gain(&self) -> Option<Gain> {
        if self.subject.problem().step().is_some() {
            return None;
        }
        let started = Instant::now();
        let [x, y] = &self.start;
        let worth = |at| Worth::at(self.subject, at, Solved::Well);
        Some(Gain {
            start: worth([x, y]),
            end: worth(self.reached()),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// The run as it ends here, with all its records, and what it gained, if that was measured.
    pub fn outcome(&self, records: Vec<Record>, gain: Option<Gain>) -> Outcome {
        Outcome {
            problem: self.subject.name().to_owned(),
            method: self.name.clone(),
            percent: self.subject.percent().to_vec(),
            records,
            so_far: self.progress.clone(),
            gain,
            x: self.run.x().iter().map(|v| v.f64()).collect(),
            y: self.run.y().iter().map(|v| v.f64()).collect(),
        }
    }
}

/// Runs a method to its end.
///
/// # Errors
/// If the method's settings do not fit, before any work.
#[inline(never)]
pub fn run<T: Real>(
    subject: &Subject<'_, T>,
    name: &str,
    method: &dyn Method<T>,
) -> Result<Outcome, ConfigError> {
    let mut session = Session::begin(subject, name, method)?;
    let records = std::iter::from_fn(|| session.step()).collect();
    Ok(session.outcome(records, None))
}

/// A run that has come to its end, or was stopped.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The problem's name.
    pub problem: String,
    /// The method's name.
    pub method: String,
    /// The names of metrics that are parts of a hundred.
    pub percent: Vec<String>,
    /// Its trace.
    pub records: Vec<Record>,
    /// What was said of it.
    pub so_far: SoFar,
    /// What it [gained](Session::gain), if that was measured.
    pub gain: Option<Gain>,
    /// The outer variable at the end.
    pub x: Vec<f64>,
    /// The inner variable at the end.
    pub y: Vec<f64>,
}

/// A number that was written as null because it is not finite.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
