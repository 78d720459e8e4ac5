//! Methods made of small steps, on whole objectives or on mini-batches: one shape, a rule in one slot.

mod aid;
mod amigo;
mod bome;
mod bsa;
mod f2sa;
mod fsla;
mod pbgd;
mod penalty;
mod saba;
mod soba;
mod stocbio;

pub use aid::StochasticAid;
pub use amigo::Amigo;
pub use bome::Bome;
pub use bsa::Bsa;
pub use f2sa::F2sa;
pub use fsla::Fsla;
pub use pbgd::Pbgd;
pub(super) use penalty::Penalised;
pub use saba::Saba;
pub use soba::Soba;
pub use stocbio::StocBio;

use std::fmt::Debug;

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Real};
use nalgebra::DVector;

use crate::sampling::{Level, Sampling};
use crate::{Bilevel, ConfigError, Oracles};

use super::{Method, Progress, Run, bounds_complaint, project};

/// What one step of a method does: a value of one slot.
pub trait Rule<T: Real>: Debug + Send + Sync {
    /// The name in records.
    fn name(&self) -> &'static str;

    /// The reason why these settings suit no problem, or not batches of so many samples of the
    /// upper and the lower objective, with what was expected.
    fn complaint(&self, batch: (usize, usize)) -> Option<String>;

    /// The step, as a closure that owns what it keeps between steps. It is called with the steps
    /// made so far.
    fn begin(&self, state: &mut State<T>) -> Update<T>;
}

/// One step of a method.
pub type Update<T> = Box<dyn FnMut(&mut State<T>, usize)>;

/// What the steps of a method move, and what they draw from.
pub struct State<T: Real> {
    /// The outer variable.
    pub x: DVector<T>,
    /// The inner variable.
    pub y: DVector<T>,
    /// A second vector of `dim_y` entries, 0 at the start: the solution of the linear system; in
    /// first-order methods that of the lower level alone.
    pub v: Buffer<T>,
    /// What x was last moved along, of `dim_x` entries.
    pub direction: Buffer<T>,
    /// F.
    pub upper: Level<T>,
    /// g.
    pub lower: Level<T>,
    /// The seed of the draws.
    pub seed: u64,
    /// Remarks for the next report.
    pub warnings: Vec<String>,
    meter: Meter,
}

impl<T: Real> State<T> {
    /// The meter of the run's buffers.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    fn oracles(&self) -> Oracles {
        Oracles {
            upper: self.upper.sweeps(),
            lower: self.lower.sweeps(),
        }
    }

    /// A counted vector of zeros.
    pub fn buffer(&self, len: usize) -> Buffer<T> {
        Buffer::zeros(len, Category::Solver, &self.meter)
    }

    /// Draws a batch of F and overwrites `in_x` and `in_y` with its gradients at (x, y).
    pub fn upper_gradients(&mut self, in_x: &mut [T], in_y: &mut [T]) {
        let point = self.upper.draw();
        point.differentiate(&[self.x.as_slice(), self.y.as_slice()], Inputs::ALL);
        in_x.copy_from_slice(point.gradient(0));
        in_y.copy_from_slice(point.gradient(1));
    }

    /// Draws a batch of g: ∇_y g at (x, y).
    pub fn lower_gradient(&mut self) -> &[T] {
        let point = self.lower.draw();
        point.differentiate(&[self.x.as_slice(), self.y.as_slice()], Inputs::one(1));
        point.gradient(1)
    }

    /// Draws a batch of g: ∇²_yy g · v at (x, y).
    pub fn hessian_product(&mut self) -> &[T] {
        self.product(1)
    }

    /// Draws a batch of g: ∇²_xy g · v at (x, y).
    pub fn cross_product(&mut self) -> &[T] {
        self.product(0)
    }

    fn product(&mut self, by: usize) -> &[T] {
        let point = self.lower.draw();
        let at = [self.x.as_slice(), self.y.as_slice()];
        point.second_at(&at, &[None, Some(&self.v)], Inputs::one(by));
        point.product(by)
    }
}

/// A method: a [`Rule`] with the number of its steps and how they draw.
///
/// # Requirements on the problem
/// Those of the rule. Batches are of the samples that [`Bilevel::sampled`] names; an objective
/// without samples is drawn whole, so on such problems every rule but BSA is deterministic.
///
/// # Cost in oracle calls
/// That of the rule; a sweep of a batch counts as one. A Hessian-vector product on a fresh batch
/// linearises it, which is counted as a gradient too. Each report evaluates F and ∇_y g on all
/// samples, which is not counted.
///
/// # Example
/// ```
/// use autodiff::{Var, objective, sampled};
/// use nalgebra::dvector;
/// use solvers::sampling::Sampling;
/// use solvers::{Bilevel, Method, Schedule, Stepwise, StochasticAid};
///
/// let b = [0.5, 1.0, 1.5];
/// let upper = sampled(3, move |x: Var, y: Var, batch: &[usize]| {
///     let terms = batch.iter().map(|i| 0.5 * (y - b[*i]).norm_squared());
///     Var::sum_of(terms) / batch.len() as f64 + 0.5 * x.norm_squared()
/// });
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::sampled(upper, lower, 1, 1)?;
/// let rule = StochasticAid {
///     inner: 10,
///     x: Schedule::Harmonic { a: 1.0, c: 5.0 },
///     y: Schedule::Constant(0.5),
///     z: 0.5,
///     averaging: 0.5,
/// };
/// let method = Stepwise::new(rule, 3000).sampling(Sampling::new(1)).report_every(3000);
/// let mut run = method.begin(&problem, dvector![0.0])?;
/// while let Some(progress) = run.step() {
///     assert!(progress.status.is_success());
/// }
/// assert!((run.x()[0] - 0.5).abs() < 0.05);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stepwise<R> {
    rule: R,
    iterations: usize,
    report_every: usize,
    sampling: Sampling,
    bounds: Option<(f64, f64)>,
}

