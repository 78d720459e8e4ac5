//! How a variable of a method of small steps moves.

use autodiff::bytes::Buffer;
use autodiff::{Meter, Real};

use crate::expect;
use crate::ledger::Ledger;
use crate::optimiser::{Moving, Optimise, Optimiser};
use crate::schedule::Schedule;

use super::Keep;

/// An optimiser, and a schedule that its rate is multiplied by: how one variable of a method of small
/// steps moves.
///
/// In step t = 0, 1, … of the run the rate is that of the optimiser, times `factor` at t, over
/// `ratio`. A [`Schedule`] alone stands for plain steps of these lengths, an [`Optimiser`] alone for
/// one whose rate stays, a number for plain steps of this length.
///
/// ```
/// use solvers::{Motion, Optimiser, Schedule};
///
/// let falling = Schedule::InverseRoot { a: 1.0 };
/// let adam = Motion::from(Optimiser::Adam { rate: 0.1 }).factor(falling);
/// assert_eq!(adam.rate(3), 0.05);
/// assert_eq!(Motion::from(Schedule::Constant(0.1)).over(2.0).rate(3), 0.05);
/// assert_eq!(Motion::from(0.05).rate(3), 0.05);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    /// What becomes of a direction.
    pub optimiser: Optimiser,
    /// What its rate is multiplied by.
    pub factor: Schedule,
    /// What that is divided by.
    pub ratio: f64,
}

impl From<Schedule> for Motion {
    fn from(lengths: Schedule) -> Self {
        Motion {
            optimiser: Optimiser::GradientDescent { rate: 1.0 },
            factor: lengths,
            ratio: 1.0,
        }
    }
}

impl From<Optimiser> for Motion {
    fn from(optimiser: Optimiser) -> Self {
        Motion {
            optimiser,
            ..Schedule::Constant(1.0).into()
        }
    }
}

impl From<f64> for Motion {
    fn from(length: f64) -> Self {
        Schedule::Constant(length).into()
    }
}

impl Motion {
    /// Multiplies the optimiser's rate by a schedule.
    #[must_use]
    pub fn factor(self, factor: Schedule) -> Self {
        Motion { factor, ..self }
    }

    /// Divides all steps by `ratio`.
    #[must_use]
    pub fn over(self, ratio: f64) -> Self {
        Motion { ratio, ..self }
    }

    /// The rate in step `t`.
    pub fn rate(self, t: usize) -> f64 {
        self.optimiser.rate() * self.length(t)
    }

    /// What the optimiser's rate is multiplied by in step `t`.
    fn length(self, t: usize) -> f64 {
        self.factor.at(t) / self.ratio
    }

    /// Checks the settings of the step of `what`.
    pub(super) fn check(self, what: &str) -> Result<(), String> {
        let named = |reason| format!("step of {what}: {reason}");
        self.factor.check(&format!("step of {what}"))?;
        expect::positive("ratio", self.ratio).map_err(named)?;
        self.optimiser.check().map_err(named)
    }

    /// On its way, for a variable of `dim` entries whose name is `what`.
    pub(super) fn begin<T: Real>(
        self,
        what: &str,
        dim: usize,
        meter: &Meter,
    ) -> Result<Mover<T>, String> {
        self.check(what)?;
        Ok(Mover {
            motion: self,
            moving: Optimise::<T>::begin(&self.optimiser, dim, meter)?,
        })
    }
}

/// A [`Motion`] on its way.
pub(super) struct Mover<T: Real> {
    motion: Motion,
    moving: Box<dyn Moving<T>>,
}

impl<T: Real> Mover<T> {
    /// Moves a variable against `direction` in step `t` of the run.
    pub(super) fn step(&mut self, t: usize, variable: &mut [T], direction: &[T]) {
        let factor = self.motion.length(t);
        self.moving.step(variable, direction, factor);
    }
}

impl<T: Real> Keep for Mover<T> {
    fn visit(&mut self, ledger: &mut Ledger) {
        self.moving.visit(ledger);
    }
}

impl<T: Real> Keep for Buffer<T> {
    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("a vector that is kept", self);
    }
}
