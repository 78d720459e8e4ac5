//! A method as a rule of the driver of outer runs.

use std::fmt::Debug;

use autodiff::{Meter, Point, Real, Sweeps};

use crate::certificate::Certificate;
use crate::hypergradient::{ConfigError, Room};
use crate::ledger::Ledger;
use crate::problem::Bilevel;
use crate::workspace::Workspace;
use crate::{Oracles, Status};

use super::state::State;

/// What a method does in one iteration: a value of one slot, run by [`Outer`](super::Outer).
///
/// The rule holds settings alone. What it keeps from one iteration to the next is in its
/// [`Update`], which each run makes for itself. x, y, the count of iterations, the end of the run,
/// constraints, reports and saved states are the driver's.
///
/// # Example
/// A method of one's own, with a memory of the last direction, which is saved with the run:
/// ```
/// use autodiff::bytes::Buffer;
/// use autodiff::{Inputs, Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Advance, Batches, Begun, Bilevel, Ground, Ledger, Method, Outer, Rule, State};
/// use solvers::Update;
///
/// #[derive(Clone, Debug)]
/// struct Heavy {
///     rate: f64,
/// }
///
/// impl Rule<f64> for Heavy {
///     const NAME: &'static str = "heavy";
///
///     fn begin<'p>(&self, s: &mut State<'p, f64>) -> Begun<'p, f64> {
///         if self.rate <= 0.0 {
///             return Err(format!("rate {}: expected a positive number", self.rate));
///         }
///         let batches = Batches::new(s)?;
///         let last = batches.buffer(s.x.len());
///         Ok(Box::new(Moving { rate: self.rate, batches, last }))
///     }
/// }
///
/// struct Moving {
///     rate: f64,
///     batches: Batches<f64>,
///     last: Buffer<f64>,
/// }
///
/// impl Update<f64> for Moving {
///     fn step(&mut self, s: &mut State<'_, f64>) -> Advance {
///         let (rate, last) = (self.rate, &mut self.last);
///         self.batches.measured(s, |s, b| {
///             // y follows x, so F changes with x by both gradients.
///             s.y.copy_from(&s.x);
///             let point = b.upper.draw();
///             point.differentiate(&[s.x.as_slice(), s.y.as_slice()], Inputs::ALL);
///             for i in 0..s.x.len() {
///                 last[i] = 0.5 * last[i] + point.gradient(0)[i] + point.gradient(1)[i];
///                 b.direction[i] = last[i];
///                 s.x[i] -= rate * last[i];
///             }
///         })
///     }
///
///     fn ground(&mut self) -> &mut dyn Ground<f64> {
///         &mut self.batches
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
    /// The name of the method.
    const NAME: &'static str;

    /// The name in records, where settings are part of it.
    fn name(&self) -> String {
        Self::NAME.to_owned()
    }

    /// What it holds beyond a few vectors, for y of `dim_y` entries; nothing unless it says so.
    fn room(&self, _dim_y: usize) -> Room {
        Room::default()
    }

    /// Whether the problem is one of those the method can solve; unless stated otherwise, every one
    /// without steps of its own and without a part beside g.
    ///
    /// # Errors
    /// With the reason, and what was expected.
    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        problem.expect_smooth(self.name())
    }

    /// Checks the settings, and gives the update of a run that starts at this state.
    ///
    /// # Errors
    /// With the reason in one line, and what was expected.
    fn begin<'p>(&self, state: &mut State<'p, T>) -> Begun<'p, T>;
}

/// A run's [`Update`], or why there is none.
pub type Begun<'p, T> = Result<Box<dyn Update<T> + 'p>, String>;

/// One iteration of a method, with what it keeps from one to the next.
pub trait Update<T: Real> {
    /// Makes an iteration. x is projected to its set afterwards, unless the step has done so.
    fn step(&mut self, state: &mut State<'_, T>) -> Advance;

    /// What derivatives are taken from.
    fn ground(&mut self) -> &mut dyn Ground<T>;

    /// Names to the ledger what later iterations depend on beside the [`State`] and the ground.
    fn visit(&mut self, ledger: &mut Ledger);
}

/// What an iteration takes derivatives from: [`Batches`](super::Batches), or a [`Workspace`].
pub trait Ground<T: Real> {
    /// Sweeps so far.
    fn oracles(&self) -> Oracles;

    /// Gradients and Hessian-vector products of single samples so far, the two levels being means over
    /// so many: of whole objectives, unless it says otherwise.
    fn touched(&self, (upper, lower): (usize, usize)) -> usize {
        let made = self.oracles();
        let of = |sweeps: Sweeps| sweeps.gradients + sweeps.hvps;
        of(made.upper) * upper + of(made.lower) * lower
    }

    /// The whole of g.
    fn lower(&mut self) -> &mut Point<T>;

    /// The meter of the run's buffers.
    fn meter(&self) -> &Meter;

    /// Names to the ledger what later iterations depend on, and the most bytes held.
    fn visit(&mut self, ledger: &mut Ledger);
}

impl<T: Real> Ground<T> for Workspace<T> {
    fn oracles(&self) -> Oracles {
        self.oracles()
    }

    fn lower(&mut self) -> &mut Point<T> {
        &mut self.lower
    }

    fn meter(&self) -> &Meter {
        self.meter()
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.visit(ledger);
    }
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

impl Advance {
    /// This iteration and the `next` of the same report as one: where the one began and the other
    /// led, and the first failure, unless the run `ended` with a later one.
    pub(super) fn and(self, next: Self, ended: bool) -> Self {
        let goes_on = ended || self.status.is_success();
        Advance {
            upper: self.upper,
            lower_residual: self.lower_residual,
            status: if goes_on { next.status } else { self.status },
            ..next
        }
    }
}