impl<R> Stepwise<R> {
    /// `iterations` steps of `rule` on the whole objectives.
    pub fn new(rule: R, iterations: usize) -> Self {
        Stepwise {
            rule,
            iterations,
            report_every: 1,
            sampling: Sampling::whole(),
            bounds: None,
        }
    }

    /// How batches are drawn.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// One [`Progress`] for so many iterations.
    #[must_use]
    pub fn report_every(mut self, iterations: usize) -> Self {
        self.report_every = iterations;
        self
    }

    /// Projects every entry of x to `low ..= high`.
    #[must_use]
    pub fn bounds(mut self, low: f64, high: f64) -> Self {
        self.bounds = Some((low, high));
        self
    }
}

impl<T: Real, R: Rule<T>> Method<T> for Stepwise<R> {
    fn name(&self) -> String {
        self.rule.name().into()
    }

    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        mut x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError> {
        let none = self.iterations == 0 || self.report_every == 0;
        let complaint = none
            .then(|| "0 iterations: expected at least 1".to_owned())
            .or(self.sampling.complaint(problem))
            .or(self.rule.complaint(self.sampling.batch(problem)))
            .or(bounds_complaint(self.bounds));
        if let Some(reason) = complaint {
            return Err(ConfigError {
                strategy: self.rule.name().into(),
                reason,
            });
        }
        assert_eq!(x.len(), problem.dim_x(), "entries of the outer variable");
        project(&mut x, self.bounds);
        let meter = Meter::new();
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, &meter);
        let (upper, lower) = self.sampling.levels(problem, &meter);
        let mut state = State {
            x,
            y: problem.start().clone(),
            v: buffer(problem.dim_y()),
            direction: buffer(problem.dim_x()),
            upper,
            lower,
            seed: self.sampling.seed(),
            warnings: Vec::new(),
            meter,
        };
        Ok(Box::new(StepwiseRun {
            update: self.rule.begin(&mut state),
            state,
            reports: Oracles::default(),
            iteration: 0,
            iterations: self.iterations,
            report_every: self.report_every,
            bounds: self.bounds,
            stopped: false,
        }))
    }
}

struct StepwiseRun<T: Real> {
    update: Update<T>,
    state: State<T>,
    /// Sweeps of the reports.
    reports: Oracles,
    iteration: usize,
    iterations: usize,
    report_every: usize,
    bounds: Option<(f64, f64)>,
    stopped: bool,
}

impl<T: Real> StepwiseRun<T> {
    /// F and ‖∇_y g‖ on all samples.
    fn measure(&mut self) -> (f64, f64) {
        let state = &mut self.state;
        let before = state.oracles();
        let at = [state.x.as_slice(), state.y.as_slice()];
        let upper = state.upper.whole().value(&at).f64();
        let lower = state.lower.whole();
        lower.differentiate(&at, Inputs::one(1));
        let residual = norm(lower.gradient(1)).f64();
        self.reports += state.oracles() - before;
        (upper, residual)
    }
}

impl<T: Real> Run<T> for StepwiseRun<T> {
    fn step(&mut self) -> Option<Progress> {
        if self.stopped || self.iteration == self.iterations {
            return None;
        }
        let (upper, lower_residual) = self.measure();
        let count = self.report_every.min(self.iterations - self.iteration);
        for _ in 0..count {
            (self.update)(&mut self.state, self.iteration);
            project(&mut self.state.x, self.bounds);
            self.iteration += 1;
        }
        let State { x, y, v, .. } = &self.state;
        let status = super::iterate_status(self.iteration, &[x.as_slice(), y.as_slice(), v]);
        self.stopped = !status.is_success();
        Some(Progress {
            iteration: self.iteration.div_ceil(self.report_every),
            upper,
            lower_residual,
            hypergradient_norm: norm(&self.state.direction).f64(),
            status,
            accuracy: None,
            certificate: None,
            oracles: self.state.oracles() - self.reports,
            peak_bytes: self.state.meter.read().peak,
            warnings: std::mem::take(&mut self.state.warnings),
        })
    }

    fn iterations(&self) -> usize {
        self.iterations.div_ceil(self.report_every)
    }

    fn x(&self) -> &DVector<T> {
        &self.state.x
    }

    fn y(&self) -> &DVector<T> {
        &self.state.y
    }
}

/// The reason why this is no length of a step, if it is none.
fn length_complaint(what: &str, length: f64) -> Option<String> {
    let bad = !(length.is_finite() && length > 0.0);
    bad.then(|| format!("{what} {length}: expected a positive number"))
}

/// The reason why this is no number of repetitions, if it is none.
fn count_complaint(what: &str, count: usize) -> Option<String> {
    (count == 0).then(|| format!("0 {what}: expected at least 1"))
}

/// The reason why this is no weight of a running mean, if it is none.
fn averaging_complaint(weight: f64) -> Option<String> {
    let bad = !(weight > 0.0 && weight <= 1.0);
    bad.then(|| format!("averaging {weight}: expected a number in (0, 1]"))
}

/// `mean ← (1 − weight) mean + weight · new`.
fn average<T: Real>(mean: &mut [T], weight: f64, new: &[T]) {
    let (keep, weight) = (T::of(1.0 - weight), T::of(weight));
    for (m, d) in mean.iter_mut().zip(new) {
        *m = keep * *m + weight * *d;
    }
}
