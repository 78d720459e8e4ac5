//! The heavy ball.

use autodiff::unroll::{Decay, Step};
use autodiff::{Real, Var};

use super::InnerStep;
use super::direction::Direction;
use super::names::StepEntry;
use super::rule::{Recorded, StepAt, StepRule};

/// The heavy ball by name.
pub(super) const ENTRY: StepEntry = StepEntry {
    name: "momentum:BETA",
    about: "heavy ball",
    make: |numbers| match *numbers {
        [beta] => Some(InnerStep::Momentum(beta)),
        _ => None,
    },
};

/// `v ← βv − d(y)`, `y ← y + v`, of the state (y; v).
#[derive(Debug)]
pub(super) struct Momentum(pub(super) f64);

impl StepRule for Momentum {
    fn name(&self) -> String {
        format!("momentum:{}", self.0)
    }

    fn parts(&self) -> usize {
        2
    }

    fn complaint(&self) -> Option<String> {
        no_momentum(self.0)
    }
}

/// The reason why β is none.
pub(super) fn no_momentum(beta: f64) -> Option<String> {
    let bad = !(0.0..1.0).contains(&beta);
    bad.then(|| format!("momentum {beta}: expected a number in [0, 1)"))
}

impl<T: Real> Recorded<T> for Momentum {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let (y, v) = (at.part(0), at.part(1));
        let v = v * T::of(self.0) - at.along(y);
        vec![y + v, v]
    }
}

impl Momentum {
    /// The step in the form that can be undone.
    pub(super) fn record<T: Real>(&self, direction: &Direction<'_, T>) -> Step<T> {
        let (along, coefficients) = (direction.along, direction.coefficients.clone());
        Step::momentum_scheduled(
            direction.dim_x,
            direction.dim_y,
            self.0,
            direction.count,
            move |k, c: &mut [T]| coefficients(k, c),
            |x, y, c| -along(x, y, c),
        )
    }

    /// Why it cannot be undone, if it cannot.
    pub(super) fn irreversible<T: Real>(&self) -> Option<String> {
        Decay::of::<T>(self.0).err().map(|e| e.to_string())
    }
}
