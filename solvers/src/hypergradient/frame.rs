//! What every call of a strategy shares: checks, measurements, and a look for what is not finite.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use autodiff::bytes::{Bytes, Category, Claim, Interrupted};
use autodiff::ranks::Traffic;
use autodiff::unroll::Memory;
use autodiff::{Inputs, Point, Real, ranks};
use nalgebra::DVector;

use crate::constraints::ConstraintPoint;
use crate::inner::InnerStep;
use crate::linear::Scratch;
use crate::loops::Loops;
use crate::lower::Working;
use crate::part::PartPoint;
use crate::{Bilevel, Certificate, Estimate, Oracles, Status, Workspace};

use super::{At, ConfigError, Strategy};

/// A call of a strategy: where, and in what.
#[derive(Debug)]
pub struct Call<'a, T: Real> {
    /// The problem.
    pub problem: &'a Bilevel<T>,
    /// The outer variable, of `dim_x` entries.
    pub x: &'a [T],
    /// Where the lower level starts, of `dim_y` entries.
    pub start: &'a [T],
    /// The outer iteration, from 0, for what is scheduled over them.
    pub iteration: usize,
    /// The first guess of the linear system, to be overwritten by its solution; `None` for a cold
    /// start. Of `dim_y` entries.
    pub linear: Option<&'a mut [T]>,
    /// What the last call kept, of [`Strategy::kept`] entries, to be overwritten with what this one keeps;
    /// `None` where nothing is handed on.
    pub kept: Option<&'a mut [T]>,
    /// F, whose sweeps and bytes are counted.
    pub upper: &'a mut Point<T>,
    /// g, likewise.
    pub lower: &'a mut Point<T>,
    /// Room for as many entries as [`Strategy::scratch`] says.
    pub scratch: Scratch<'a, T>,
    /// To be overwritten with the hypergradient.
    pub hypergradient: &'a mut [T],
    /// The start, to be replaced by the inner variable that the lower level was brought to.
    pub y: &'a mut [T],
    pub(crate) part: Option<&'a mut PartPoint<T>>,
    pub(crate) constraints: Option<&'a mut ConstraintPoint<T>>,
    /// The function of x that the start is the value of, linearised there.
    pub(crate) learned: Option<&'a mut Point<T>>,
    /// To be overwritten with the derivative by the start, of `dim_y` entries, if it is asked for.
    pub(crate) by_start: Option<&'a mut [T]>,
    pub(crate) loops: &'a mut Loops<T>,
    pub(crate) working: &'a mut Option<Working<T>>,
}

/// What a strategy found beside the hypergradient and y. None can be made without a status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it ended.
    pub status: Status,
    /// F(x, y).
    pub upper: f64,
    /// See [`Estimate::lower_residual`].
    pub lower_residual: f64,
    /// See [`Estimate::lower_iterations`].
    pub lower_iterations: usize,
    /// See [`Estimate::linear_residual`].
    pub linear_residual: Option<f64>,
    /// See [`Estimate::linear_iterations`].
    pub linear_iterations: usize,
    /// See [`Estimate::distance`].
    pub distance: Option<f64>,
    /// See [`Estimate::change`].
    pub change: Option<f64>,
    /// See [`Estimate::moving`].
    pub moving: Option<f64>,
    /// See [`Estimate::left`].
    pub left: Option<f64>,
    /// See [`Estimate::margin`].
    pub margin: Option<f64>,
    /// See [`Estimate::multipliers`].
    pub multipliers: Vec<f64>,
    /// See [`Estimate::certificate`].
    pub certificate: Option<Certificate>,
    /// See [`Estimate::recomputed_steps`].
    pub recomputed_steps: usize,
    /// See [`Estimate::step`].
    pub step: Option<f64>,
    /// Remarks the user should see.
    pub warnings: Vec<String>,
    /// The loop that was run to y, if one was.
    pub(super) walked: Option<Walked>,
}

/// A loop that was run, to be run again where something is not finite.
#[derive(Clone, Debug)]
pub(super) struct Walked {
    pub(super) depth: usize,
    pub(super) memory: Memory,
    /// The kind of step, for the first state.
    pub(super) inner: InnerStep,
}

impl Answer {
    /// An answer with this status, F and residual of the lower level, and nothing else to tell.
    pub fn new(status: Status, upper: f64, lower_residual: f64) -> Self {
        Answer {
            status,
            upper,
            lower_residual,
            lower_iterations: 0,
            linear_residual: None,
            linear_iterations: 0,
            distance: None,
            change: None,
            moving: None,
            left: None,
            margin: None,
            multipliers: Vec::new(),
            certificate: None,
            recomputed_steps: 0,
            step: None,
            warnings: Vec::new(),
            walked: None,
        }
    }

