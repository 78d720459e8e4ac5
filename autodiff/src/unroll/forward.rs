//! Forward mode: the derivative of the state by x, carried along.

use crate::Real;
use crate::bytes::{Buffer, Category, Meter};

use super::{Driver, Stop};

/// The derivative Ẏ of the state by x.
pub(super) struct Forward<T: Real> {
    /// `dim_state × dim_x`, column-major.
    by_x: Buffer<T>,
    /// The direction in x, one unit vector after the other.
    direction: Buffer<T>,
}

impl<T: Real> Forward<T> {
    pub(super) fn new(meter: &Meter) -> Self {
        Forward {
            by_x: Buffer::zeros(0, Category::Tangents, meter),
            direction: Buffer::zeros(0, Category::Tangents, meter),
        }
    }

    /// Runs up to `limit` steps `Ẏ ← ∂Φ/∂s Ẏ + ∂Φ/∂x`, each linearised once for all columns.
    pub(super) fn forward(
        &mut self,
        driver: &mut Driver<T>,
        limit: usize,
        stop: Stop<'_, T>,
    ) -> usize {
        let (dim_x, dim_state) = (driver.dim_x(), driver.state().len());
        self.direction.resize(dim_x);
        self.by_x.resize(dim_state * dim_x);
        self.by_x.fill(T::zero());
        let mut depth = 0;
        while depth < limit && !stop(depth, driver.state()) {
            driver.advance_tangents(depth, &mut self.by_x, &mut self.direction);
            depth += 1;
        }
        depth
    }

    pub(super) fn by_x(&self) -> &[T] {
        &self.by_x
    }
}
