//! The steps a lower level can be unrolled with.

use std::sync::Arc;

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::add;
use autodiff::unroll::{Decay, Memory, Step};
use autodiff::{Meter, Program, Real};

use super::direction::Direction;
use super::{Constraint, Proximal, StepLength, adam, fista, momentum, nesterov, proximal};

/// One iteration of the lower level, with the gradient of g as one of its operations.
///
/// Each kind stands in a file of its own, and has a name, which [`Display`](std::fmt::Display)
/// writes and [`FromStr`](std::str::FromStr) reads:
/// ```
/// use solvers::{Constraint, InnerStep};
///
/// let step: InnerStep = "projected-box:0:1".parse()?;
/// assert_eq!(step, InnerStep::projected(Constraint::Box { low: 0.0, high: 1.0 }));
/// assert_eq!(step.to_string(), "projected-box:0:1");
/// # Ok::<(), solvers::ParseInnerStepError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum InnerStep {
    /// `y − s ∇_y g`.
    #[default]
    GradientDescent,
    /// Heavy ball: `v ← βv − s ∇_y g(y)`, `y ← y + v`; β in [0, 1).
    ///
    /// Reference: B. Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    Momentum(f64),
    /// Nesterov: `z = y + β(y − y₋)`, `y ← z − s ∇_y g(z)`, with constant β in [0, 1).
    ///
    /// Reference: Y. Nesterov, Introductory lectures on convex optimization, 2004, (2.2.22).
    Nesterov(f64),
    /// Adam with β = (0.9, 0.999), ε = 1e-8 and this rate, which takes the place of a step length.
    /// The denominator is `√(v̂ + ε²)`, not `√v̂ + ε`: the same but for ε, and differentiable at
    /// v̂ = 0, where an entry has not moved.
    ///
    /// Reference: D. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    Adam {
        /// Length of a step.
        rate: f64,
    },
    /// Proximal gradient: `P_s(y − s ∇_y g)`, with P a projection or a soft threshold.
    ///
    /// Reference: A. Beck and M. Teboulle, A fast iterative shrinkage-thresholding algorithm for
    /// linear inverse problems, SIAM Journal on Imaging Sciences 2(1), 2009, section 3 (ISTA).
    Proximal(Proximal),
    /// Accelerated proximal gradient: `z = y + k/(k+3) (y − y₋)`, `y ← P_s(z − s ∇_y g(z))`,
    /// k = 0, 1, …. For s ≤ 1/L the objective is within `2‖y₀ − y*‖² / (s (k+1)²)` of the least one
    /// after k steps.
    ///
    /// Reference: Beck and Teboulle, as above, section 4 (FISTA); the coefficients are those of
    /// A. Chambolle and C. Dossal, On the convergence of the iterates of the fast iterative
    /// shrinkage/thresholding algorithm, 2015, with a = 2.
    Fista(Proximal),
}

impl InnerStep {
    /// Gradient steps, each followed by the projection to a set.
    pub fn projected(constraint: Constraint) -> Self {
        InnerStep::Proximal(constraint.into())
    }

    /// Gradient steps, each followed by the proximal map of `weight ‖y‖₁`.
    pub fn soft_threshold(weight: f64) -> Self {
        InnerStep::Proximal(Proximal::SoftThreshold { weight })
    }

    /// The part of the lower level's objective beside g that these steps solve.
    pub(crate) fn proximal(self) -> Proximal {
        match self {
            InnerStep::Proximal(proximal) | InnerStep::Fista(proximal) => proximal,
            _ => Proximal::NONE,
        }
    }

    /// Whether the lower level has a constraint or a part that is not smooth: then it is no zero of
    /// ∇_y g that solves it.
    pub fn is_proximal(self) -> bool {
        self.proximal() != Proximal::NONE
    }

    /// Whether the state is y alone, so that the length of a step is s times the residual before it.
    pub(crate) fn is_memoryless(self) -> bool {
        matches!(self, InnerStep::GradientDescent | InnerStep::Proximal(_))
    }

    /// Vectors of y's length in the state; y itself is the first.
    fn parts(self) -> usize {
        match self {
            InnerStep::GradientDescent | InnerStep::Proximal(_) => 1,
            InnerStep::Momentum(_) | InnerStep::Nesterov(_) | InnerStep::Fista(_) => 2,
            InnerStep::Adam { .. } => 3,
        }
    }

    /// Whether the second part of the state is the y before.
    fn keeps_y_before(self) -> bool {
        matches!(self, InnerStep::Nesterov(_) | InnerStep::Fista(_))
    }

