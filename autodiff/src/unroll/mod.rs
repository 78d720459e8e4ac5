//! Derivatives of unrolled loops.
//!
//! A [`Step`] is one iteration `s ↦ Φ(x, s)`, recorded once. An [`Unrolled`] loop runs it `K` times
//! and pulls a cotangent of the last state back to `x` and to the first state: a coarse tape whose
//! entries are states. What is kept on the way forward is a value, the [`Memory`] policy.

mod binomial;
mod bit_store;
mod checkpointed;
mod decay;
mod disk;
mod driver;
mod fall;
mod footprint;
mod forward;
mod memory;
mod non_finite;
mod reversible;
mod step;
mod stored;
mod taped;

pub use decay::{Decay, DecayError};
pub use disk::DiskError;
pub use memory::{Memory, ParseMemoryError};
pub use non_finite::NonFiniteStep;
pub use reversible::{Grid, Irreversible};
pub use step::Step;

use std::fmt;

use checkpointed::Checkpointed;
use disk::Disk;
use driver::Driver;
use forward::Forward;
use reversible::Reversible;
use stored::Stored;
use taped::Taped;

use crate::bytes::{Category, Meter};
use crate::program::Program;
use crate::real::Real;
use crate::recordings::Share;
use crate::workspace::Sweeps;

/// Whether to stop before a step, given the number of steps made and the state.
type Stop<'a, T> = &'a mut dyn FnMut(usize, &[T]) -> bool;

/// A loop over a recorded step, with its derivative.
///
/// # Example
/// Gradient descent on g(x, y) = ½(y − x)² from y = 0, and the derivative of its result by x:
/// ```
/// use autodiff::unroll::{Memory, Step, Unrolled};
/// use autodiff::{Meter, Objective, Var, objective};
///
/// let g = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared()).record(1, 1);
/// let step = Step::new(1, 1, |x, y, _| y - 0.5 * Var::gradient(&g, 1, &[x, y]));
/// let mut descent = Unrolled::new(step, &Meter::new());
/// assert_eq!(descent.forward(&[1.0], &[0.0], 3, Memory::Stored), [0.875]);
/// let (by_x, by_start) = descent.reverse(&[1.0]);
/// assert_eq!((by_x, by_start), (&[0.875][..], &[0.125][..]));
///
/// // One state held instead of three: the same numbers, one step run again.
/// descent.forward(&[1.0], &[0.0], 3, Memory::Checkpointed { slots: 1 });
/// let (by_x, by_start) = descent.reverse(&[1.0]);
/// assert_eq!((by_x, by_start), (&[0.875][..], &[0.125][..]));
/// assert_eq!(descent.recomputed_steps(), 1);
/// ```
pub struct Unrolled<T: Real> {
    driver: Driver<T>,
    kept: Kept<T>,
    depth: Option<usize>,
    recomputed: usize,
    moved: f64,
    meter: Meter,
    _share: Share<T>,
}

impl<T: Real> fmt::Debug for Unrolled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unrolled")
            .field("step", &self.program().summary())
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

/// What the policy of the latest forward pass keeps; that of another is let go.
enum Kept<T: Real> {
    Stored(Stored<T>),
    Taped(Taped<T>),
    Checkpointed(Checkpointed<T>),
    Reversible(Reversible<T>),
    Forward(Forward<T>),
    Disk(Disk<T>),
}

impl<T: Real> Kept<T> {
    /// Becomes what `memory` needs, unless it is.
    fn suit(&mut self, memory: Memory, meter: &Meter) {
        use Memory as M;
        match (memory, &*self) {
            (M::Stored | M::Truncated { .. }, Kept::Stored(_))
            | (M::Taped, Kept::Taped(_))
            | (M::Checkpointed { .. } | M::Online { .. }, Kept::Checkpointed(_))
            | (M::Reversible, Kept::Reversible(_))
            | (M::Forward, Kept::Forward(_))
            | (M::Disk { .. }, Kept::Disk(_)) => {}
            (M::Stored | M::Truncated { .. }, _) => *self = Kept::Stored(Stored::new(meter)),
            (M::Taped, _) => *self = Kept::Taped(Taped::new()),
            (M::Checkpointed { .. } | M::Online { .. }, _) => {
                *self = Kept::Checkpointed(Checkpointed::new(meter));
            }
            (M::Reversible, _) => *self = Kept::Reversible(Reversible::new(meter)),
            (M::Forward, _) => *self = Kept::Forward(Forward::new(meter)),
            (M::Disk { .. }, _) => *self = Kept::Disk(Disk::new(meter)),
        }
    }
}

