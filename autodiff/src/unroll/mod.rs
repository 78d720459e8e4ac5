//! Reverse passes through unrolled loops.
//!
//! A [`Step`] is one iteration `s ↦ Φ(x, s)`, recorded once. An [`Unrolled`] loop runs it `K` times
//! and pulls a cotangent of the last state back to `x` and to the first state: a coarse tape whose
//! entries are states. What is kept on the way forward is a value, the [`Memory`] policy.

mod driver;
mod step;
mod stored;

pub use step::Step;

use driver::Driver;
use stored::Stored;

use crate::bytes::{Category, Claim, Meter};
use crate::{Program, Real, Sweeps};

/// What an unrolled loop keeps for its reverse pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// The state before each step; each step is linearised again on the way back.
    #[default]
    Stored,
    /// The states before the last so many steps; derivatives by earlier ones are left out, so the
    /// result is biased. With as many steps as the loop has, it is [`Memory::Stored`].
    Truncated {
        /// Steps that are differentiated.
        steps: usize,
    },
}

/// A loop over a recorded step, with its reverse pass.
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
/// ```
pub struct Unrolled<T: Real> {
    driver: Driver<T>,
    kept: Stored<T>,
    depth: Option<usize>,
    meter: Meter,
    _program_bytes: Claim,
}

impl<T: Real> Unrolled<T> {
    /// A loop over `step`, its bytes counted on `meter`.
    pub fn new(step: Step<T>, meter: &Meter) -> Self {
        Unrolled {
            _program_bytes: Claim::new(step.program.bytes(), Category::Program, meter),
            kept: Stored::new(meter),
            driver: Driver::new(step, meter),
            depth: None,
            meter: meter.clone(),
        }
    }

    /// The step's program.
    pub fn program(&self) -> &Program<T> {
        &self.driver.step.program
    }

    /// Runs `depth` steps from `start` and returns the last state.
    ///
    /// Allocates only where `depth`, or the policy, asks for more room than the call before.
    ///
    /// # Panics
    /// If a length is not that of the step's input.
    #[track_caller]
    pub fn forward(&mut self, x: &[T], start: &[T], depth: usize, memory: Memory) -> &[T] {
        let window = match memory {
            Memory::Stored => depth,
            Memory::Truncated { steps } => steps.min(depth),
        };
        let Unrolled { driver, kept, .. } = self;
        driver.start(x, start);
        kept.reserve(window, start.len(), &self.meter);
        for k in 0..depth {
            kept.push(k, driver.state());
            driver.advance(k);
        }
        self.depth = Some(depth);
        self.driver.state()
    }

    /// The last state of the latest [`forward`](Unrolled::forward).
    pub fn state(&self) -> &[T] {
        self.driver.state()
    }

    /// Pulls a cotangent of the last state back: the derivative by x, and by the first state.
    ///
    /// # Panics
    /// If no forward pass was made, or the cotangent's length is not that of the state.
    #[track_caller]
    pub fn reverse(&mut self, cotangent: &[T]) -> (&[T], &[T]) {
        let depth = self
            .depth
            .expect("a reverse pass needs a forward pass before it");
        let Unrolled { driver, kept, .. } = self;
        driver.set_cotangent(cotangent);
        for k in (depth - kept.window()..depth).rev() {
            driver.pull_back(k, kept.at(k));
        }
        self.driver.cotangents()
    }

    /// How often `of` was swept inside the steps.
    pub fn sweeps_of(&self, of: &Program<T>) -> Sweeps {
        self.driver.sweeps_of(of)
    }
}
