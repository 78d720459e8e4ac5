//! The states before the last so many steps, in a ring.

use crate::Real;
use crate::bytes::{Buffer, Category, Meter};

/// The kept states: all of them, or the latest of a window.
pub(super) struct Stored<T: Real> {
    states: Buffer<T>,
    window: usize,
    dim: usize,
}

impl<T: Real> Stored<T> {
    pub(super) fn new(meter: &Meter) -> Self {
        Stored {
            states: Buffer::zeros(0, Category::Checkpoints, meter),
            window: 0,
            dim: 0,
        }
    }

    /// Makes room for exactly `window` states of `dim` entries, and forgets those of before.
    pub(super) fn reserve(&mut self, window: usize, dim: usize, meter: &Meter) {
        (self.window, self.dim) = (window, dim);
        if self.states.len() != window * dim {
            // The old block goes before the new one comes: they are never held together.
            self.states = Buffer::zeros(0, Category::Checkpoints, meter);
            self.states = Buffer::zeros(window * dim, Category::Checkpoints, meter);
        }
    }

    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// Keeps the state before step `k`, in place of that before step `k − window`.
    pub(super) fn push(&mut self, k: usize, state: &[T]) {
        if self.window > 0 {
            let range = self.range(k);
            self.states[range].copy_from_slice(state);
        }
    }

    /// The state before step `k`, one of the last `window`.
    pub(super) fn at(&self, k: usize) -> &[T] {
        &self.states[self.range(k)]
    }

    fn range(&self, k: usize) -> std::ops::Range<usize> {
        let start = k % self.window * self.dim;
        start..start + self.dim
    }
}