    /// The answer with the vectors, as an estimate whose counts are not there yet.
    fn estimate<T: Real>(
        self,
        strategy: String,
        hypergradient: DVector<T>,
        y: DVector<T>,
    ) -> Estimate<T> {
        Estimate {
            strategy,
            hypergradient,
            y,
            upper: self.upper,
            status: self.status,
            lower_residual: self.lower_residual,
            linear_residual: self.linear_residual,
            distance: self.distance,
            change: self.change,
            moving: self.moving,
            left: self.left,
            margin: self.margin,
            multipliers: self.multipliers,
            certificate: self.certificate,
            lower_iterations: self.lower_iterations,
            linear_iterations: self.linear_iterations,
            recomputed_steps: self.recomputed_steps,
            step: self.step,
            oracles: Oracles::default(),
            bytes: Bytes::default(),
            traffic: Traffic::default(),
            seconds: 0.0,
            warnings: self.warnings,
        }
    }
}

/// Checks, calls, measures, and looks for values that are not finite; of a call that is interrupted on
/// the way nothing is left but its status, what it took and where y starts.
#[track_caller]
#[inline(never)]
pub(super) fn run<T: Real, S: Strategy<T> + ?Sized>(
    strategy: &S,
    problem: &Bilevel<T>,
    mut at: At<'_, T>,
    work: &mut Workspace<T>,
) -> Result<Estimate<T>, ConfigError> {
    strategy.validate()?;
    strategy.suits(problem)?;
    work.check(problem, at.x);
    let given = at.start.unwrap_or(problem.start());
    let lengths = [Some(given.len()), at.linear.as_ref().map(|v| v.len())];
    for (len, what) in lengths.into_iter().zip(["start", "guess"]) {
        assert!(
            len.is_none_or(|len| len == problem.dim_y()),
            "the {what} has {} entries: the problem's inner variable has {}",
            len.unwrap_or_default(),
            problem.dim_y()
        );
    }
    let (kept, expected) = (
        at.kept.as_ref().map(|kept| kept.len()),
        strategy.kept(problem),
    );
    assert!(
        kept.is_none_or(|kept| kept == expected),
        "what was kept has {} entries: {} keeps {expected} on this problem",
        kept.unwrap_or_default(),
        strategy.name()
    );
    work.meter.reset_peak();
    let started = Instant::now();
    let before = work.oracles();
    let whole = AssertUnwindSafe(|| estimate(strategy, problem, &mut at, work, before));
    let mut estimate = catch_unwind(whole).unwrap_or_else(|payload| {
        if !payload.is::<Interrupted>() {
            resume_unwind(payload);
        }
        let nan = DVector::from_element(problem.dim_x(), T::of(f64::NAN));
        let answer = Answer::new(Status::Interrupted, f64::NAN, f64::NAN);
        Estimate {
            // A loop that was interrupted is gone, with its counts.
            oracles: work.oracles().saturating_sub(before),
            bytes: work.bytes(),
            ..answer.estimate(strategy.name(), nan, given.clone())
        }
    });
    // One that is not finite would spoil all later calls.
    let finite = |v: &[T]| v.iter().all(|v| v.is_finite());
    let guess = at.linear.map(|v| v.as_mut_slice());
    for v in guess.into_iter().chain(at.kept) {
        if !finite(v) {
            v.fill(T::zero());
        }
    }
    estimate.seconds = started.elapsed().as_secs_f64();
    Ok(estimate)
}

