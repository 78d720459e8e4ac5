//! The accelerated proximal gradient method.

use autodiff::{Real, Var};

use super::names::StepEntry;
use super::rule::{Numbers, Recorded, StepAt, StepRule};
use super::{InnerStep, Proximal};

/// Accelerated gradient steps by name.
pub(super) const ENTRY: StepEntry = StepEntry {
    name: "fista",
    about: "accelerated gradient steps",
    make: |numbers| {
        numbers
            .is_empty()
            .then_some(InnerStep::Fista(Proximal::NONE))
    },
};

/// FISTA with a projection or a threshold after each step; the name of any may stand here.
pub(super) const SOFT_THRESHOLD: StepEntry = StepEntry {
    name: "fista:soft-threshold:WEIGHT",
    about: "the same on g + WEIGHT·‖y‖₁; fista:projected-… likewise",
    make: |_| None,
};

/// `z = y + k/(k+3) (y − y₋)`, `y ← P(z − d(z))`, of the state (y; y₋), k = 0, 1, ….
#[derive(Debug)]
pub(super) struct Fista(pub(super) Proximal);

impl StepRule for Fista {
    fn name(&self) -> String {
        match self.0 {
            Proximal::NONE => "fista".into(),
            proximal => format!("fista:{proximal}"),
        }
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

    fn proximal(&self) -> Proximal {
        self.0
    }

    fn takes_part(&self) -> bool {
        self.0 == Proximal::NONE
    }

    fn complaint(&self) -> Option<String> {
        self.0.complaint()
    }
}

impl<T: Real> Recorded<T> for Fista {
    fn next<'r>(&self, at: &StepAt<'r, '_, T>) -> Vec<Var<'r, T>> {
        let (y, before) = (at.part(0), at.part(1));
        let z = y + (y - before) * at.number(0);
        vec![at.after(self.0, z - at.along(z)), y]
    }
}
