//! Forward mode: the derivative of the state by x, carried along.

use crate::bytes::{Buffer, Category, Meter};
use crate::real::Real;

use super::{Driver, Stop};

/// The derivative Ẏ of the state by x.
pub(super) struct Forward<T: Real> {
    /// `dim_state × dim_x`, column-major.
    by_x: Buffer<T>,
    /// Unit vectors of x, for one block of columns.
    units: Buffer<T>,
    /// How far the last of all steps moved Ẏ, as a part of its norm.
    moved: Option<f64>,
}

/// Columns of Ẏ that one tangent sweep takes along. A product of matrices copies its operands: with
/// sixteen columns that is a small part of its cost, and more of them would gain little for the
/// tangents that the step is then held in.
const BLOCK: usize = 16;

/// Columns of a block for this many entries of x.
pub(super) fn width(dim_x: usize) -> usize {
    dim_x.min(BLOCK)
}

impl<T: Real> Forward<T> {
    pub(super) fn new(meter: &Meter) -> Self {
        Forward {
            by_x: Buffer::zeros(0, Category::Tangents, meter),
            units: Buffer::zeros(0, Category::Tangents, meter),
            moved: None,
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
        self.units.resize(dim_x * width(dim_x));
        self.by_x.resize(dim_state * dim_x);
        self.by_x.fill(T::zero());
        self.moved = None;
        let mut depth = 0;
        while depth < limit && !stop(depth, driver.state()) {
            let moved =
                driver.advance_tangents(depth, &mut self.by_x, &mut self.units, depth + 1 == limit);
            self.moved = moved;
            depth += 1;
        }
        depth
    }

    pub(super) fn moved(&self) -> Option<f64> {
        self.moved
    }

    pub(super) fn by_x(&self) -> &[T] {
        &self.by_x
    }
}
