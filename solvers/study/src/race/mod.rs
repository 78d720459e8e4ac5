//! Methods side by side: the objective that counts, φ(x) = F(x, y\*(x)), and its gradient, against what
//! they cost.
//!
//! What a method reports of itself is at its own y, which is none of the lower level's solutions: two
//! methods cannot be compared by it. Here φ and ‖∇φ‖² are measured at x, with the lower level solved as
//! far as the precision goes, beside the counts of the run: oracle calls, samples touched, bytes and
//! time, in none of which this has a part.
//!
//! ```
//! use autodiff::{Var, sampled};
//! use nalgebra::dvector;
//! use solvers::sampling::Sampling;
//! use solvers::{Bilevel, Estimator, Method, Outer, Schedule, Soba};
//! use study::{Page, Subject, race};
//!
//! let b = [0.5, 1.0, 1.5, 0.0, 2.0];
//! let upper = sampled(5, move |x: Var, y: Var, batch: &[usize]| {
//!     let terms = batch.iter().map(|i| 0.5 * (y - b[*i]).norm_squared());
//!     Var::sum_of(terms) / batch.len() as f64 + 0.5 * x.norm_squared()
//! });
//! let lower = sampled(5, move |x: Var, y: Var, _: &[usize]| 0.5 * (y - x).norm_squared());
//! let problem = Bilevel::sampled(upper, lower, 1, 1)?;
//! let subject = Subject::new("means", &problem, dvector![0.0]);
//!
//! let course = race::Course { samples: 20_000, records: 20 };
//! let mut runs = Vec::new();
//! for (name, estimator) in [("soba", Estimator::Plain), ("saba", Estimator::Saga)] {
//!     for seed in [1, 2] {
//!         let rule = Soba::new(estimator, Schedule::Constant(0.1), 1.0);
//!         let method = Outer::new(rule, 10_000).sampling(Sampling::new(seed)).report_every(100);
//!         runs.push(race::run(&subject, name, &method, seed, course)?);
//!     }
//! }
//! let [soba, saba] = &race::summarise(&runs)[..] else { panic!("two methods") };
//! // With constant steps, noise is left of the samples unless it is averaged out.
//! assert!(soba.end.gradient_squared.median > 1e-6 && saba.end.gradient_squared.median < 1e-20);
//! println!("{}", race::table(&runs));
//! let page = Page::new("Two estimators").race(&runs);
//! # assert_eq!(page.sections.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod page;
mod summary;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use autodiff::Real;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use solvers::{ConfigError, Method};

use crate::Subject;
use crate::solve::{self, Session};
use crate::worth::{Solved, Worth};

pub use page::table;
pub use summary::{Place, Summary, summarise};

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// The run ends with the report in which it has touched so many samples: gradients and
    /// Hessian-vector products of each count.
    pub samples: usize,
    /// Records along the way, beside that of the start: where the run has touched 1, 2, … of so many
    /// equal parts of these samples, with the next report after it.
    pub records: usize,
}

/// Where a run stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The problem's name.
    pub problem: String,
    /// The method's name.
    pub method: String,
    /// The seed of the run.
    pub seed: u64,
    /// Iterations made so far.
    pub iteration: usize,
    /// Gradients and Hessian-vector products of single samples so far.
    pub samples: usize,
    /// Gradients so far; a sweep of a batch is one.
    pub gradients: usize,
    /// Hessian-vector products so far.
    pub hvps: usize,
    /// Time spent in iterations so far.
    pub seconds: f64,
    /// The most bytes held at one time.
    pub peak_bytes: usize,
    /// φ(x); `None` where the lower level could not be solved there.
    pub value: Option<f64>,
    /// ‖∇φ(x)‖²; `None` where it could not be computed.
    pub gradient_squared: Option<f64>,
    /// How the method's last iteration ended, in a word; `start` where none was made.
    pub status: Cow<'static, str>,
    /// The problem's metrics at the method's own (x, y).
    #[serde(flatten)]
    pub metrics: Map<String, Value>,
}

/// A run of a method with a seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The method's name.
    pub method: String,
    /// The seed.
    pub seed: u64,
    /// Samples of the upper and of the lower level: what a pass touches.
    pub samples: (usize, usize),
    /// The start, then one for each part of the course.
    pub records: Vec<Record>,
    /// The first iteration that failed, with its status in a sentence.
    pub failure: Option<String>,
    /// Remarks, each once.
    pub warnings: Vec<String>,
}

/// Runs a method to the end of the course, or to its own.
///
/// A method's reports set how finely the course can be cut: see
/// [`Outer::report_every`](solvers::Outer::report_every), and [`report_every`] for a number that fits.
///
/// # Errors
/// If the method's settings do not fit, before any work.
#[inline(never)]
pub fn run<T: Real>(
    subject: &Subject<'_, T>,
    name: &str,
    method: &dyn Method<T>,
    seed: u64,
    course: Course,
) -> Result<Run, ConfigError> {
    let mut session = Session::begin(subject, name, method)?;
    let part = (course.samples / course.records.max(1)).max(1);
    let start = session.start();
    let mut records = vec![measured(subject, &session, start, seed)];
    let (mut next, mut last) = (part, None);
    while let Some(report) = session.step() {
        let touched = report.samples;
        if touched < next {
            last = Some(report);
            continue;
        }
        records.push(measured(subject, &session, report, seed));
        (next, last) = ((touched / part + 1) * part, None);
        if touched >= course.samples {
            break;
        }
    }
    // A run that ended before the course did.
    records.extend(last.map(|report| measured(subject, &session, report, seed)));
    let so_far = session.so_far();
    Ok(Run {
        method: name.to_owned(),
        seed,
        samples: subject.problem().samples(),
        records,
        failure: so_far.failure.clone(),
        warnings: so_far.warnings.clone(),
    })
}

/// Iterations for a report of a method, so that there is about one in each part of the course: `method`
/// makes one of so many iterations a report. As long a run is made as touches the samples of a part.
///
/// # Errors
/// If the method's settings do not fit.
pub fn report_every<T: Real>(
    subject: &Subject<'_, T>,
    method: &dyn Fn(usize) -> Arc<dyn Method<T>>,
    course: Course,
) -> Result<usize, ConfigError> {
    const FEW: usize = 16;
    let part = (course.samples / course.records.max(1)).max(1);
    let mut run = method(FEW).begin(subject.problem(), subject.x().clone())?;
    let (mut iterations, mut touched) = (0, 0);
    while touched < part {
        let Some(progress) = run.step() else { break };
        (iterations, touched) = (progress.iteration, progress.samples);
    }
    // The first iterations may touch all samples once: no fewer than there are parts.
    Ok((iterations * part / touched.max(1)).clamp(1, iterations.max(1)))
}

/// A report with φ and its gradient at x.
fn measured<T: Real>(
    subject: &Subject<'_, T>,
    session: &Session<'_, T>,
    report: solve::Record,
    seed: u64,
) -> Record {
    let worth = Worth::at(subject, session.reached(), Solved::ToRounding);
    Record {
        problem: report.problem,
        method: report.method,
        seed,
        iteration: report.iteration,
        samples: report.samples,
        gradients: report.gradients,
        hvps: report.hvps,
        seconds: report.seconds,
        peak_bytes: report.peak_bytes,
        value: worth.value,
        gradient_squared: worth.gradient_norm.map(|norm| norm * norm),
        status: report.status,
        metrics: report.metrics,
    }
}
