//! What a kind of step on the lower level is: a value of one slot.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use autodiff::unroll::Step;
use autodiff::{Real, Var};
use smallvec::{SmallVec, smallvec};

use super::direction::Direction;
use crate::Part;

/// A kind of step on the lower level, with a state of its own beside y.
///
/// [`InnerStep`](super::InnerStep) holds ours; [`InnerStep::own`](super::InnerStep::own) takes yours,
/// which then runs under every strategy that takes steps: [`Itd`](crate::Itd) under all memory
/// policies but [`Memory::Reversible`](autodiff::unroll::Memory::Reversible), [`Bda`](crate::Bda),
/// [`AidStep`](crate::AidStep), and [`LowerSolve::Steps`](crate::LowerSolve::Steps). Its state is
/// counted with theirs. The update itself is [`Recorded`].
///
/// # Example
/// Steps with a running mean of the direction beside y:
/// ```
/// use autodiff::{Real, Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Aid, Bilevel, InnerStep, Itd, Recorded, StepAt, StepRule, Strategy};
///
/// #[derive(Debug)]
/// struct Averaged(f64);
///
/// impl StepRule for Averaged {
///     fn name(&self) -> String {
///         format!("averaged:{}", self.0)
///     }
///
///     fn parts(&self) -> usize {
///         2
///     }
/// }
///
/// impl<T: Real> Recorded<T> for Averaged {
///     fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
///         let (y, mean) = (at.part(0), at.part(1));
///         let mean = mean * T::of(self.0) + at.along(y) * T::of(1.0 - self.0);
///         vec![y - mean, mean]
///     }
/// }
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let itd = Itd::reverse(100).inner(InnerStep::own(Averaged(0.5)));
/// let estimate = itd.hypergradient(&problem, &dvector![0.3], &mut problem.workspace())?;
/// assert!(estimate.status.is_success(), "{estimate}");
/// assert!((estimate.hypergradient[0] + 0.4).abs() < 1e-9);
/// assert_eq!(estimate.bytes.peak, itd.predicted_peak_bytes(&problem));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait StepRule: Recorded<f32> + Recorded<f64> + Debug + Send + Sync {
    /// The name in records, with its numbers.
    fn name(&self) -> String;

    /// Vectors as long as y that the state is made of; y is the first.
    fn parts(&self) -> usize {
        1
    }

    /// Whether the parts beside y are copies of it at the start, and not 0.
    fn starts_alike(&self) -> bool {
        false
    }

    /// Numbers that change from step to step: how many, and a function that overwrites them for step
    /// k = 0, 1, …. [`StepAt::number`] reads them.
    fn numbers(&self) -> (usize, Numbers) {
        (0, Box::new(|_, _| {}))
    }

    /// Whether the steps end in [`StepAt::prox`], so that they solve a lower level with a [part beside
    /// g](crate::Bilevel::with_part); if not, such a problem is refused.
    fn takes_part(&self) -> bool {
        false
    }

    /// Whether a step is `y ↦ P_s(y − s ∇_y g)` and nothing else, so that what it moves is s times the
    /// residual before it.
    fn is_plain(&self) -> bool {
        false
    }

    /// How far a step moves, if a number of its own says so: then no length is taken beside it.
    fn rate(&self) -> Option<f64> {
        None
    }

    /// Whether the length of the direction matters. Where it does not, it is 1.
    fn uses_length(&self) -> bool {
        true
    }

    /// The reason why a solution of the lower level is no fixed point that the step has a derivative
    /// at, if it is none: [`AidStep`](crate::AidStep) refuses the step then.
    fn unsettled(&self) -> Option<String> {
        None
    }

    /// The reason why these settings are none, with what was expected, if they are none.
    fn complaint(&self) -> Option<String> {
        None
    }
}

/// See [`StepRule::numbers`].
pub type Numbers = Box<dyn Fn(usize, &mut [f64]) + Send + Sync>;

/// The update of a [`StepRule`], for one scalar type.
pub trait Recorded<T: Real> {
    /// The parts of the next state, y first: as many as [`StepRule::parts`] says, each as long as y.
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>>;
}

