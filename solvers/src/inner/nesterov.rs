//! Nesterov's momentum with a constant coefficient.

use autodiff::{Real, Var};

use super::InnerStep;
use super::momentum::no_momentum;
use super::names::StepEntry;
use super::rule::{Recorded, StepAt, StepRule};

/// Nesterov's momentum by name.
pub(super) const ENTRY: StepEntry = StepEntry {
    name: "nesterov:BETA",
    about: "Nesterov's momentum",
    make: |numbers| match *numbers {
        [beta] => Some(InnerStep::Nesterov(beta)),
        _ => None,
    },
};

/// `z = y + β(y − y₋)`, `y ← z − d(z)`, of the state (y; y₋).
#[derive(Debug)]
pub(super) struct Nesterov(pub(super) f64);

impl StepRule for Nesterov {
    fn name(&self) -> String {
        format!("nesterov:{}", self.0)
    }

    fn parts(&self) -> usize {
        2
    }

    fn starts_alike(&self) -> bool {
        true
    }

    fn complaint(&self) -> Option<String> {
        no_momentum(self.0)
    }
}

impl<T: Real> Recorded<T> for Nesterov {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let (y, before) = (at.part(0), at.part(1));
        let z = y + (y - before) * T::of(self.0);
        vec![z - at.along(z), y]
    }
}
