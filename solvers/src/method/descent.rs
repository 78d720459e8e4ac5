//! Descent along hypergradients: the outer loop of ITD, AID and BDA.

use std::sync::Arc;

use autodiff::Real;
use autodiff::bytes::{Buffer, Category};
use nalgebra::DVector;

use crate::hypergradient;
use crate::hypergradient::{At, ConfigError, Room, Strategy};
use crate::ledger::Ledger;
use crate::optimiser::{Optimise, Optimiser};
use crate::problem::Bilevel;
use crate::workspace::Workspace;

use super::MethodEntry;
use super::along::Along;
use super::{Advance, Begun, Ground, Outer, Rule, State, Update};

/// Moves x against the hypergradients of a strategy.
///
/// # Requirements on the problem
/// The strategy's.
///
/// # Status
/// The estimate's, unless F is no finite number, or the run ends because x left all range:
/// it is infinite, or iterates have grown to 1e8 times what they were in the first two iterations.
///
/// # Cost in oracle calls
/// The strategy's, in each iteration.
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
pub struct Descent<S, O = Optimiser> {
    strategy: S,
    optimiser: O,
    warm: bool,
    warm_linear: bool,
}

impl<S, O> Descent<S, O> {
    /// `iterations` steps of `optimiser` along the hypergradients of `strategy`, the lower level
    /// started at the same point each time.
    pub fn new(strategy: S, optimiser: O, iterations: usize) -> Outer<Self> {
        let rule = Descent {
            strategy,
            optimiser,
            warm: false,
            warm_linear: false,
        };
        Outer::new(rule, iterations)
    }
}

impl<S, O, C> Outer<Descent<S, O>, C> {
    /// Whether the lower level starts from the last y.
    #[must_use]
    pub fn warm_start(mut self, warm: bool) -> Self {
        self.rule.warm = warm;
        self
    }

    /// Whether the linear system of an implicit strategy starts from its last solution, and from what its
    /// solver [keeps](Strategy::kept).
    #[must_use]
    pub fn warm_linear(mut self, warm: bool) -> Self {
        self.rule.warm_linear = warm;
        self
    }
}

impl<T, S, O> Rule<T> for Descent<S, O>
where
    T: Real,
    S: Strategy<T> + Clone + 'static,
    O: Optimise<T>,
{
    const NAME: &'static str = "descent";

    fn name(&self) -> String {
        self.strategy.name()
    }

    fn room(&self, dim_y: usize) -> Room {
        self.strategy.room(dim_y)
    }

    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        self.strategy.validate()?;
        self.strategy.suits(problem)
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        let work = s.workspace()?;
        let kept = match self.warm_linear {
            true => self.strategy.kept(s.problem),
            false => 0,
        };
        Ok(Box::new(Descending {
            strategy: self.strategy.clone(),
            warm: self.warm,
            linear: self.warm_linear.then(|| DVector::zeros(s.y.len())),
            kept: Buffer::zeros(kept, Category::Solver, work.meter()),
            x: Along::begin(&self.optimiser, s, work.meter())?,
            work,
        }))
    }
}

/// A step, with what the optimiser keeps.
struct Descending<T: Real, S> {
    strategy: S,
    work: Workspace<T>,
    warm: bool,
    /// The solution of the latest linear system, if the next one starts from it.
    linear: Option<DVector<T>>,
    /// What the latest linear system left for the next one.
    kept: Buffer<T>,
    x: Along<T>,
}

impl<T: Real, S: Strategy<T>> Update<T> for Descending<T, S> {
    fn step(&mut self, s: &mut State<'_, T>) -> Advance {
        let mut at = At::new(&s.x).iteration(s.iteration);
        if self.warm {
            at = at.start(&s.y);
        }
        if let Some(linear) = &mut self.linear {
            at = at.linear(linear).kept(&mut self.kept);
        }
        let work = &mut self.work;
        let estimate = self.strategy.hypergradient_at(s.problem, at, work);
        let estimate = estimate.expect("validated at the start");
        self.x.step(s, estimate, work)
    }

    fn ground(&mut self) -> &mut dyn Ground<T> {
        &mut self.work
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.x.visit(ledger);
        if let Some(linear) = &mut self.linear {
            ledger.entries("the solution of the linear system", linear.as_mut_slice());
        }
        if !self.kept.is_empty() {
            ledger.entries("what the linear system left", &mut self.kept);
        }
    }
}

/// Of each strategy that has one, the method that descends along its hypergradients.
pub(super) fn entries<T: Real>() -> impl Iterator<Item = MethodEntry<T>> {
    let strategies = hypergradient::entries::<T>().into_iter();
    strategies.filter_map(|mut strategy| {
        let descent = strategy.descent.take()?;
        let of_x = [
            "iterations",
            "report_every",
            "optimiser",
            "rate",
            "adam_eps",
            "adam_eps_root",
            "warm_start",
        ];
        let accepts = [&of_x, &descent.accepts[..]].concat();
        Some(MethodEntry::new(
            strategy.pattern,
            descent.about,
            &accepts,
            move |call| {
                let settings = call.settings;
                let strategy = (strategy.make)(call)?;
                let descent = Descent::new(strategy, settings.mover(), settings.iterations())
                    .report_every(settings.report_every())
                    .warm_start(settings.warm_start())
                    .warm_linear(settings.warm_start());
                Ok(Arc::new(descent.constraint(call.place.constraint)))
            },
        ))
    })
}
