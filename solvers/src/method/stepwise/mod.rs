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
mod state;
mod stocbio;
mod update;

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
pub use state::State;
pub use stocbio::StocBio;
pub use update::{Update, memoryless};

use std::fmt::Debug;

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Real};
use nalgebra::DVector;

use crate::sampling::Sampling;
use crate::{Bilevel, ConfigError, Constraint, Ledger, Oracles, Status};

use super::growth::{Growth, Sizes, joint_norm};
use super::{Method, Progress, Run, value_status};

/// What one step of a method does: a value of one slot.
pub trait Rule<T: Real>: Debug + Send + Sync {
    /// The name in records.
    fn name(&self) -> &'static str;

    /// The reason why these settings suit no problem, or not batches of so many samples of the
    /// upper and the lower objective, with what was expected.
    fn complaint(&self, batch: (usize, usize)) -> Option<String>;

    /// The step, with what it keeps from one to the next.
    fn begin(&self, state: &mut State<T>) -> Box<dyn Update<T>>;
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
/// # Status
/// A run fails, and ends, where an iterate or F is no finite number, and where the iterates have
/// grown beyond all measure: to 1e8 times what they were after one step, or to 1e6 times together
/// with the direction of x and the root of F.
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
    constraint: Constraint,
}

impl<R> Stepwise<R> {
    /// `iterations` steps of `rule` on the whole objectives.
    pub fn new(rule: R, iterations: usize) -> Self {
        Stepwise {
            rule,
            iterations,
            report_every: 1,
            sampling: Sampling::whole(),
            constraint: Constraint::None,
        }
    }

    /// How batches are drawn.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// One [`Progress`](crate::Progress) for so many iterations.
    #[must_use]
    pub fn report_every(mut self, iterations: usize) -> Self {
        self.report_every = iterations;
        self
    }

    /// Projects every entry of x to `low ..= high`.
    #[must_use]
    pub fn bounds(self, low: f64, high: f64) -> Self {
        self.constraint(Constraint::Box { low, high })
    }

    /// Projects x to a set, at the start and after each step.
    #[must_use]
    pub fn constraint(mut self, constraint: Constraint) -> Self {
        self.constraint = constraint;
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
        problem.expect_no_step(self.rule.name())?;
        let none = self.iterations == 0 || self.report_every == 0;
        let complaint = none
            .then(|| "0 iterations: expected at least 1".to_owned())
            .or(self.sampling.complaint(problem))
            .or(self.rule.complaint(self.sampling.batch(problem)))
            .or(self.constraint.complaint());
        if let Some(reason) = complaint {
            return Err(ConfigError {
                strategy: self.rule.name().into(),
                reason,
            });
        }
        assert_eq!(x.len(), problem.dim_x(), "entries of the outer variable");
        self.constraint.project(x.as_mut_slice());
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
            at: None,
            growth: Growth::default(),
            iteration: 0,
            iterations: self.iterations,
            report_every: self.report_every,
            constraint: self.constraint,
            stopped: false,
        }))
    }
}

struct StepwiseRun<T: Real> {
    update: Box<dyn Update<T>>,
    state: State<T>,
    /// Sweeps of the reports.
    reports: Oracles,
    /// F and ‖∇_y g‖ where the last report ended.
    at: Option<(f64, f64)>,
    growth: Growth,
    iteration: usize,
    iterations: usize,
    report_every: usize,
    constraint: Constraint,
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

    fn sizes(&self, (upper, residual): (f64, f64)) -> Sizes {
        let State {
            x, y, v, direction, ..
        } = &self.state;
        Sizes {
            upper,
            residual,
            direction: norm(direction).f64(),
            iterates: joint_norm(&[x.as_slice(), y.as_slice(), v]),
        }
    }

    fn advance(&mut self) {
        self.update.step(&mut self.state, self.iteration);
        self.constraint.project(self.state.x.as_mut_slice());
        self.iteration += 1;
    }

    /// How the steps up to here ended, F there being this.
    fn status(&mut self, at: (f64, f64)) -> Status {
        let State { x, y, v, .. } = &self.state;
        let iterates = [x.as_slice(), y.as_slice(), v];
        let stepped = super::iterate_status(self.iteration, &iterates);
        if !stepped.is_success() {
            return stepped;
        }
        let grown = self.growth.look(self.sizes(at), self.iteration);
        self.value_status(at.0).or(grown).unwrap_or(stepped)
    }

    /// The failure of F here, which has this value.
    fn value_status(&mut self, value: f64) -> Option<Status> {
        let State { x, y, upper, .. } = &mut self.state;
        value_status(value, upper.whole(), &[x.as_slice(), y.as_slice()])
    }
}

impl<T: Real> Run<T> for StepwiseRun<T> {
    fn step(&mut self) -> Option<Progress> {
        if self.stopped || self.iteration == self.iterations {
            return None;
        }
        let count = self.report_every.min(self.iterations - self.iteration);
        let before = self.at.unwrap_or_else(|| self.measure());
        let (upper, lower_residual) = before;
        let mut began = None;
        if self.iteration == 0 {
            // What later sizes are compared with: those of the start and of one step.
            self.growth.look(self.sizes(before), 0);
            began = self.value_status(upper);
        }
        self.advance();
        if self.iteration == 1 {
            let after = self.measure();
            self.growth.look(self.sizes(after), 1);
        }
        (1..count).for_each(|_| self.advance());
        let after = self.measure();
        self.at = Some(after);
        let status = self.status(after);
        self.stopped = !status.is_success();
        let status = began.unwrap_or(status);
        let remark = self.growth.warning();
        self.state.warnings.extend(remark);
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

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.count("steps made", &mut self.iteration);
        ledger.flag("whether the run has ended", &mut self.stopped);
        let (mut upper, mut residual) = self.at.unzip();
        ledger.optional("F where the last report ended", &mut upper);
        ledger.optional("the residual there", &mut residual);
        self.at = upper.zip(residual);
        self.growth.visit(ledger);
        self.state.visit(ledger);
        self.update.visit(ledger);
        ledger.oracles(&mut self.reports);
        ledger.peak(&self.state.meter);
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
