//! The one slot of hypergradient strategies.

mod aid;
mod aid_step;
mod bda;
mod equation;
mod exact;
mod footprint;
mod frame;
mod itd;
mod kkt;
mod planner;
mod room;
mod slowest;
mod unrolled;

pub use aid::Aid;
pub use aid_step::{AidStep, StepSystem};
pub use bda::{Bda, OneStage};
pub use exact::Exact;
pub use footprint::Footprint;
pub use frame::{Answer, Call};
pub use itd::Itd;
pub use kkt::Kkt;
pub use planner::{ANY_DEPTH, Budget, BudgetError, Plan};
pub use room::Room;

use std::fmt::Debug;
use std::sync::Arc;

use autodiff::Real;
use nalgebra::DVector;

use crate::catalogue::Entry;
use crate::linear::LinearSolver;
use crate::{Bilevel, Estimate, Workspace};

/// The name of a strategy.
pub(crate) type StrategyEntry<T> = Entry<dyn Strategy<T>>;

/// Every strategy by name.
pub(crate) fn entries<T: Real>() -> Vec<StrategyEntry<T>> {
    let mut entries = vec![exact::entry()];
    entries.extend(itd::entries());
    entries.extend(aid::entries());
    entries.extend(aid_step::entries());
    entries.extend(bda::entries());
    entries.push(kkt::entry());
    entries
}

/// Why a strategy or method is not begun: one line that says what is wrong and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A setting that no problem could be solved with.
    #[error("{of}: {reason}")]
    Setting {
        /// The strategy or method.
        of: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A problem that the strategy or method cannot be run on, whatever its settings.
    #[error("{of}: {reason}")]
    Problem {
        /// The strategy or method.
        of: String,
        /// What the problem lacks, or what would do.
        reason: String,
    },
}

impl ConfigError {
    /// What is wrong and what was expected, without the name of the strategy or method.
    pub fn reason(&self) -> &str {
        match self {
            ConfigError::Setting { reason, .. } | ConfigError::Problem { reason, .. } => reason,
        }
    }
}

/// Where a hypergradient is computed, and what it starts from.
///
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Aid, At, Bilevel, Strategy};
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let (x, mut guess) = (dvector![0.3], dvector![0.0]);
/// let first = Aid::cg().hypergradient(&problem, &x, &mut problem.workspace())?;
/// let near = At::new(&x).start(&first.y).linear(&mut guess);
/// let warm = Aid::cg().hypergradient_at(&problem, near, &mut problem.workspace())?;
/// assert_eq!(warm.lower_iterations, 0);
/// // The solution of H v = ∇_yF: the next call may start from it.
/// assert!((guess[0] + 0.7).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct At<'a, T: Real> {
    x: &'a DVector<T>,
    start: Option<&'a DVector<T>>,
    iteration: usize,
    linear: Option<&'a mut DVector<T>>,
    kept: Option<&'a mut [T]>,
    by_start: Option<&'a mut [T]>,
}

impl<'a, T: Real> At<'a, T> {
    /// At `x`, the lower level started where the [problem](Bilevel::start) says, the linear system of
    /// implicit strategies from 0, in outer iteration 0.
    pub fn new(x: &'a DVector<T>) -> Self {
        At {
            x,
            start: None,
            iteration: 0,
            linear: None,
            kept: None,
            by_start: None,
        }
    }

    /// Starts the lower level from `y`.
    #[must_use]
    pub fn start(mut self, y: &'a DVector<T>) -> Self {
        self.start = Some(y);
        self
    }

    /// Starts the linear system of implicit strategies from `guess`, which is overwritten with its
    /// solution, or with 0 where that is not finite. Direct and one-step solutions do not depend on
    /// where they start.
    #[must_use]
    pub fn linear(mut self, guess: &'a mut DVector<T>) -> Self {
        self.linear = Some(guess);
        self
    }

