//! Every step, linearised.

use crate::bytes::Meter;
use crate::real::Real;
use crate::workspace::Workspace;

use super::{Driver, Stop};

/// One workspace for each step. They keep the linearisations; what the sweeps on the way back
/// write is the driver's, and there once.
pub(super) struct Taped<T: Real> {
    steps: Vec<Workspace<T>>,
}

impl<T: Real> Taped<T> {
    pub(super) fn new() -> Self {
        Taped { steps: Vec::new() }
    }

    /// Runs up to `limit` steps and keeps them all.
    pub(super) fn forward(
        &mut self,
        driver: &mut Driver<T>,
        limit: usize,
        meter: &Meter,
        stop: Stop<'_, T>,
    ) -> usize {
        let mut depth = 0;
        while depth < limit && !stop(depth, driver.state()) {
            if depth == self.steps.len() {
                if depth == self.steps.capacity() {
                    // Doubling, but never more room than the loop can use.
                    self.steps.reserve_exact((limit - depth).min(depth.max(64)));
                }
                self.steps.push(Workspace::new(&driver.step.program, meter));
            }
            driver.advance_keeping(depth, &mut self.steps[depth]);
            depth += 1;
        }
        self.steps.truncate(depth);
        self.steps.shrink_to_fit();
        depth
    }

    /// How far the last step moved the driver's iterate.
    pub(super) fn moved(&self, driver: &Driver<T>) -> f64 {
        self.steps
            .last()
            .map_or(0.0, |last| driver.moved_since(last))
    }

    pub(super) fn reverse(&mut self, driver: &mut Driver<T>) {
        for step in self.steps.iter_mut().rev() {
            driver.pull_back_kept(step);
        }
    }
}
