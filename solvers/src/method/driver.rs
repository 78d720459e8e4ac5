//! The one driver of outer runs.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use autodiff::bytes::Interrupted;
use autodiff::{Meter, Real};
use nalgebra::DVector;

use crate::expect;
use crate::hypergradient::{ConfigError, Room};
use crate::ledger::Ledger;
use crate::method::Constraint;
use crate::problem::Bilevel;
use crate::sampling::Sampling;
use crate::{Oracles, Status};

use super::growth::Growth;
use super::project::Project;
use super::rule::{Advance, Rule, Update};
use super::state::State;
use super::{Method, Progress, Run};

/// A method: a [`Rule`] with the number of its iterations, how they draw and are reported, and the
/// set that x is held to.
///
/// # Requirements on the problem
/// The rule's. Batches are of the samples that [`Bilevel::sampled`] names; an objective
/// without samples is drawn whole, so on such problems every rule that draws is deterministic, except
/// for [`Bsa`](crate::Bsa).
///
/// # Cost in oracle calls
/// The rule's; a sweep of a batch counts as one. A Hessian-vector product on a fresh batch
/// linearises it, which is counted as a gradient too.
///
/// # Status
/// The rule's; see also [`Batches`](crate::Batches). Where a run has come to its end and its start has kept
/// y at a point that is no minimiser, as networks from weights that are all alike are, the last report is
/// `negative-curvature`.
///
/// # Example
/// ```
/// use autodiff::{Var, objective, sampled};
/// use nalgebra::dvector;
/// use solvers::sampling::Sampling;
/// use solvers::{Bilevel, Method, Outer, Schedule, StochasticAid};
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
///     x: Schedule::Harmonic { a: 1.0, c: 5.0 }.into(),
///     y: 0.5.into(),
///     z: 0.5,
///     averaging: 0.5,
/// };
/// let method = Outer::new(rule, 3000).sampling(Sampling::new(1)).report_every(3000);
/// let mut run = method.begin(&problem, dvector![0.0])?;
/// while let Some(progress) = run.step() {
///     assert!(progress.status.is_success());
/// }
/// assert!((run.x()[0] - 0.5).abs() < 0.05);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Outer<R, C = Constraint> {
    pub(super) rule: R,
    iterations: usize,
    report_every: usize,
    sampling: Option<Sampling>,
    constraint: C,
}

impl<R> Outer<R> {
    /// `iterations` iterations of `rule`, each reported, on the whole objectives unless the rule
    /// draws.
    pub fn new(rule: R, iterations: usize) -> Self {
        Outer {
            rule,
            iterations,
            report_every: 1,
            sampling: None,
            constraint: Constraint::None,
        }
    }
}

impl<R, C> Outer<R, C> {
    /// How batches are drawn, in methods that draw.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = Some(sampling);
        self
    }

    /// One [`Progress`] for this many iterations, and one for the last.
    #[must_use]
    pub fn report_every(mut self, iterations: usize) -> Self {
        self.report_every = iterations;
        self
    }

    /// Projects every entry of x to `low ..= high`.
    #[must_use]
    pub fn bounds(self, low: f64, high: f64) -> Outer<R> {
        self.constraint(Constraint::Box { low, high })
    }

    /// Projects x to a set, at the start and after each step.
    #[must_use]
    pub fn constraint<P>(self, constraint: P) -> Outer<R, P> {
        self.with(|rule, _| (rule, constraint))
    }

    /// Replaces the rule and the set.
    pub(super) fn with<Q, P>(self, change: impl FnOnce(R, C) -> (Q, P)) -> Outer<Q, P> {
        let (rule, constraint) = change(self.rule, self.constraint);
        Outer {
            rule,
            iterations: self.iterations,
            report_every: self.report_every,
            sampling: self.sampling,
            constraint,
        }
    }
}

