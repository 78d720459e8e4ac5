//! The states before the last this many steps, in a ring.

use crate::bytes::{Buffer, Category, Meter};
use crate::real::Real;

use super::{Driver, Stop};

/// The kept states: all of them, or the latest of a window.
pub(super) struct Stored<T: Real> {
    states: Buffer<T>,
    window: usize,
    dim: usize,
    depth: usize,
}

impl<T: Real> Stored<T> {
    pub(super) fn new(meter: &Meter) -> Self {
        Stored {
            states: Buffer::zeros(0, Category::Checkpoints, meter),
            window: 0,
            dim: 0,
            depth: 0,
        }
    }

    /// Runs up to `limit` steps and keeps the states before the last `window` of them.
    pub(super) fn forward(
        &mut self,
        driver: &mut Driver<T>,
        limit: usize,
        window: usize,
        stop: Stop<'_, T>,
    ) -> usize {
        (self.window, self.dim, self.depth) = (window, driver.state().len(), 0);
        self.states.resize(window * self.dim);
        while self.depth < limit && !stop(self.depth, driver.state()) {
            if window > 0 {
                let range = self.range(self.depth);
                self.states[range].copy_from_slice(driver.state());
            }
            driver.advance(self.depth);
            self.depth += 1;
        }
        self.depth
    }

    pub(super) fn reverse(&mut self, driver: &mut Driver<T>) {
        let first = self.depth.saturating_sub(self.window);
        for k in (first..self.depth).rev() {
            driver.pull_back(k, &self.states[self.range(k)]);
        }
    }

    /// Where the state before step `k` stands, in place of that before step `k − window`.
    fn range(&self, k: usize) -> std::ops::Range<usize> {
        let start = k % self.window * self.dim;
        start..start + self.dim
    }
}
