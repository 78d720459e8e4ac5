//! The states before the last so many steps, in a ring.

use crate::Real;
use crate::bytes::{Buffer, Category, Meter};

use super::Driver;

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

    /// Runs `depth` steps and keeps the states before the last `window` of them.
    pub(super) fn forward(&mut self, driver: &mut Driver<T>, depth: usize, window: usize) {
        (self.window, self.dim, self.depth) = (window, driver.state().len(), depth);
        self.states.resize(window * self.dim);
        for k in 0..depth {
            if window > 0 {
                let range = self.range(k);
                self.states[range].copy_from_slice(driver.state());
            }
            driver.advance(k);
        }
    }

    pub(super) fn reverse(&mut self, driver: &mut Driver<T>) {
        for k in (self.depth - self.window..self.depth).rev() {
            driver.pull_back(k, &self.states[self.range(k)]);
        }
    }

    /// Where the state before step `k` stands, in place of that before step `k − window`.
    fn range(&self, k: usize) -> std::ops::Range<usize> {
        let start = k % self.window * self.dim;
        start..start + self.dim
    }
}
