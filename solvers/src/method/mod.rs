//! The one slot of methods that solve a bilevel problem.

mod along;
mod batches;
mod constraint;
mod descent;
mod driver;
mod gda;
mod growth;
mod hoag;
mod iaptt;
mod implicit;
mod isgd;
mod keep;
mod maid;
mod motion;
mod project;
mod rule;
mod state;
pub(crate) mod stepwise;

pub use batches::Batches;
pub use constraint::Constraint;
pub use descent::Descent;
pub use driver::Outer;
pub use gda::Gda;
pub use hoag::Hoag;
pub use iaptt::Iaptt;
pub use isgd::Isgd;
pub use keep::{Keep, keeping};
pub use maid::Maid;
pub use motion::Motion;
pub use project::Project;
pub use rule::{Advance, Begun, Ground, Rule, Update};
pub use state::State;

use std::fmt::{self, Debug};

use autodiff::{Meter, Point, Real};
use nalgebra::DVector;

use crate::catalogue::Entry;
use crate::hypergradient::Room;
use crate::{Bilevel, Certificate, ConfigError, Ledger, Oracles, RestoreError, Status};

/// The name of a method.
pub(crate) type MethodEntry<T> = Entry<dyn Method<T>>;

/// Every method by name.
pub(crate) fn entries<T: Real>() -> Vec<MethodEntry<T>> {
    let mut entries: Vec<MethodEntry<T>> = descent::entries().collect();
    entries.push(iaptt::entry());
    entries.extend([gda::entry(), hoag::entry(), maid::entry(), isgd::entry()]);
    entries.extend(stepwise::entries());
    entries
}

/// A way of solving a bilevel problem; each is a value of one slot.
pub trait Method<T: Real>: Debug + Send + Sync {
    /// The name in records.
    fn name(&self) -> String;

    /// What it holds beyond a few vectors, for y of `dim_y` entries; nothing unless it says so.
    fn room(&self, dim_y: usize) -> Room {
        let _ = dim_y;
        Room::default()
    }

    /// Whether it draws batches of a problem's samples: no, unless it says so. Where ranks hold their own
    /// samples, there are none of batches.
    fn draws(&self) -> bool {
        false
    }

    /// Checks the settings and starts a run at `x`.
    ///
    /// # Errors
    /// With the reason, and what was expected, before any work.
    ///
    /// # Panics
    /// If `x` does not have `dim_x` entries.
    #[track_caller]
    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError>;
}

/// A method on its way.
///
/// Between two iterations it can be saved, and restored into another run of the same method on the
/// same problem from the same x, which then continues bit for bit:
///
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Bilevel, Hoag, Method};
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let hoag = Hoag::new(20);
/// let mut run = hoag.begin(&problem, dvector![0.0])?;
/// (0..7).for_each(|_| drop(run.step()));
/// let saved = run.save();
/// while run.step().is_some() {}
///
/// let mut again = hoag.begin(&problem, dvector![0.0])?;
/// again.restore(&saved)?;
/// while again.step().is_some() {}
/// assert_eq!(again.x()[0].to_bits(), run.x()[0].to_bits());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Run<T: Real> {
    /// Makes the outer iterations of one report, one unless
    /// [stated otherwise](Outer::report_every); `None` when there are no more.
    fn step(&mut self) -> Option<Progress>;

    /// Makes the iterations that are left, and keeps the first that failed: one that comes after
    /// may well report success, at an x the failed one has led to.
    ///
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::dvector;
    /// use solvers::{Aid, Bilevel, Descent, Method, Optimiser};
    ///
    /// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
    /// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
    /// let problem = Bilevel::new(upper, lower, 1, 1)?;
    /// let descent = Descent::new(Aid::cg(), Optimiser::GradientDescent { rate: 0.4 }, 50);
    /// let mut run = descent.begin(&problem, dvector![0.0])?;
    /// let finish = run.finish();
    /// assert!(finish.is_success(), "{finish}");
    /// assert!((run.x()[0] - 0.5).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn finish(&mut self) -> Finish {
        let mut finish = Finish {
            last: None,
            failure: None,
            warnings: Vec::new(),
        };
        while let Some(progress) = self.step() {
            if !progress.status.is_success() && finish.failure.is_none() {
                finish.failure = Some((progress.iteration, progress.status.clone()));
            }
            keep_warnings(&mut finish.warnings, &progress.warnings);
            finish.last = Some(progress);
        }
        finish
    }

    /// The meter of the run's buffers. Another thread may [interrupt](autodiff::bytes::Interrupt) what it counts: then the
    /// iteration on its way ends the run with a report of the status `interrupted`, and is not counted.
    /// x and y may stand half way through it; a run that is to go on is
    /// [restored](Run::restore) from what was saved before.
    fn meter(&mut self) -> Meter;

    /// Wall-clock time, since the run began in this process, in which F, ‖∇_y g‖ and whether the end is a
    /// minimiser of g were measured for reports alone: no iteration has a part in it, and no sweep of it is counted.
    fn measuring_seconds(&self) -> f64 {
        0.0
    }

    /// Iterations in all: as many as were asked for, or as were made where the run has ended.
    fn iterations(&self) -> usize;

    /// The outer variable.
    fn x(&self) -> &DVector<T>;

    /// The inner variable.
    fn y(&self) -> &DVector<T>;

    /// Names to the ledger all that later iterations depend on, and nothing that they compute again.
    fn visit(&mut self, ledger: &mut Ledger);

    /// The state between two iterations.
    fn save(&mut self) -> Vec<u64> {
        let mut ledger = Ledger::saving();
        self.visit(&mut ledger);
        ledger.into_words()
    }

    /// Takes up a state that a run of the same method, settings, problem and start has saved.
    ///
    /// # Errors
    /// If it cannot be of such a run. The run is then in no state to go on.
    fn restore(&mut self, saved: &[u64]) -> Result<(), RestoreError> {
        let mut ledger = Ledger::restoring(saved);
        self.visit(&mut ledger);
        ledger.finish()
    }
}

