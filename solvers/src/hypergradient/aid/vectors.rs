//! The vectors of implicit differentiation.

use autodiff::bytes::{Buffer, Category};
use autodiff::{Meter, Real};

use super::LowerSolve;
use crate::accuracy::PROBED;
use crate::linear::CgVectors;

/// The vectors of a call, held to its end: the peak is the same at every call.
pub(super) struct Vectors<T: Real> {
    pub(super) y: Buffer<T>,
    /// The first state of the steps on the lower level, if it takes steps.
    pub(super) first: Buffer<T>,
    /// What finding their length needs.
    pub(super) found: Buffer<T>,
    /// The solution of the linear system.
    pub(super) v: Buffer<T>,
    pub(super) spare: [Buffer<T>; 3],
    pub(super) cg: CgVectors<T>,
}

impl<T: Real> Vectors<T> {
    /// Entries of `first`, of `found`, and of each vector in `cg`.
    fn lengths(lower: LowerSolve, dim_y: usize) -> (usize, usize, usize) {
        match lower {
            LowerSolve::Newton { .. } => (0, 0, dim_y),
            LowerSolve::Steps { inner, length, .. } => (
                inner.dim_state(dim_y),
                length.spare(dim_y),
                if dim_y <= PROBED { dim_y } else { 0 },
            ),
        }
    }

    /// The vectors of a lower level started at `start` and a linear system started at `v`, or at 0.
    pub(super) fn new(lower: LowerSolve, start: &[T], v: Option<Buffer<T>>, meter: &Meter) -> Self {
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, meter);
        let n = start.len();
        let (_, found, cg) = Self::lengths(lower, n);
        let mut y = buffer(n);
        y.copy_from_slice(start);
        Vectors {
            y,
            first: match lower {
                LowerSolve::Steps { inner, .. } => inner.first_state(start, meter),
                LowerSolve::Newton { .. } => buffer(0),
            },
            found: buffer(found),
            v: v.unwrap_or_else(|| buffer(n)),
            spare: [buffer(n), buffer(n), buffer(n)],
            cg: CgVectors::new(cg, meter),
        }
    }

    pub(super) fn bytes(lower: LowerSolve, dim_y: usize) -> usize {
        let (first, found, cg) = Self::lengths(lower, dim_y);
        (first + found + 5 * dim_y) * size_of::<T>() + CgVectors::<T>::bytes(cg)
    }
}
