//! Blocks of directions, and where their columns stand.
//!
//! The tangents of a node are `width` columns of its length, one after the other.

use std::ops::Range;

use crate::inputs::Inputs;
use crate::program::Node;
use crate::real::Real;

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

    /// The number of columns of the block.
    pub(crate) const fn width(self) -> usize {
        self.width
    }

    /// Whether these are all columns of the block.
    pub(crate) const fn is_all(self) -> bool {
        self.count == self.width
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

    /// Where the columns of a node stand among tangents.
    #[inline]
    pub(crate) fn of<T: Real>(self, node: &Node<T>) -> Range<usize> {
        let start = match self.width {
            1 => node.start,
            _ => node.columns.start,
        };
        self.from(start, node.shape.len())
    }

    /// Where they stand among what comes back.
    #[inline]
    pub(crate) fn back_of<T: Real>(self, node: &Node<T>) -> Range<usize> {
        self.from(node.back_in(self.width).start, node.shape.len())
    }

    #[inline]
    fn from(self, start: usize, len: usize) -> Range<usize> {
        let start = start * self.width + self.first * len;
        start..start + self.count * len
    }
}