    /// Entries of the state, for y of `dim_y` entries.
    pub(crate) fn dim_state(self, dim_y: usize) -> usize {
        self.parts() * dim_y
    }

    /// The first state, started from `y`; y stands first in every state.
    pub(crate) fn first_state<T: Real>(self, y: &[T], meter: &Meter) -> Buffer<T> {
        let mut state = Buffer::zeros(self.dim_state(y.len()), Category::Solver, meter);
        self.start(y, &mut state);
        state
    }

    /// Overwrites `state` with the first one, started from `y`.
    pub(crate) fn start<T: Real>(self, y: &[T], state: &mut [T]) {
        let (first, rest) = state.split_at_mut(y.len());
        first.copy_from_slice(y);
        if self.keeps_y_before() {
            rest.copy_from_slice(y);
        } else {
            rest.fill(T::zero());
        }
    }

    /// The recorded step on `lower`, of constant length `length`.
    pub(crate) fn record<T: Real>(self, lower: &Arc<Program<T>>, length: f64) -> Step<T> {
        Direction::of_gradient(lower, length, |direction| self.record_along(direction))
    }

    /// The recorded step along `direction`.
    pub(crate) fn record_along<T: Real>(self, direction: &Direction<'_, T>) -> Step<T> {
        let step = match self {
            InnerStep::GradientDescent => proximal::record(direction, Proximal::NONE),
            InnerStep::Momentum(beta) => momentum::record(direction, beta),
            InnerStep::Nesterov(beta) => nesterov::record(direction, beta),
            InnerStep::Adam { rate } => adam::record(direction, rate),
            InnerStep::Proximal(p) => proximal::record(direction, p),
            InnerStep::Fista(p) => fista::record(direction, p),
        };
        step.leading(direction.dim_y)
    }

    /// The length of a step, where `given` is what the strategy says.
    pub(crate) fn length(self, given: StepLength) -> StepLength {
        match self {
            // A direction of length about 1 is what Adam makes of any gradient.
            InnerStep::Adam { .. } => StepLength::Fixed(1.0),
            _ => given,
        }
    }

    /// The length of a step in records, where `length` is what it was recorded with.
    pub(crate) fn shown(self, length: f64) -> f64 {
        match self {
            InnerStep::Adam { rate } => rate,
            _ => length,
        }
    }

    /// Pulls a cotangent of the [first state](InnerStep::start) back to the y it was started from.
    pub(crate) fn pull_start<T: Real>(self, cotangent: &[T], by_y: &mut [T]) {
        let (first, rest) = cotangent.split_at(by_y.len());
        by_y.copy_from_slice(first);
        if self.keeps_y_before() {
            add(by_y, rest);
        }
    }

    /// Entries that finding this length and the residual for y of `dim_y` entries needs.
    pub(crate) fn spare(self, dim_y: usize, given: StepLength) -> usize {
        let residual = if self.is_proximal() { dim_y } else { 0 };
        given.spare(dim_y).max(residual)
    }

    /// Why these settings are none, if they are none.
    pub(crate) fn complaint(self, given: StepLength) -> Option<String> {
        let own = match self {
            InnerStep::Momentum(beta) | InnerStep::Nesterov(beta) => {
                let bad = !(0.0..1.0).contains(&beta);
                bad.then(|| format!("momentum {beta}: expected a number in [0, 1)"))
            }
            InnerStep::Adam { rate } if !(rate.is_finite() && rate > 0.0) => {
                Some(format!("rate {rate}: expected a positive number"))
            }
            InnerStep::Adam { rate } => match given {
                StepLength::Auto => None,
                StepLength::Fixed(s) => Some(format!(
                    "step length {s} beside adam of rate {rate}: expected the rate alone, adam:{s}"
                )),
            },
            InnerStep::GradientDescent => None,
            InnerStep::Proximal(p) | InnerStep::Fista(p) => p.complaint(),
        };
        own.or(given.complaint())
    }

    /// Why these steps cannot be run under `memory`, if they cannot.
    pub(crate) fn memory_complaint<T: Real>(self, memory: Memory) -> Option<String> {
        match (memory, self) {
            (Memory::Reversible, InnerStep::Momentum(beta)) => {
                Decay::of::<T>(beta).err().map(|e| e.to_string())
            }
            (Memory::Reversible, step) => Some(format!(
                "steps of {step} cannot be undone: expected momentum, or checkpointed:SLOTS in \
                 place of reversible"
            )),
            _ => memory.complaint(),
        }
    }
}