impl<T: Real, R: Rule<T>, C: Project<T> + Clone + 'static> Method<T> for Outer<R, C> {
    fn name(&self) -> String {
        self.rule.name()
    }

    fn room(&self, dim_y: usize) -> Room {
        self.rule.room(dim_y)
    }

    fn draws(&self) -> bool {
        self.sampling.is_some_and(|sampling| sampling.draws())
    }

    #[track_caller]
    #[inline(never)]
    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        mut x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError> {
        let name = self.rule.name();
        self.rule.suits(problem)?;
        let refused = |reason| ConfigError::Setting {
            of: name.clone(),
            reason,
        };
        expect::at_least_1("iterations", self.iterations).map_err(refused)?;
        expect::at_least_1("iterations a report", self.report_every).map_err(refused)?;
        self.constraint.check(problem.dim_x()).map_err(refused)?;
        assert!(
            x.len() == problem.dim_x(),
            "x has {} entries: the problem's outer variable has {}",
            x.len(),
            problem.dim_x()
        );
        self.constraint.project(x.as_mut_slice());
        let mut state = State {
            problem,
            y: problem.start_at(x.as_slice()),
            x,
            warnings: Vec::new(),
            sampling: self.sampling,
            iteration: 0,
            iterations: self.iterations,
            report_every: self.report_every,
            ended: false,
            constraint: Box::new(self.constraint.clone()),
            projected: false,
            growth: Growth::default(),
            reports: Oracles::default(),
            reports_touched: 0,
            measuring: Duration::ZERO,
        };
        let update = self.rule.begin(&mut state).map_err(refused)?;
        Ok(Box::new(OuterRun {
            state,
            update,
            peak: 0,
            name,
        }))
    }
}

/// A run on its way.
struct OuterRun<'p, T: Real> {
    state: State<'p, T>,
    update: Box<dyn Update<T> + 'p>,
    /// The most bytes held; a meter may be set back.
    peak: usize,
    name: String,
}

impl<T: Real> OuterRun<'_, T> {
    /// One iteration; one that is interrupted on the way ends the run.
    #[inline(never)]
    fn advance(&mut self) -> Advance {
        let (update, state) = (&mut self.update, &mut self.state);
        let step = catch_unwind(AssertUnwindSafe(|| update.step(state)));
        let interrupted = Advance {
            upper: f64::NAN,
            lower_residual: f64::NAN,
            hypergradient_norm: f64::NAN,
            status: Status::Interrupted,
            accuracy: None,
            certificate: None,
        };
        let said = step.unwrap_or_else(|payload| {
            if !payload.is::<Interrupted>() {
                resume_unwind(payload);
            }
            interrupted.clone()
        });
        // A rule may have been told so by a strategy, and have made something of it.
        if said.status == Status::Interrupted || self.update.ground().meter().interrupt().is_set() {
            self.state.end();
            return interrupted;
        }
        self.state.count();
        said
    }
}

impl<T: Real> Run<T> for OuterRun<'_, T> {
    #[inline(never)]
    fn step(&mut self) -> Option<Progress> {
        let left = self.state.iterations - self.state.iteration;
        if self.state.ended || left == 0 {
            return None;
        }
        let mut said = self.advance();
        for _ in 1..left.min(self.state.report_every) {
            if self.state.ended {
                break;
            }
            let next = self.advance();
            said = said.and(next, self.state.ended);
        }
        let (s, ground) = (&mut self.state, self.update.ground());
        self.peak = self.peak.max(ground.meter().read().peak);
        if said.status.is_success() && (s.ended || s.iteration == s.iterations) {
            said.status = s.kept_in_a_trap(ground).unwrap_or(said.status);
        }
        s.warnings.extend(s.growth.warning());
        Some(Progress {
            iteration: s.iteration,
            upper: said.upper,
            lower_residual: said.lower_residual,
            hypergradient_norm: said.hypergradient_norm,
            status: said.status,
            accuracy: said.accuracy,
            certificate: said.certificate,
            oracles: ground.oracles().saturating_sub(s.reports),
            samples: ground.touched(s.problem.samples()) - s.reports_touched,
            peak_bytes: self.peak,
            warnings: std::mem::take(&mut s.warnings),
        })
    }

    fn meter(&mut self) -> Meter {
        self.update.ground().meter().clone()
    }

    fn measuring_seconds(&self) -> f64 {
        self.state.measuring.as_secs_f64()
    }

    fn iterations(&self) -> usize {
        let s = &self.state;
        if s.ended { s.iteration } else { s.iterations }
    }

    fn x(&self) -> &DVector<T> {
        &self.state.x
    }

    fn y(&self) -> &DVector<T> {
        &self.state.y
    }

    #[inline(never)]
    fn visit(&mut self, ledger: &mut Ledger) {
        let (own, mut found) = (mark(&self.name), mark(&self.name));
        ledger.word("the method's mark", &mut found);
        if found != own {
            let expected = format!("{own}, which is that of {}", self.name);
            ledger.refuse("the method's mark", found, expected);
        }
        self.state.visit(ledger);
        self.update.visit(ledger);
        self.update.ground().visit(ledger);
        ledger.count("peak of bytes", &mut self.peak);
    }
}

/// What the saved state of a method of this name begins with: FNV-1a of it. It changes with the
/// order in which the state is written down.
fn mark(name: &str) -> u64 {
    const LAYOUT: u64 = 0xcbf2_9ce4_8422_2327;
    let next = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(LAYOUT, next)
}
