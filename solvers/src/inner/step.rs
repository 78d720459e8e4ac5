//! The steps a lower level can be unrolled with.

use std::sync::Arc;

use autodiff::kernels::add;
use autodiff::unroll::{Decay, Memory, Step};
use autodiff::{Program, Real};

use super::adam::{self, Adam};
use super::direction::Direction;
use super::{Constraint, Proximal, StepLength, fista, momentum, nesterov, proximal};

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
    /// Adam with β = (0.9, 0.999), eps = 0 and this rate, which takes the place of a step length:
    /// `y ← y − rate · m̂ / (√(v̂ + eps_root) + eps)`, with `eps_root = (rate · L)²`, L being the
    /// largest curvature of g at the start (one over the automatic step length, by which it is
    /// found).
    ///
    /// At a zero gradient this has the derivative `rate / √eps_root`. In the algorithm as published
    /// eps_root is 0, and in the libraries that differentiate through Adam it is 0 or tiny unless
    /// given; then that derivative is some `rate / 1e-8`, and its powers are what an entry with a
    /// zero gradient has for a hypergradient. With the value here it is 1/L: an entry farther than
    /// about `rate` from its solution moves by `rate` as Adam does, and a nearer one as by
    /// heavy-ball steps of length 1/L. Both scale with g as they should. The price: entries whose
    /// curvature is far below L move as slowly as by plain steps, where Adam would move them by
    /// `rate`; [`AdamWith`](InnerStep::AdamWith) and a small eps_root is Adam there.
    ///
    /// Reference: D. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015.
    Adam {
        /// Length of a step.
        rate: f64,
    },
    /// [`Adam`](InnerStep::Adam) with these numbers: `y ← y − rate · m̂ / (√(v̂ + eps_root) + eps)`.
    AdamWith {
        /// Length of a step.
        rate: f64,
        /// Added to the root, in units of ∇_y g; from 0 on.
        eps: f64,
        /// Added under the root, in units of ∇_y g squared; positive. `(rate · L)²` if `None`. Under
        /// [`Bda`](crate::Bda) the units of both are those of a plain step.
        eps_root: Option<f64>,
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
            InnerStep::Adam { .. } | InnerStep::AdamWith { .. } => 3,
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

    /// Overwrites `state` with the first one, started from `y`, which stands first in every state.
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
            InnerStep::Adam { .. } | InnerStep::AdamWith { .. } => {
                adam::record(direction, Adam::of(self).expect("one of the two"))
            }
            InnerStep::Proximal(p) => proximal::record(direction, p),
            InnerStep::Fista(p) => fista::record(direction, p),
        };
        step.leading(direction.dim_y)
    }

    /// The length of a step, where `given` is what the strategy says.
    pub(crate) fn length(self, given: StepLength) -> StepLength {
        Adam::of(self).map_or(given, |adam| adam.length(given))
    }

    /// The length of a step in records, where `length` is what it was recorded with.
    pub(crate) fn shown(self, length: f64) -> f64 {
        Adam::of(self).map_or(length, |adam| adam.rate)
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
        if let Some(adam) = Adam::of(self) {
            return adam.complaint(given);
        }
        let own = match self {
            InnerStep::Momentum(beta) | InnerStep::Nesterov(beta) => {
                let bad = !(0.0..1.0).contains(&beta);
                bad.then(|| format!("momentum {beta}: expected a number in [0, 1)"))
            }
            InnerStep::Proximal(p) | InnerStep::Fista(p) => p.complaint(),
            _ => None,
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
