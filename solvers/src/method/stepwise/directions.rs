//! The directions of x, y and v of SOBA and its kin.

use autodiff::bytes::Buffer;
use autodiff::kernels::axpy;
use autodiff::{Inputs, Point, Real};

use crate::ledger::Ledger;
use crate::method::{Batches, Keep, State};

/// `∇_y g`, `∇²_yy g · v + ∇_y F` and `∇²_xy g · v + ∇_x F`, or estimates of them.
pub(super) struct Directions<T: Real> {
    pub(super) x: Buffer<T>,
    pub(super) y: Buffer<T>,
    pub(super) v: Buffer<T>,
}

impl<T: Real> Directions<T> {
    pub(super) fn new(s: &State<'_, T>, b: &Batches<T>) -> Self {
        Directions {
            x: b.buffer(s.x.len()),
            y: b.buffer(s.y.len()),
            v: b.buffer(s.y.len()),
        }
    }

    /// Overwrites them with what F and g give at (x, y, v).
    pub(super) fn at(&mut self, upper: &mut Point<T>, lower: &mut Point<T>, [x, y, v]: [&[T]; 3]) {
        upper.gradient_at(&[x, y], Inputs::ALL);
        self.x.copy_from_slice(upper.gradient(0));
        self.v.copy_from_slice(upper.gradient(1));
        lower.gradient_along(&[x, y], &[None, Some(v)]);
        self.y.copy_from_slice(lower.gradient(1));
        axpy(&mut self.v, T::one(), lower.product(1));
        axpy(&mut self.x, T::one(), lower.product(0));
    }

    /// One batch of each level, at the state.
    pub(super) fn draw(&mut self, s: &State<'_, T>, b: &mut Batches<T>) {
        let at = [s.x.as_slice(), s.y.as_slice(), &b.v];
        self.at(b.upper.draw(), b.lower.draw(), at);
    }

    /// All samples, at the state.
    pub(super) fn whole(&mut self, s: &State<'_, T>, b: &mut Batches<T>) {
        let at = [s.x.as_slice(), s.y.as_slice(), &b.v];
        self.at(b.upper.whole(), b.lower.whole(), at);
    }
}

impl<T: Real> Keep for Directions<T> {
    fn visit(&mut self, ledger: &mut Ledger) {
        ledger.entries("the direction of x", &mut self.x);
        ledger.entries("the direction of y", &mut self.y);
        ledger.entries("the direction of v", &mut self.v);
    }
}