/// What is reported of one outer iteration, or of several.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Progress {
    /// Iterations made so far.
    pub iteration: usize,
    /// F at the point the iteration started from.
    pub upper: f64,
    /// ‖∇_y g‖ at that point's y.
    pub lower_residual: f64,
    /// Norm of the hypergradient, or of what takes its place.
    pub hypergradient_norm: f64,
    /// How its computation ended.
    pub status: Status,
    /// The accuracy ε that its solves were asked for, in methods that choose one.
    pub accuracy: Option<f64>,
    /// The bound on its error, in the same methods, where the problem states its constants.
    pub certificate: Option<Certificate>,
    /// Sweeps of both objectives since the run began.
    pub oracles: Oracles,
    /// Gradients and Hessian-vector products of single samples since the run began, of both levels
    /// together: a sweep of a batch is as many as it has samples, one of an objective that is no mean is
    /// one.
    pub samples: usize,
    /// The most bytes held at one time since the run began.
    pub peak_bytes: usize,
    /// Remarks the user should see.
    pub warnings: Vec<String>,
}

/// How a run ended: what [`Run::finish`] gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finish {
    /// What the last iteration reported; `None` where none was left to make.
    pub last: Option<Progress>,
    /// The first iteration that failed, and how.
    pub failure: Option<(usize, Status)>,
    /// Remarks of all iterations, each kind once.
    pub warnings: Vec<String>,
}

/// Adds those of `more` to `kept` that say something new, apart from their numbers.
///
/// ```
/// let mut kept = vec!["off by 1.2e-3".to_owned()];
/// let more = ["off by 4e-5".to_owned(), "slow".to_owned()];
/// solvers::keep_warnings(&mut kept, &more);
/// assert_eq!(kept, ["off by 1.2e-3", "slow"]);
/// ```
pub fn keep_warnings(kept: &mut Vec<String>, more: &[String]) {
    fn words(text: &str) -> impl Iterator<Item = &str> {
        let number = |word: &&str| !word.starts_with(|c: char| c.is_ascii_digit());
        text.split_whitespace().filter(number)
    }
    for warning in more {
        if !kept.iter().any(|k| words(k).eq(words(warning))) {
            kept.push(warning.clone());
        }
    }
}

impl Finish {
    /// Whether every iteration was a success.
    pub fn is_success(&self) -> bool {
        self.failure.is_none()
    }
}

impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last {
            Some(last) => write!(
                f,
                "iteration {}: F = {}, ‖hypergradient‖ = {:e}, {}",
                last.iteration, last.upper, last.hypergradient_norm, last.status
            )?,
            None => write!(f, "no iteration was left")?,
        }
        if let Some((iteration, status)) = &self.failure {
            write!(f, "; iteration {iteration} failed: {status}")?;
        }
        for warning in &self.warnings {
            write!(f, "; warning: {warning}")?;
        }
        Ok(())
    }
}

/// The failure of a value of F at (x, y) that is no number, if it is none; it is looked for on all
/// samples.
fn value_status<T: Real>(value: f64, upper: &Point<T>, at: &[&[T]; 2]) -> Option<Status> {
    if value.is_finite() {
        return None;
    }
    let place = match upper.program().find_non_finite(at, &[None, None]) {
        Some(found) => format!("in the objective F: {found}"),
        None => format!("the objective F is {value}"),
    };
    Some(Status::NonFinite { place })
}

/// Stepped, unless an iterate is not finite.
fn iterate_status<T: Real>(iteration: usize, iterates: &[&[T]]) -> Status {
    let mut entries = iterates.iter().flat_map(|v| v.iter());
    if entries.all(|v| v.is_finite()) {
        return Status::Stepped;
    }
    Status::NonFinite {
        place: format!("in the iterate after {iteration} iterations"),
    }
}
