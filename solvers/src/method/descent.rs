//! Descent along hypergradients: the outer loop of ITD, AID and BDA.

use autodiff::Real;
use nalgebra::DVector;

use crate::hypergradient::Room;
use crate::optimiser::Moments;
use crate::{
    At, Bilevel, ConfigError, Constraint, Ledger, Optimiser, Oracles, Status, Strategy, Workspace,
};

use super::growth::{Growth, Sizes, joint_norm};
use super::{Method, Progress, Run, value_status};

/// Moves x against the hypergradients of a strategy.
///
/// # Requirements on the problem
/// Those of the strategy.
///
/// # Status
/// That of the estimate, unless F is no finite number, or the run ends because x left all range:
/// it is infinite, or iterates have grown to 1e8 times what they were in the first two iterations.
///
/// # Cost in oracle calls
/// That of the strategy in each iteration.
///
/// # Example
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
/// while let Some(progress) = run.step() {
///     assert!(progress.status.is_success());
/// }
/// assert!((run.x()[0] - 0.5).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Descent<S> {
    strategy: S,
    optimiser: Optimiser,
    iterations: usize,
    constraint: Constraint,
    warm: bool,
    warm_linear: bool,
}

impl<S> Descent<S> {
    /// `iterations` steps of `optimiser` along the hypergradients of `strategy`, the lower level
    /// started at the same point each time.
    pub fn new(strategy: S, optimiser: Optimiser, iterations: usize) -> Self {
        Descent {
            strategy,
            optimiser,
            iterations,
            constraint: Constraint::None,
            warm: false,
            warm_linear: false,
        }
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

    /// Whether the lower level starts from the last y.
    #[must_use]
    pub fn warm_start(mut self, warm: bool) -> Self {
        self.warm = warm;
        self
    }

    /// Whether the linear system of an implicit strategy starts from its last solution.
    #[must_use]
    pub fn warm_linear(mut self, warm: bool) -> Self {
        self.warm_linear = warm;
        self
    }
}

impl<T: Real, S: Strategy<T> + Clone + 'static> Method<T> for Descent<S> {
    fn name(&self) -> String {
        self.strategy.name()
    }

    fn room(&self, dim_y: usize) -> Room {
        self.strategy.room(dim_y)
    }

    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        mut x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError> {
        self.strategy.validate()?;
        self.strategy.suits(problem)?;
        if let Some(reason) = self.optimiser.complaint().or(self.constraint.complaint()) {
            return Err(ConfigError {
                strategy: self.strategy.name(),
                reason,
            });
        }
        assert_eq!(x.len(), problem.dim_x(), "entries of the outer variable");
        self.constraint.project(x.as_mut_slice());
        let work = problem.workspace();
        Ok(Box::new(DescentRun {
            moments: Moments::new(self.optimiser, x.len(), work.meter()),
            work,
            y: problem.start().clone(),
            linear: DVector::zeros(if self.warm_linear { problem.dim_y() } else { 0 }),
            settings: self.clone(),
            problem,
            x,
            iteration: 0,
            oracles: Oracles::default(),
            peak: 0,
            growth: Growth::default(),
        }))
    }
}

struct DescentRun<'p, T: Real, S> {
    settings: Descent<S>,
    problem: &'p Bilevel<T>,
    work: Workspace<T>,
    moments: Moments<T>,
    x: DVector<T>,
    y: DVector<T>,
    /// The solution of the latest linear system, if the next one starts from it.
    linear: DVector<T>,
    iteration: usize,
    oracles: Oracles,
    peak: usize,
    growth: Growth,
}

impl<T: Real, S: Strategy<T>> Run<T> for DescentRun<'_, T, S> {
    fn step(&mut self) -> Option<Progress> {
        if self.iteration == self.settings.iterations {
            return None;
        }
        let strategy = &self.settings.strategy;
        let mut at = At::new(&self.x).iteration(self.iteration);
        if self.settings.warm {
            at = at.start(&self.y);
        }
        if self.settings.warm_linear {
            at = at.linear(&mut self.linear);
        }
        let estimate = strategy
            .hypergradient_at(self.problem, at, &mut self.work)
            .expect("validated at the start");
        self.iteration += 1;
        self.oracles += estimate.oracles;
        self.peak = self.peak.max(estimate.bytes.peak);
        self.y = estimate.y;
        let direction = &estimate.hypergradient;
        let mut status = estimate.status;
        if status.is_success() {
            let at = [self.x.as_slice(), self.y.as_slice()];
            let failure = value_status(estimate.upper, &self.work.upper, &at);
            status = failure.unwrap_or(status);
        }
        let finite = |v: &DVector<T>| v.iter().all(|v| v.is_finite());
        // A direction that is not finite, or a step out of all range, would destroy x, so x stays
        // where it is.
        let mut moved = false;
        if finite(direction) {
            let before = self.x.clone();
            self.moments
                .step(self.x.as_mut_slice(), direction.as_slice(), 1.0);
            self.settings.constraint.project(self.x.as_mut_slice());
            moved = finite(&self.x);
            if !moved {
                self.x = before;
                let place = format!("in the outer step of iteration {}", self.iteration);
                status = Status::NonFinite { place };
            }
        }
        let sizes = Sizes {
            upper: estimate.upper,
            residual: estimate.lower_residual,
            direction: direction.norm().f64(),
            iterates: joint_norm(&[self.x.as_slice(), self.y.as_slice()]),
        };
        let grown = self.growth.look(sizes, self.iteration);
        if !moved || grown.is_some() {
            self.settings.iterations = self.iteration;
        }
        if status.is_success() {
            status = grown.unwrap_or(status);
        }
        let mut warnings = estimate.warnings;
        warnings.extend(self.growth.warning());
        Some(Progress {
            iteration: self.iteration,
            upper: estimate.upper,
            lower_residual: estimate.lower_residual,
            hypergradient_norm: sizes.direction,
            status,
            accuracy: None,
            certificate: estimate.certificate,
            oracles: self.oracles,
            peak_bytes: self.peak,
            warnings,
        })
    }

    fn iterations(&self) -> usize {
        self.settings.iterations
    }

    fn x(&self) -> &DVector<T> {
        &self.x
    }

    fn y(&self) -> &DVector<T> {
        &self.y
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.count("iterations made", &mut self.iteration);
        // Fewer than were asked for after a step that could not be made.
        ledger.count("iterations in all", &mut self.settings.iterations);
        ledger.entries("x", self.x.as_mut_slice());
        ledger.entries("y", self.y.as_mut_slice());
        ledger.entries(
            "the solution of the linear system",
            self.linear.as_mut_slice(),
        );
        self.moments.visit(ledger);
        self.work.visit(ledger);
        ledger.oracles(&mut self.oracles);
        ledger.count("peak of bytes", &mut self.peak);
        self.growth.visit(ledger);
    }
}
