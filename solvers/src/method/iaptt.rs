//! IAPTT-GM.

use std::sync::Arc;

use autodiff::Real;
use autodiff::bytes::{Buffer, Category};
use nalgebra::DVector;

use crate::Status;
use crate::hypergradient::{At, ConfigError, Itd, Room, Strategy};
use crate::ledger::Ledger;
use crate::optimiser::{Moving, Optimise, Optimiser};
use crate::problem::Bilevel;
use crate::workspace::Workspace;

use super::along::{Along, finite};
use super::{Advance, Begun, Ground, MethodEntry, Outer, Rule, State, Update};

/// IAPTT-GM: the start z of the lower loop is moved with x, along the derivatives of F at the worst y of
/// the loop.
///
/// With y_k(x, z) after k of K steps from z on the lower level and `k* = argmax_{1 ≤ k ≤ K} F(x, y_k)`,
/// the first if there are several, each iteration moves x and z at once along the derivatives of
/// `F(x, y_{k*}(x, z))`: the [pessimistic](Itd::pessimistic) loop by x, and the cotangent that arrives at
/// its start by z. z begins at the problem's start, is kept from one iteration to the next, and stays in
/// the set where the lower level has one beside g. The run's y is y_{k*}.
///
/// So z finds its way to the solution below that is best for F, where there are several, and x is made
/// good for the worst of the steps, one of which is near a solution: neither asks for a convex g.
/// Where the steps come to a stationary point of g from z, it is one of the branch that z is on; longer
/// steps below, which come to it at once, keep z on the branch it begins on.
///
/// # Requirements on the problem
/// g twice differentiable in y, F once. The lower level need not be convex, nor have a single solution; a
/// start that is a [function of x](Bilevel::starting_at) is refused, as are the equation of a map and
/// constraints. Beside a [part](Bilevel::with_part), as of [`Itd`].
///
/// # Status
/// That of descent along the pessimistic loop, whose warnings say where y_{k*} is no solution.
///
/// # Cost in oracle calls
/// K gradients of g and K values of F on the way forward, k\* gradients of g more where k\* < K; on the
/// way back k\* gradients and Hessian-vector products of g. Two gradients of g and one of F measure the
/// ends. `K · dim_y` scalars are kept, or what the loop's [`memory`](Itd::memory) says.
///
/// # Reference
/// R. Liu, Y. Liu, S. Zeng and J. Zhang, Towards gradient-based bilevel optimization with non-convex
/// followers and beyond, NeurIPS 2021 (arXiv 2110.00455), algorithm 1. Its code for hyper-cleaning moves
/// z with the step length of the lower level in place of the one it names for z, and judges z itself on
/// the test samples, not y_{k*}.
///
/// # Example
/// y₂ is free below, and from any start but x itself plain unrolling ends elsewhere:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Bilevel, Iaptt, Itd, Method, Optimiser};
///
/// let upper = objective(|x: Var, y: Var| {
///     0.5 * (x - y.at(1)).norm_squared() + 0.5 * (y.at(0) - 1.0).norm_squared()
/// });
/// let lower = objective(|x: Var, y: Var| 0.5 * (y.at(0) - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 2)?;
/// let plain = Optimiser::GradientDescent { rate: 0.5 };
/// let method = Iaptt::new(Itd::reverse(20).step(0.5), plain, plain, 200);
/// let mut run = method.begin(&problem, dvector![3.0])?;
/// assert!(run.finish().is_success());
/// assert!((run.x()[0] - 1.0).abs() < 1e-4 && (run.y()[1] - 1.0).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Iaptt<O = Optimiser, Z = Optimiser> {
    itd: Itd,
    x: O,
    start: Z,
}

impl<O, Z> Iaptt<O, Z> {
    /// `iterations` iterations on these loops, which become pessimistic, with an optimiser of x and one of
    /// the start.
    pub fn new(itd: Itd, x: O, start: Z, iterations: usize) -> Outer<Self> {
        let itd = itd.pessimistic();
        Outer::new(Iaptt { itd, x, start }, iterations)
    }
}

