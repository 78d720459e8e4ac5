//! Blocks of directions, and where their columns stand.
//!
//! The tangents of a node are `width` columns of its length, one after the other.

use std::ops::Range;

use crate::inputs::Inputs;

/// What moves in a tangent or second sweep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// The inputs that move.
    pub(crate) moving: Inputs,
    /// The number of directions that they move along at once.
    pub(crate) width: usize,
}

/// Consecutive columns of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    width: usize,
    first: usize,
    count: usize,
}

impl Columns {
    /// All columns of a block.
    #[inline]
    pub(crate) const fn all(width: usize) -> Columns {
        Columns {
            width,
            first: 0,
            count: width,
        }
    }

    /// The number of columns.
    pub(crate) const fn count(self) -> usize {
        self.count
    }

    /// Column `c` of these.
    #[track_caller]
    pub(crate) fn one(self, c: usize) -> Columns {
        assert!(c < self.count, "column {c} of {}", self.count);
        Columns {
            width: self.width,
            first: self.first + c,
            count: 1,
        }
    }

    /// Where the columns of a node stand whose value stands at `place`.
    #[inline]
    pub(crate) fn of(self, place: Range<usize>) -> Range<usize> {
        let len = place.len();
        let start = place.start * self.width + self.first * len;
        start..start + self.count * len
    }
}