/// The estimate, but for its seconds, with the sweeps since `before`.
fn estimate<T: Real, S: Strategy<T> + ?Sized>(
    strategy: &S,
    problem: &Bilevel<T>,
    at: &mut At<'_, T>,
    work: &mut Workspace<T>,
    before: Oracles,
) -> Estimate<T> {
    let learned = match (at.start, &mut work.start) {
        (None, Some(of_x)) => of_x.linearise_vector(&[at.x.as_slice()]).to_vec(),
        _ => Vec::new(),
    };
    let is_learned = !learned.is_empty();
    let learned = DVector::from_vec(learned);
    let given = at.start.unwrap_or(problem.start());
    let start = if is_learned { &learned } else { given };
    let sent = ranks::traffic();
    work.reserve(strategy.scratch(problem));
    let mut hypergradient = DVector::zeros(problem.dim_x());
    let mut y = start.clone();
    // Of the caller once they are made, and counted until then.
    let of_x = problem.start_of_x().map_or(0, |_| y.len());
    let made = (hypergradient.len() + y.len() + of_x) * size_of::<T>();
    let _made = Claim::new(made, Category::Solver, &work.meter);
    let linear = at.linear.as_mut();
    let kept = at.kept.as_deref_mut();
    let by_start = at.by_start.as_deref_mut();
    let undefined = work
        .part
        .as_mut()
        .and_then(|part| part.complaint(at.x.as_slice()));
    let answer = if let Some(reason) = undefined {
        hypergradient.fill(T::of(f64::NAN));
        Answer::new(Status::Undefined { reason }, f64::NAN, f64::NAN)
    } else {
        strategy.differentiate(&mut Call {
            problem,
            x: at.x.as_slice(),
            start: start.as_slice(),
            iteration: at.iteration,
            linear: linear.map(|v| v.as_mut_slice()),
            kept,
            upper: &mut work.upper,
            lower: &mut work.lower,
            scratch: Scratch::new(&mut work.room, &work.meter),
            hypergradient: hypergradient.as_mut_slice(),
            y: y.as_mut_slice(),
            part: work.part.as_mut(),
            constraints: work.constraints.as_mut(),
            learned: work.start.as_mut().filter(|_| is_learned),
            by_start,
            loops: &mut work.loops,
            working: &mut work.working,
        })
    };
    let walked = answer.walked.clone();
    let mut estimate = Estimate {
        oracles: work.oracles() - before,
        bytes: work.bytes(),
        traffic: ranks::traffic() - sent,
        ..answer.estimate(strategy.name(), hypergradient, y)
    };
    if is_bad(&estimate) {
        let x = at.x.as_slice();
        let step = walked.and_then(|w| w.find(work, x, start.as_slice()));
        let place = step.unwrap_or_else(|| locate(work, x, estimate.y.as_slice()));
        estimate.status = Status::NonFinite { place };
    }
    let at = [at.x.as_slice(), estimate.y.as_slice()];
    for (name, point) in [("g", &mut work.lower), ("F", &mut work.upper)] {
        estimate.warnings.extend(kink(name, point, at));
    }
    estimate
}

/// Whether something is not finite, and not said to be NaN because a loop could not be undone or
/// nothing is defined there.
fn is_bad<T: Real>(estimate: &Estimate<T>) -> bool {
    let mut entries = estimate.hypergradient.iter().chain(estimate.y.iter());
    let numbers = [estimate.upper, estimate.lower_residual];
    let bad = entries.any(|v| !v.is_finite()) || numbers.iter().any(|v| !v.is_finite());
    match estimate.status {
        Status::Irreversible(_) | Status::Disk(_) | Status::Undefined { .. } => false,
        Status::NonFinite { .. } => true,
        _ => bad,
    }
}

impl Walked {
    /// The first step of the loop that is not finite, in words.
    fn find<T: Real>(&self, work: &mut Workspace<T>, x: &[T], start: &[T]) -> Option<String> {
        let mut first = vec![T::zero(); self.inner.dim_state(start.len())];
        self.inner.start(start, &mut first);
        let nothing = vec![T::zero(); start.len()];
        let cotangent = match self.memory.differentiated_steps(self.depth) {
            0 => &nothing,
            _ => work.upper.gradient(1),
        };
        let steps = work.loops.latest()?;
        let found = steps.find_non_finite(x, &first, self.depth, self.memory, cotangent);
        found.map(|step| step.to_string())
    }
}

/// A kink of an objective at (x, y), where derivatives were taken, in words.
fn kink<T: Real>(name: &str, point: &mut Point<T>, at: [&[T]; 2]) -> Option<String> {
    if !point.program().has_kinks() {
        return None;
    }
    point.value(&at);
    let kinks = point.kinks();
    let first = kinks.first()?;
    let more = match kinks.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    Some(format!(
        "a derivative of {name} was taken at a kink: {first}{more}; what is answered is one of several"
    ))
}

/// Where a value, a gradient or a Hessian-vector product of the objectives is not finite.
fn locate<T: Real>(work: &mut Workspace<T>, x: &[T], y: &[T]) -> String {
    let at = [x, y];
    // The direction that implicit differentiation starts with; and one that no entry is zero of.
    work.upper.differentiate(&at, Inputs::one(1));
    let upward = work.upper.gradient(1).to_vec();
    let anywhere: Vec<T> = (0..y.len())
        .map(|i| T::of(1.0 + 0.5 * (i as f64).sin()))
        .collect();
    let directions = [&upward[..], &anywhere].map(|v| [None, Some(v)]);
    let find = |point: &Point<T>| {
        let mut directions = directions.iter();
        directions.find_map(|v| point.program().find_non_finite(&at, v))
    };
    let upper = work.upper.program().find_non_finite(&at, &[None, None]);
    let found = upper
        .map(|at| ("F", at))
        .or_else(|| find(&work.lower).map(|at| ("g", at)));
    match found {
        Some((level, at)) => format!("in the objective {level}: {at}"),
        None => "the derivatives overflow although both objectives are finite".into(),
    }
}
