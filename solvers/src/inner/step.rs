//! The steps a lower level can be unrolled with.

use std::fmt;
use std::sync::Arc;

use autodiff::kernels::add;
use autodiff::unroll::{Memory, Step};
use autodiff::{Program, Real};

use super::StepLength;
use super::adam::Adam;
use super::descent::Plain;
use super::direction::Direction;
use super::fista::Fista;
use super::momentum::Momentum;
use super::nesterov::Nesterov;
use super::rule::{OwnStep, StepRule, record};
use crate::{Bilevel, Part};

/// One iteration of the lower level, with the gradient of g as one of its operations.
///
/// Each kind stands in a file of its own, and has a name, which [`Display`](std::fmt::Display)
/// writes and [`FromStr`](std::str::FromStr) reads:
/// ```
/// use solvers::InnerStep;
///
/// let step: InnerStep = "momentum:0.9".parse()?;
/// assert_eq!(step, InnerStep::Momentum(0.9));
/// assert_eq!(step.to_string(), "momentum:0.9");
/// # Ok::<(), solvers::catalogue::ParseNameError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum InnerStep {
    /// `P_s(y − s ∇_y g)`, with P the proximal map of the lower level's [part](crate::Part), if it has
    /// one.
    ///
    /// Reference: A. Beck and M. Teboulle, A fast iterative shrinkage-thresholding algorithm for
    /// linear inverse problems, SIAM Journal on Imaging Sciences 2(1), 2009, section 3 (ISTA).
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
    /// Accelerated proximal gradient: `z = y + k/(k+3) (y − y₋)`, `y ← P_s(z − s ∇_y g(z))`,
    /// k = 0, 1, …. For s ≤ 1/L the objective is within `2‖y₀ − y*‖² / (s (k+1)²)` of the least one
    /// after k steps.
    ///
    /// Reference: Beck and Teboulle, as above, section 4 (FISTA); the coefficients are those of
    /// A. Chambolle and C. Dossal, On the convergence of the iterates of the fast iterative
    /// shrinkage/thresholding algorithm, 2015, with a = 2.
    Fista,
    /// A kind of step of your own; see [`InnerStep::own`].
    Own(OwnStep),
}

impl InnerStep {
    /// Steps of your own.
    pub fn own(rule: impl StepRule + 'static) -> Self {
        InnerStep::Own(OwnStep::new(rule))
    }

    /// Looks at what kind it is.
    fn rule<R>(&self, look: impl FnOnce(&dyn StepRule) -> R) -> R {
        match self {
            InnerStep::GradientDescent => look(&Plain),
            InnerStep::Momentum(beta) => look(&Momentum(*beta)),
            InnerStep::Nesterov(beta) => look(&Nesterov(*beta)),
            InnerStep::Adam { .. } | InnerStep::AdamWith { .. } => look(&self.adam()),
            InnerStep::Fista => look(&Fista),
            InnerStep::Own(own) => look(own.rule()),
        }
    }

    /// The recorded step along `direction`.
    #[track_caller]
    pub(crate) fn record_along<T: Real>(&self, direction: &Direction<'_, T>) -> Step<T> {
        let step = match self {
            InnerStep::GradientDescent => record(direction, &Plain, &Plain),
            // In a form that can be undone.
            InnerStep::Momentum(beta) => Momentum(*beta).record(direction),
            InnerStep::Nesterov(beta) => record(direction, &Nesterov(*beta), &Nesterov(*beta)),
            InnerStep::Adam { .. } | InnerStep::AdamWith { .. } => {
                record(direction, &self.adam(), &self.adam())
            }
            InnerStep::Fista => record(direction, &Fista, &Fista),
            InnerStep::Own(own) => record(direction, own.rule(), &*own.recorded()),
        };
        step.leading(direction.dim_y)
    }

    /// The numbers of Adam.
    fn adam(&self) -> Adam {
        match *self {
            InnerStep::AdamWith {
                rate,
                eps,
                eps_root,
            } => Adam {
                rate,
                eps: Some(eps),
                eps_root,
            },
            InnerStep::Adam { rate } => Adam {
                rate,
                eps: None,
                eps_root: None,
            },
            _ => unreachable!("one of the two"),
        }
    }

