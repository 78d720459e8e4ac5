//! A method as a rule of the driver of outer runs.

use std::fmt::Debug;

use autodiff::Real;

use crate::certificate::Certificate;
use crate::estimate::Status;
use crate::hypergradient::ConfigError;
use crate::ledger::Ledger;
use crate::problem::Bilevel;

use super::ground::{Batches, Ground};
use super::state::State;

/// What a method does in one iteration: a value of one slot, run by [`Outer`](super::Outer).
///
/// The rule holds settings alone. What it keeps from one iteration to the next is in its
/// [`Update`], which is made anew for each run. x, y, the count of iterations, the end of the run,
/// constraints, reports and saved states are the driver's.
///
/// # Example
/// A method of one's own: gradient steps on y, and on x with a memory of the last direction, which
/// is saved with the run.
/// ```
/// use autodiff::bytes::Buffer;
/// use autodiff::{Inputs, Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Batches, Bilevel, Ledger, Method, Outer, Rule, State, Update};
///
/// #[derive(Clone, Debug)]
/// struct Heavy {
///     rate: f64,
/// }
///
/// struct Moving {
///     rate: f64,
///     last: Buffer<f64>,
/// }
///
/// impl Rule<f64> for Heavy {
///     type Ground = Batches<f64>;
///
///     fn name(&self) -> String {
///         "heavy".into()
///     }
///
///     fn begin<'p>(
///         &self,
///         _: &'p Bilevel<f64>,
///         state: &mut State<f64>,
///     ) -> Box<dyn Update<f64> + 'p> {
///         let last = state.buffer(state.x.len());
///         Box::new(Moving { rate: self.rate, last })
///     }
/// }
///
/// impl Update<f64> for Moving {
///     fn step(&mut self, s: &mut State<f64>, _made: usize) {
///         // y follows x, so F(x, y(x)) changes with x as F(x, x) does: by both gradients.
///         s.y.copy_from(&s.x);
///         let point = s.on.upper.draw();
///         point.differentiate(&[s.x.as_slice(), s.y.as_slice()], Inputs::ALL);
///         for i in 0..s.x.len() {
///             let d = point.gradient(0)[i] + point.gradient(1)[i];
///             self.last[i] = 0.5 * self.last[i] + d;
///             s.on.direction[i] = self.last[i];
///             s.x[i] -= self.rate * self.last[i];
///         }
///     }
///
///     fn visit(&mut self, ledger: &mut Ledger) {
///         ledger.entries("the last direction", &mut self.last);
///     }
/// }
///
/// let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?;
/// let method = Outer::new(Heavy { rate: 0.2 }, 60).bounds(0.0, 2.0);
/// let mut run = method.begin(&problem, dvector![2.0])?;
/// (0..30).for_each(|_| drop(run.step()));
/// let saved = run.save();
/// assert!(run.finish().is_success());
/// assert!((run.x()[0] - 0.5).abs() < 1e-6);
///
/// let mut again = method.begin(&problem, dvector![2.0])?;
/// again.restore(&saved)?;
/// again.finish();
/// assert_eq!(again.x()[0].to_bits(), run.x()[0].to_bits());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Rule<T: Real>: Debug + Send + Sync {
    /// What its derivatives are taken from: [`Batches`], whose reports the driver measures, or a
    /// [`Workspace`](crate::Workspace), of which each step says what it met.
    type Ground: Ground<T> + 'static;

    /// The name in records.
    fn name(&self) -> String;

    /// Whether the problem is one of those the method can solve; unless stated otherwise, every one
    /// without steps of its own.
    ///
    /// # Errors
    /// With the reason, and what was expected.
    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        problem.expect_no_step(self.name())
    }

    /// The reason why these settings suit no run, or not this one, with what was expected.
    fn complaint(&self, _run: &Setting<'_, T>) -> Option<String> {
        None
    }

    /// The update of a run that starts at this state.
    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        state: &mut State<T, Self::Ground>,
    ) -> Box<dyn Update<T, Self::Ground> + 'p>;
}

/// What a run is begun with, as far as a [`Rule`] may object to it.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a, T: Real> {
    /// The problem.
    pub problem: &'a Bilevel<T>,
    /// Samples in a batch of the upper and of the lower objective.
    pub batch: (usize, usize),
    /// Whether x is held to a set.
    pub held: bool,
}

/// One iteration of a method, with what it keeps from one to the next.
pub trait Update<T: Real, G: Ground<T> = Batches<T>> {
    /// Makes the iteration after `made` others. x is projected to its set afterwards.
    fn step(&mut self, state: &mut State<T, G>, made: usize) -> G::Said;

    /// Names to the ledger what later iterations depend on beside the [`State`].
    fn visit(&mut self, ledger: &mut Ledger);
}

/// An update that keeps nothing: whatever the closure owns is overwritten before it is read.
pub fn memoryless<T: Real>(step: impl FnMut(&mut State<T>, usize) + 'static) -> Box<dyn Update<T>> {
    struct Memoryless<F>(F);

    impl<T: Real, F: FnMut(&mut State<T>, usize)> Update<T> for Memoryless<F> {
        fn step(&mut self, state: &mut State<T>, made: usize) {
            (self.0)(state, made);
        }

        fn visit(&mut self, _: &mut Ledger) {}
    }

    Box::new(Memoryless(step))
}

/// What an iteration says of itself.
#[derive(Clone, Debug)]
pub struct Advance {
    /// F at the point the iteration started from.
    pub upper: f64,
    /// ‖∇_y g‖ at that point's y.
    pub lower_residual: f64,
    /// Norm of the hypergradient, or of what takes its place.
    pub hypergradient_norm: f64,
    /// How its computation ended.
    pub status: Status,
    /// The accuracy ε that its solves were asked for, in methods that choose one.
    pub accuracy: Option<f64>,
    /// The bound on the error of the hypergradient, where there is one.
    pub certificate: Option<Certificate>,
}