    /// Hands on what the linear solver [kept](Strategy::kept) of the last system, zeros before the first
    /// one. It is overwritten with what this one leaves, or with zeros where that is not finite. It
    /// changes how many iterations the system takes:
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::{DVector, dvector};
    /// use solvers::linear::Recycled;
    /// use solvers::{Aid, At, Bilevel, Strategy};
    ///
    /// // Curvatures of 1e-4 to 3e-3 in the first four entries, and of 1 to 2 in the others.
    /// let curvature = |k: usize| match k {
    ///     0..4 => 1e-4 * 3f64.powi(k as i32),
    ///     k => 1.0 + k as f64 / 60.0,
    /// };
    /// let upper = objective(|x: Var, y: Var| y.sum() + x.sum());
    /// let lower = objective(move |x: Var, y: Var| {
    ///     let terms = (0..60).map(|k| (0.5 * curvature(k)) * y.at(k).square());
    ///     let sum = terms.reduce(|sum, term| sum + term).expect("sixty");
    ///     sum * (x.sum() + 1.0) - 1e-4 * y.sum()
    /// });
    /// let problem = Bilevel::new(upper, lower, 1, 60)?;
    /// let (aid, mut work) = (Aid::with(Recycled::new(4)), problem.workspace());
    /// let mut kept = DVector::zeros(aid.kept(&problem));
    /// let mut iterations = Vec::new();
    /// for x in [dvector![0.5], dvector![0.501]] {
    ///     let at = At::new(&x).kept(kept.as_mut_slice());
    ///     iterations.push(aid.hypergradient_at(&problem, at, &mut work)?.linear_iterations);
    /// }
    /// assert!(iterations[1] < iterations[0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn kept(mut self, kept: &'a mut [T]) -> Self {
        self.kept = Some(kept);
        self
    }

    /// Overwrites `by_start` with the derivative of F(x, y_K) by where the loop starts. Only loops that
    /// are pulled back to there have one.
    #[must_use]
    pub(crate) fn by_start(mut self, by_start: &'a mut [T]) -> Self {
        self.by_start = Some(by_start);
        self
    }

    /// Says which outer iteration it is, counted from 0: for what a strategy schedules over them
    /// ([`Bda::outer_schedule`]).
    #[must_use]
    pub fn iteration(mut self, iteration: usize) -> Self {
        self.iteration = iteration;
        self
    }
}