/// A state that a step is recorded at.
pub struct StepAt<'r, 'a, T: Real> {
    parts: &'a [Var<'r, T>],
    along: &'a dyn Fn(Var<'r, T>) -> Var<'r, T>,
    numbers: Option<(Var<'r, T>, usize)>,
    length: f64,
    /// x, and the problem's part.
    beside: (Var<'r, T>, Option<&'a Part<T>>),
}

impl<T: Real> fmt::Debug for StepAt<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepAt")
            .field("parts", &self.parts)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl<'r, T: Real> StepAt<'r, '_, T> {
    /// Part `k` of the state; y is part 0.
    ///
    /// # Panics
    /// If there are no more than `k` parts.
    #[track_caller]
    pub fn part(&self, k: usize) -> Var<'r, T> {
        self.parts[k]
    }

    /// What a step descends along at `y`, its length included: `s ∇_y g`, or the joint direction of
    /// both levels under [`Bda`](crate::Bda).
    pub fn along(&self, y: Var<'r, T>) -> Var<'r, T> {
        (self.along)(y)
    }

    /// Number `i` of [`StepRule::numbers`], a scalar.
    ///
    /// # Panics
    /// If the rule has no numbers, or no more than `i`.
    #[track_caller]
    pub fn number(&self, i: usize) -> Var<'r, T> {
        let (numbers, first) = self.numbers.expect("a rule with numbers");
        numbers.at(first + i)
    }

    /// The length s, for what follows the descent: a proximal map. 1 under [`Bda`](crate::Bda).
    pub fn length(&self) -> f64 {
        self.length
    }

    /// What follows the descent to `z` on this problem: the proximal map of the lower level's [part
    /// beside g](crate::Bilevel::with_part), or `z` where it has none.
    pub fn prox(&self, z: Var<'r, T>) -> Var<'r, T> {
        let (x, part) = self.beside;
        part.map_or(z, |part| part.0.prox(x, z, z.scalar(T::of(self.length))))
    }
}

/// The step of `rule` along `direction`.
#[track_caller]
pub(super) fn record<T: Real>(
    direction: &Direction<'_, T>,
    rule: &dyn StepRule,
    next: &dyn Recorded<T>,
) -> Step<T> {
    let (parts, d) = (rule.parts(), direction.dim_y);
    let (count, numbers) = rule.numbers();
    let own = move |k: usize, c: &mut [T]| {
        let mut all: SmallVec<[f64; 4]> = smallvec![0.0; count];
        numbers(k, &mut all);
        for (c, number) in c.iter_mut().zip(all) {
            *c = T::of(number);
        }
    };
    direction.step(parts * d, count, own, |x, state, c| {
        let parts = match parts {
            1 => vec![state],
            _ => Vec::from_iter((0..parts).map(|k| state.slice(k * d, d))),
        };
        let next = next.next(&StepAt {
            parts: &parts,
            along: &|y| (direction.along)(x, y, c),
            numbers: (count > 0).then_some((c, direction.count)),
            length: direction.length,
            beside: (x, direction.part),
        });
        assert!(
            next.len() == parts.len(),
            "{rule:?}: a state of {} parts is followed by one of {}",
            parts.len(),
            next.len()
        );
        match &next[..] {
            [y] => *y,
            [y, rest @ ..] => y.concat(rest),
            [] => unreachable!("a state has at least y"),
        }
    })
}

/// A user's rule.
#[derive(Clone)]
pub struct OwnStep(Arc<dyn StepRule>);

impl OwnStep {
    pub(super) fn new(rule: impl StepRule + 'static) -> Self {
        OwnStep(Arc::new(rule))
    }

    /// The rule.
    pub fn rule(&self) -> &dyn StepRule {
        &*self.0
    }

    /// Its update for this scalar type.
    pub(super) fn recorded<T: Real>(&self) -> Arc<dyn Recorded<T>> {
        let (single, double): (Arc<dyn Recorded<f32>>, Arc<dyn Recorded<f64>>) =
            (self.0.clone(), self.0.clone());
        let either: [&dyn Any; 2] = [&single, &double];
        let mut found = either.into_iter().filter_map(|rule| rule.downcast_ref());
        Arc::clone(found.next().expect("a scalar is one of the two"))
    }
}

/// Two are the same if they hold the same value.
impl PartialEq for OwnStep {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Debug for OwnStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
