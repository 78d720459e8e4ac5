//! Every step, linearised.

use crate::bytes::{Category, Meter};
use crate::{Real, Workspace};

use super::Driver;

/// One workspace for each step. They keep the linearisations; what the sweeps on the way back
/// write is the driver's, and there once.
pub(super) struct Taped<T: Real> {
    steps: Vec<Workspace<T>>,
}

impl<T: Real> Taped<T> {
    pub(super) fn new() -> Self {
        Taped { steps: Vec::new() }
    }

    pub(super) fn forward(&mut self, driver: &mut Driver<T>, depth: usize, meter: &Meter) {
        if self.steps.len() != depth {
            self.steps.truncate(depth);
            self.steps.shrink_to_fit();
            self.steps.reserve_exact(depth - self.steps.len());
            let program = &driver.step.program;
            self.steps.resize_with(depth, || program.workspace(meter));
        }
        for (k, step) in self.steps.iter_mut().enumerate() {
            driver.advance_keeping(k, step);
        }
    }

    pub(super) fn reverse(&mut self, driver: &mut Driver<T>) {
        for step in self.steps.iter_mut().rev() {
            driver.pull_back_kept(step);
        }
    }

    /// Bytes of one category that a tape of `depth` steps holds.
    pub(super) fn bytes(driver: &Driver<T>, depth: usize, category: Category) -> usize {
        depth.saturating_mul(Workspace::linearisation_bytes(
            &driver.step.program,
            category,
        ))
    }
}