/// A way of computing a hypergradient; each is a value of one slot.
///
/// A strategy brings what differs from others; [`hypergradient`](Strategy::hypergradient) is the same
/// for all. Of your own:
/// ```
/// use autodiff::{Inputs, Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Answer, Bilevel, Call, Footprint, Status, Strategy};
///
/// /// ∇_xF at the problem's start: the lower level is not looked at.
/// #[derive(Debug)]
/// struct Direct;
///
/// impl Strategy<f64> for Direct {
///     fn name(&self) -> String {
///         "direct-part".into()
///     }
///
///     fn footprint(&self, _: &Bilevel<f64>) -> Footprint<f64> {
///         Footprint::new()
///     }
///
///     fn differentiate(&self, call: &mut Call<'_, f64>) -> Answer {
///         let at = [call.x, &call.y[..]];
///         let upper = call.upper.differentiate(&at, Inputs::ALL);
///         call.lower.differentiate(&at, Inputs::one(1));
///         let residual = call.lower.gradient(1).iter().map(|g| g * g).sum::<f64>().sqrt();
///         call.hypergradient.copy_from_slice(call.upper.gradient(0));
///         Answer::new(Status::Stepped, upper, residual)
///     }
/// }
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let estimate = Direct.hypergradient(&problem, &dvector![0.3], &mut problem.workspace())?;
/// assert_eq!((estimate.hypergradient[0], estimate.lower_residual), (0.3, 0.3));
/// assert_eq!(estimate.bytes.peak, Direct.predicted_peak_bytes(&problem));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Strategy<T: Real>: Debug + Send + Sync {
    /// The name in records: `itd`, `aid-cg`, `bda`, ….
    fn name(&self) -> String;

    /// The reason why these settings suit no problem, with what was expected, if they do not.
    fn complaint(&self) -> Option<String> {
        None
    }

    /// The reason why the strategy cannot be run on `problem`, with what was expected, if it cannot.
    /// Unless a strategy says otherwise, it cannot on one that [brings its own
    /// steps](Bilevel::with_step) or has a [part beside g](Bilevel::with_part).
    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        problem.not_smooth()
    }

    /// Entries of [`Call::scratch`] that [`differentiate`](Strategy::differentiate) takes.
    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        let _ = problem;
        0
    }

    /// What a call holds beside its scratch.
    ///
    /// # Panics
    /// If the settings are not valid.
    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T>;

    /// Entries that it keeps from one call for the next where it is [given](At::kept) them: none unless it
    /// says so.
    fn kept(&self, problem: &Bilevel<T>) -> usize {
        let _ = problem;
        0
    }

    /// What it holds beyond a few vectors, for y of `dim_y` entries; nothing unless it says so.
    fn room(&self, dim_y: usize) -> Room {
        let _ = dim_y;
        Room::default()
    }

    /// What differs from one strategy to the next: overwrites [`Call::hypergradient`] and
    /// [`Call::y`], and says how that went. The settings were looked at, and lengths.
    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer;

    /// Whether the y that the strategy answers depends on F: it then makes no
    /// [layer](crate::Layer). It does not unless the strategy says so.
    fn follows_upper(&self) -> bool {
        false
    }

    /// The solver of `H v = b` of a strategy that differentiates the solution of a smooth lower level by
    /// the implicit function theorem, at whatever y it found: none unless it says so. Several
    /// [cotangents](crate::Layer::pull_back) are then pulled back by one
    /// [block](crate::linear::LinearSolver::solve_block).
    fn implicit(&self) -> Option<&dyn LinearSolver<T>> {
        None
    }

    /// Checks the settings, before any work.
    ///
    /// # Errors
    /// With the reason, and what was expected.
    #[inline(never)]
    fn validate(&self) -> Result<(), ConfigError> {
        self.complaint().map_or(Ok(()), |reason| {
            let of = self.name();
            Err(ConfigError::Setting { of, reason })
        })
    }

    /// Checks that the strategy can be run on a problem, before any work.
    ///
    /// # Errors
    /// With the reason, and what was expected.
    #[inline(never)]
    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        self.misfit(problem).map_or(Ok(()), |reason| {
            let of = self.name();
            Err(ConfigError::Problem { of, reason })
        })
    }

    /// The most bytes that the estimate's workspace holds, without running anything: programs,
    /// sweeps, loops and vectors.
    ///
    /// [`Estimate::bytes`] has exactly this as its peak, in a workspace that was fresh or used by
    /// this strategy alone.
    ///
    /// # Panics
    /// If the settings are not valid.
    #[inline(never)]
    fn predicted_peak_bytes(&self, problem: &Bilevel<T>) -> usize {
        let start = problem.start_of_x().map_or(0, |_| problem.dim_y());
        let vectors = self.scratch(problem) + problem.dim_x() + problem.dim_y() + start;
        self.footprint(problem)
            .bytes(problem)
            .saturating_add(vectors * size_of::<T>())
    }

    /// The bytes that the estimate puts on disk, without running anything: those of
    /// [`Memory::Disk`](autodiff::unroll::Memory::Disk). [`Estimate::bytes`] has exactly this.
    ///
    /// # Panics
    /// If the settings are not valid.
    fn predicted_disk_bytes(&self, _problem: &Bilevel<T>) -> usize {
        0
    }

    /// The hypergradient at `x`, started where the [problem](Bilevel::start) says.
    ///
    /// # Errors
    /// As [`validate`](Strategy::validate) and [`suits`](Strategy::suits). Numerical trouble is no
    /// error: it is the estimate's [`status`](Estimate::status).
    ///
    /// # Panics
    /// If `x` does not have `dim_x` entries, or `work` is of another problem.
    #[track_caller]
    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        frame::run(self, problem, At::new(x), work)
    }

    /// The hypergradient at `at`.
    ///
    /// # Errors
    /// As [`hypergradient`](Strategy::hypergradient).
    ///
    /// # Panics
    /// If an argument does not have the problem's length, or `work` is of another problem.
    #[track_caller]
    fn hypergradient_at(
        &self,
        problem: &Bilevel<T>,
        at: At<'_, T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        frame::run(self, problem, at, work)
    }
}

/// A strategy chosen at run time.
impl<T: Real, S: Strategy<T> + ?Sized> Strategy<T> for Arc<S> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn complaint(&self) -> Option<String> {
        (**self).complaint()
    }

    fn misfit(&self, problem: &Bilevel<T>) -> Option<String> {
        (**self).misfit(problem)
    }

    fn scratch(&self, problem: &Bilevel<T>) -> usize {
        (**self).scratch(problem)
    }

    fn footprint(&self, problem: &Bilevel<T>) -> Footprint<T> {
        (**self).footprint(problem)
    }

    fn kept(&self, problem: &Bilevel<T>) -> usize {
        (**self).kept(problem)
    }

    fn room(&self, dim_y: usize) -> Room {
        (**self).room(dim_y)
    }

    fn follows_upper(&self) -> bool {
        (**self).follows_upper()
    }

    fn implicit(&self) -> Option<&dyn LinearSolver<T>> {
        (**self).implicit()
    }

    fn differentiate(&self, call: &mut Call<'_, T>) -> Answer {
        (**self).differentiate(call)
    }
}
