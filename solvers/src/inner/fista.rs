//! The accelerated proximal gradient method.

use autodiff::{Real, Var};

use super::InnerStep;
use super::names::StepEntry;
use super::rule::{Numbers, Recorded, StepAt, StepRule};

/// Accelerated gradient steps by name.
pub(super) const ENTRY: StepEntry = StepEntry {
    name: "fista",
    about: "accelerated gradient steps",
    make: |numbers| numbers.is_empty().then_some(InnerStep::Fista),
};

/// `z = y + k/(k+3) (y − y₋)`, `y ← P(z − d(z))`, of the state (y; y₋), k = 0, 1, ….
#[derive(Debug)]
pub(super) struct Fista;

impl StepRule for Fista {
    fn name(&self) -> String {
        ENTRY.name.into()
    }

    fn parts(&self) -> usize {
        2
    }

    fn starts_alike(&self) -> bool {
        true
    }

    fn numbers(&self) -> (usize, Numbers) {
        (1, Box::new(|k, c| c[0] = k as f64 / (k as f64 + 3.0)))
    }

    fn takes_part(&self) -> bool {
        true
    }
}

impl<T: Real> Recorded<T> for Fista {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let (y, before) = (at.part(0), at.part(1));
        let z = y + (y - before) * at.number(0);
        vec![at.prox(z - at.along(z)), y]
    }
}