impl<T: Real> Unrolled<T> {
    /// A loop over `step`, its bytes counted on `meter`.
    #[inline(never)]
    pub fn new(step: Step<T>, meter: &Meter) -> Self {
        Unrolled {
            _share: Share::new(&step.program, meter),
            kept: Kept::Stored(Stored::new(meter)),
            driver: Driver::new(step, meter),
            depth: None,
            recomputed: 0,
            moved: 0.0,
            meter: meter.clone(),
        }
    }

    /// The step's program.
    pub fn program(&self) -> &Program<T> {
        &self.driver.step.program
    }

    /// Runs `depth` steps from `start` and returns the last state.
    ///
    /// Allocates only where `depth`, or the policy, differs from the call before.
    ///
    /// # Panics
    /// If a length differs from the step's input, or the step cannot run under the policy: it
    /// has no slots, or asks for steps that can be undone ([`Step::complaint`]).
    #[track_caller]
    pub fn forward(&mut self, x: &[T], start: &[T], depth: usize, memory: Memory) -> &[T] {
        self.forward_until(x, start, depth, memory, |_, _| false)
    }

    /// Runs steps from `start` until `stop`, or up to `limit`, and returns the last state;
    /// [`depth`](Unrolled::depth) says how many there were.
    ///
    /// `stop` is asked before each step, with the number of steps made and the state. Under
    /// [`Memory::Stored`] there is room for `limit` states, and [`Memory::Checkpointed`] holds
    /// those that are best for `limit` steps; [`Memory::Online`] is for loops that may end long
    /// before.
    ///
    /// # Panics
    /// As [`forward`](Unrolled::forward).
    #[track_caller]
    pub fn forward_until(
        &mut self,
        x: &[T],
        start: &[T],
        limit: usize,
        memory: Memory,
        mut stop: impl FnMut(usize, &[T]) -> bool,
    ) -> &[T] {
        self.run(x, start, limit, memory, &mut stop);
        self.driver.state()
    }

    /// [`forward_until`](Unrolled::forward_until), for whichever closure.
    #[inline(never)]
    #[track_caller]
    fn run(&mut self, x: &[T], start: &[T], limit: usize, memory: Memory, stop: Stop<'_, T>) {
        if let Some(complaint) = self.driver.step.complaint(memory) {
            panic!("{memory}: {complaint}");
        }
        // A pass that does not come to its end leaves nothing to reverse.
        self.depth = None;
        self.kept.suit(memory, &self.meter);
        let driver = &mut self.driver;
        driver.start(x, start);
        let (states, known) = (
            memory.states(limit),
            !matches!(memory, Memory::Online { .. }),
        );
        let depth = match &mut self.kept {
            Kept::Stored(kept) => kept.forward(driver, limit, states, stop),
            Kept::Taped(kept) => kept.forward(driver, limit, &self.meter, stop),
            Kept::Checkpointed(kept) => kept.forward(driver, limit, states, known, stop),
            Kept::Reversible(kept) => {
                let decay = driver.step.decay().expect("looked at above");
                kept.forward(driver, limit, decay, stop)
            }
            Kept::Forward(kept) => kept.forward(driver, limit, stop),
            Kept::Disk(kept) => {
                let Memory::Disk { slots } = memory else {
                    unreachable!("what is kept suits the policy")
                };
                kept.forward(driver, limit, slots, stop)
            }
        };
        self.depth = Some(depth);
        self.moved = match &self.kept {
            _ if depth == 0 => 0.0,
            Kept::Taped(kept) => kept.moved(&self.driver),
            Kept::Reversible(_) => self.driver.velocity(),
            _ => self.driver.moved(),
        };
    }

    /// The number of steps of the latest forward pass; 0 before the first.
    pub fn depth(&self) -> usize {
        self.depth.unwrap_or(0)
    }

    /// How far the last step of the latest forward pass moved the iterate, by its Euclidean norm; 0
    /// where no step was made. With [`halving`](Unrolled::halving) it says how far the loop is from
    /// its end: at a distance of about `moved · halving / ln 2`.
    pub fn moved(&self) -> f64 {
        self.moved
    }

    /// How many steps back it took to halve the cotangent of the iterate, at most, in the latest
    /// reverse pass: infinite where it stood still or grew, 0 where one step left nothing. Under
    /// [`Memory::Forward`] nothing is pulled back, and it is 0.
    ///
    /// ```
    /// use autodiff::unroll::{Memory, Step, Unrolled};
    /// use autodiff::{Meter, Objective, Var, objective};
    ///
    /// let g = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared()).record(1, 1);
    /// let step = Step::new(1, 1, |x, y, _| y - 0.1 * Var::gradient(&g, 1, &[x, y]));
    /// let mut descent = Unrolled::new(step, &Meter::new());
    /// descent.forward(&[1.0], &[0.0], 20, Memory::Stored); // 1 − 0.9²⁰
    /// descent.reverse(&[1.0]);
    /// let left = descent.moved() * descent.halving() / 2f64.ln();
    /// assert!((left / 0.9f64.powi(20) - 1.0).abs() < 0.1);
    /// ```
    pub fn halving(&self) -> f64 {
        self.driver.fall.longest()
    }