impl<T: Real, O: Optimise<T>, Z: Optimise<T>> Rule<T> for Iaptt<O, Z> {
    const NAME: &'static str = "iaptt";

    fn room(&self, dim_y: usize) -> Room {
        Strategy::<T>::room(&self.itd, dim_y)
    }

    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        let of = <Self as Rule<T>>::NAME.to_owned();
        if let Some(reason) = Strategy::<T>::complaint(&self.itd) {
            return Err(ConfigError::Setting { of, reason });
        }
        let learned = problem.start_of_x().map(|_| {
            "the lower level starts from a function of x, and no start is left to be moved: expected \
             itd or bda"
                .to_owned()
        });
        match learned.or_else(|| self.itd.misfit(problem)) {
            None => Ok(()),
            Some(reason) => Err(ConfigError::Problem { of, reason }),
        }
    }

    fn begin<'p>(&self, s: &mut State<'p, T>) -> Begun<'p, T> {
        let work = s.workspace()?;
        let named = |reason| format!("the start: {reason}");
        Ok(Box::new(Moves {
            itd: self.itd.clone(),
            x: Along::begin(&self.x, s, work.meter())?,
            moving: self.start.begin(s.y.len(), work.meter()).map_err(named)?,
            start: s.y.clone(),
            by_start: Buffer::zeros(s.y.len(), Category::Solver, work.meter()),
            work,
        }))
    }
}

/// An iteration, with the start and what the optimisers keep.
struct Moves<T: Real> {
    itd: Itd,
    work: Workspace<T>,
    x: Along<T>,
    /// z.
    start: DVector<T>,
    moving: Box<dyn Moving<T>>,
    by_start: Buffer<T>,
}

impl<T: Real> Update<T> for Moves<T> {
    fn step(&mut self, s: &mut State<'_, T>) -> Advance {
        let at = At::new(&s.x).start(&self.start).iteration(s.iteration);
        let at = at.by_start(&mut self.by_start);
        let estimate = self.itd.hypergradient_at(s.problem, at, &mut self.work);
        let estimate = estimate.expect("validated at the start");
        let mut said = self.x.step(s, estimate, &self.work);
        if s.ended {
            return said;
        }
        let start = self.start.as_mut_slice();
        if finite(&self.by_start) {
            self.moving.step(start, &self.by_start, 1.0);
            if let Some(set) = self.work.part.as_mut().filter(|part| part.is_set()) {
                set.apply(s.x.as_slice(), start, 1.0);
            }
        }
        if !finite(&self.by_start) || !finite(start) {
            s.end();
            let place = format!(
                "in the start of the lower level, iteration {}",
                s.iteration + 1
            );
            said.status = Status::NonFinite { place };
        }
        said
    }

    fn ground(&mut self) -> &mut dyn Ground<T> {
        &mut self.work
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.x.visit(ledger);
        self.moving.visit(ledger);
        ledger.entries("the start of the lower level", self.start.as_mut_slice());
    }
}

/// The name `iaptt`.
pub(super) fn entry<T: Real>() -> MethodEntry<T> {
    let accepts = [
        "iterations",
        "report_every",
        "optimiser",
        "rate",
        "start_rate",
        "adam_eps",
        "adam_eps_root",
        "depth",
        "step",
    ];
    let about = "IAPTT-GM: the start of the loop moves with x, both by the worst y of it";
    MethodEntry::new("iaptt", about, &accepts, |call| {
        let settings = call.settings;
        let itd = Itd::of(settings);
        let (x, start) = (settings.mover(), settings.start_mover());
        let method = Iaptt::new(itd, x, start, settings.iterations());
        let method = method.report_every(settings.report_every());
        Ok(Arc::new(method.constraint(call.place.constraint)))
    })
}
