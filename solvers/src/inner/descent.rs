//! Plain gradient steps.

use autodiff::{Real, Var};

use super::InnerStep;
use super::names::StepEntry;
use super::rule::{Recorded, StepAt, StepRule};

/// Plain gradient steps by name.
pub(super) const ENTRY: StepEntry = StepEntry {
    name: "gd",
    about: "gradient descent",
    make: |numbers| numbers.is_empty().then_some(InnerStep::GradientDescent),
};

/// `y ← P(y − d(y))`, of the state y.
#[derive(Debug)]
pub(super) struct Plain;

impl StepRule for Plain {
    fn name(&self) -> String {
        ENTRY.name.into()
    }

    fn takes_part(&self) -> bool {
        true
    }

    fn is_plain(&self) -> bool {
        true
    }
}

impl<T: Real> Recorded<T> for Plain {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let y = at.part(0);
        vec![at.prox(y - at.along(y))]
    }
}