    /// Whether the length of a step is s times the residual before it.
    pub(crate) fn is_plain(&self) -> bool {
        self.rule(|rule| rule.is_plain())
    }

    /// See [`StepRule::unsettled`].
    pub(crate) fn unsettled(&self) -> Option<String> {
        self.rule(|rule| rule.unsettled())
    }

    /// Entries of the state, for y of `dim_y` entries.
    pub(crate) fn dim_state(&self, dim_y: usize) -> usize {
        self.rule(|rule| rule.parts()) * dim_y
    }

    /// Overwrites `state` with the first one, started from `y`, which stands first in every state.
    pub(crate) fn start<T: Real>(&self, y: &[T], state: &mut [T]) {
        let alike = self.rule(|rule| rule.starts_alike());
        let mut parts = state.chunks_exact_mut(y.len());
        let first = parts.next().expect("y is part of a state");
        first.copy_from_slice(y);
        for part in parts {
            match alike {
                true => part.copy_from_slice(y),
                false => part.fill(T::zero()),
            }
        }
    }

    /// Pulls a cotangent of the [first state](InnerStep::start) back to the y it was started from.
    pub(crate) fn pull_start<T: Real>(&self, cotangent: &[T], by_y: &mut [T]) {
        let (first, rest) = cotangent.split_at(by_y.len());
        by_y.copy_from_slice(first);
        if self.rule(|rule| rule.starts_alike()) {
            for part in rest.chunks_exact(by_y.len()) {
                add(by_y, part);
            }
        }
    }

    /// The recorded step on `lower`, of constant length `length`.
    #[track_caller]
    pub(crate) fn record<T: Real>(
        &self,
        lower: &Arc<Program<T>>,
        part: Option<&Part<T>>,
        length: f64,
    ) -> Step<T> {
        Direction::of_gradient(lower, part, length, |direction| {
            self.record_along(direction)
        })
    }

    /// The length of a step, where `given` is what the strategy says.
    pub(crate) fn length(&self, given: StepLength) -> StepLength {
        match self.rule(|rule| rule.uses_length()) {
            true => given,
            false => StepLength::Fixed(1.0),
        }
    }

    /// The length of a step in records, where `length` is what it was recorded with.
    pub(crate) fn shown(&self, length: f64) -> f64 {
        self.rule(|rule| rule.rate()).unwrap_or(length)
    }

    /// Why these steps do not solve the lower level of `problem`, if they do not.
    pub(crate) fn misfit<T: Real>(&self, problem: &Bilevel<T>) -> Option<String> {
        let part = problem.part()?;
        let takes = self.rule(|rule| rule.takes_part());
        (!takes).then(|| {
            format!(
                "steps {self} do not end in the proximal map of the problem's part ({}): expected gd \
                 or fista",
                part.name()
            )
        })
    }

    /// Why these settings are none, if they are none.
    pub(crate) fn complaint(&self, given: StepLength) -> Option<String> {
        let (own, rate) = self.rule(|rule| (rule.complaint(), rule.rate()));
        own.or_else(|| match (given, rate) {
            (StepLength::Fixed(s), Some(rate)) => Some(format!(
                "step length {s} beside {} of rate {rate}: expected the rate alone, {0}:{s}",
                self.kind()
            )),
            _ => given.complaint(),
        })
    }

    /// The name without its numbers.
    fn kind(&self) -> String {
        let name = self.to_string();
        name.split(':').next().unwrap_or_default().to_owned()
    }

    /// Why these steps cannot be run under `memory`, if they cannot.
    pub(crate) fn memory_complaint<T: Real>(&self, memory: Memory) -> Option<String> {
        match (memory, self) {
            (Memory::Reversible, InnerStep::Momentum(beta)) => Momentum(*beta).irreversible::<T>(),
            (Memory::Reversible, step) => Some(format!(
                "steps of {step} cannot be undone: expected momentum, or checkpointed:SLOTS in \
                 place of reversible"
            )),
            _ => memory.complaint(),
        }
    }
}

impl fmt::Display for InnerStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule(|rule| rule.name()))
    }
}