    /// What the first step gave in the latest reverse pass, as a part of what all steps gave: to the
    /// derivative by x, or as cotangent if that is more; 0 under [`Memory::Forward`], and where
    /// nothing but rounding is left. Times [`halving`](Unrolled::halving) it is small where the loop
    /// is long enough: more steps before the first would have added nothing.
    pub fn share_of_first(&self) -> f64 {
        self.driver.share_of_first()
    }

    /// Under [`Memory::Forward`], how far the last step of the latest forward pass moved the
    /// derivative of the state by x, as a part of its norm; `None` under other policies, and where
    /// the pass was stopped before its limit.
    pub fn derivative_moved(&self) -> Option<f64> {
        match &self.kept {
            Kept::Forward(kept) => kept.moved(),
            _ => None,
        }
    }

    /// The last state of the latest [`forward`](Unrolled::forward).
    pub fn state(&self) -> &[T] {
        self.driver.state()
    }

    /// Pulls a cotangent of the last state back: the derivative by x, and by the first state; the
    /// latter is empty under [`Memory::Forward`]. Of a state that its [leading](Step::leading) entries
    /// alone matter of, their cotangent may be given instead.
    ///
    /// Any number of reverse passes may follow one forward pass.
    ///
    /// # Panics
    /// If no forward pass was made, or the cotangent has neither the length of the state nor that of its
    /// leading entries.
    #[track_caller]
    #[inline(never)]
    pub fn reverse(&mut self, cotangent: &[T]) -> (&[T], &[T]) {
        assert!(
            self.depth.is_some(),
            "a reverse pass needs a forward pass before it"
        );
        self.recomputed = 0;
        let driver = &mut self.driver;
        driver.set_cotangent(cotangent);
        match &mut self.kept {
            Kept::Stored(kept) => kept.reverse(driver),
            Kept::Taped(kept) => kept.reverse(driver),
            Kept::Checkpointed(kept) => self.recomputed = kept.reverse(driver),
            Kept::Reversible(kept) => self.recomputed = kept.reverse(driver),
            Kept::Disk(kept) => self.recomputed = kept.reverse(driver),
            Kept::Forward(kept) => {
                driver.pull_back_tangents(kept.by_x());
                return (self.driver.cotangents().0, &[]);
            }
        }
        self.driver.cotangents()
    }

    /// Runs `depth` steps from `start` in forward mode and returns the last state and its
    /// derivative Ẏ by x, column-major with one column for each entry of x. A cotangent c of the
    /// last state is pulled back to x as Ẏᵀ c.
    ///
    /// The memory does not depend on `depth`; the cost is one tangent sweep for each step and
    /// entry of x. It is [`forward`](Unrolled::forward) under [`Memory::Forward`].
    ///
    /// # Panics
    /// If a length differs from the step's input.
    #[track_caller]
    pub fn forward_mode(&mut self, x: &[T], start: &[T], depth: usize) -> (&[T], &[T]) {
        self.forward(x, start, depth, Memory::Forward);
        let by_x = match &self.kept {
            Kept::Forward(kept) => kept.by_x(),
            _ => unreachable!("the pass above was one of forward mode"),
        };
        (self.driver.state(), by_x)
    }

    /// How many steps the latest reverse pass ran again; see [`Memory::recomputed_steps`], which
    /// predicts it for the first reverse pass after a forward pass. A further one starts over from
    /// the first state, and so runs the steps of the first traverse as well: depth − 1 of them,
    /// all under [`Memory::Reversible`], and those of the last segment under [`Memory::Disk`].
    pub fn recomputed_steps(&self) -> usize {
        self.recomputed
    }

    /// Why the latest pass under [`Memory::Reversible`] gave NaN, if it did.
    pub fn irreversible(&self) -> Option<Irreversible> {
        match &self.kept {
            Kept::Reversible(kept) => kept.trouble(),
            _ => None,
        }
    }

    /// Why the latest pass under [`Memory::Disk`] gave NaN, if it did.
    pub fn disk_failure(&self) -> Option<&DiskError> {
        match &self.kept {
            Kept::Disk(kept) => kept.trouble(),
            _ => None,
        }
    }

    /// [`Step::kept_bytes`] of this loop's step.
    #[track_caller]
    pub fn kept_bytes(&self, depth: usize, memory: Memory, category: Category) -> usize {
        self.driver.step.kept_bytes(depth, memory, category)
    }

    /// How often `of` was swept inside the steps.
    pub fn sweeps_of(&self, of: &Program<T>) -> Sweeps {
        self.driver.sweeps_of(of)
    }
}
