//! Whole objectives.

use autodiff::{Meter, Real};

use crate::estimate::Oracles;
use crate::ledger::Ledger;
use crate::problem::Bilevel;
use crate::sampling::Sampling;
use crate::workspace::Workspace;

use super::super::rule::{Advance, Update};
use super::super::state::State;
use super::{Ground, told};

/// Whole objectives: each step says what it met.
impl<T: Real> Ground<T> for Workspace<T> {
    type Said = Advance;

    fn new(problem: &Bilevel<T>, _: Option<Sampling>) -> Self {
        problem.workspace()
    }

    fn complaint(_: &Bilevel<T>, sampling: Option<Sampling>) -> Option<String> {
        let drawn = sampling.is_some();
        drawn.then(|| "a sampling: expected none, as whole objectives are differentiated".into())
    }

    fn report(
        state: &mut State<T, Self>,
        update: &mut dyn Update<T, Self>,
        count: usize,
    ) -> Advance {
        told(state, update, count)
    }

    fn oracles(&self) -> Oracles {
        self.oracles()
    }

    fn meter(&self) -> &Meter {
        self.meter()
    }

    fn visit(&mut self, ledger: &mut Ledger) {
        self.visit(ledger);
    }
}
