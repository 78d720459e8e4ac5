//! Shapes: every value is a column-major matrix; vectors have one column, scalars are 1×1.

use std::fmt;

/// The shape of a value, `rows × cols`, stored column by column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Number of rows: the length of a vector.
    pub rows: usize,
    /// Number of columns: 1 for a vector.
    pub cols: usize,
}

impl Shape {
    /// The shape of a scalar, 1×1.
    pub const SCALAR: Shape = Shape { rows: 1, cols: 1 };

    /// The shape of a column vector of `len` entries.
    pub const fn vector(len: usize) -> Shape {
        Shape { rows: len, cols: 1 }
    }

    /// The shape of a matrix.
    pub const fn matrix(rows: usize, cols: usize) -> Shape {
        Shape { rows, cols }
    }

    /// Number of entries.
    pub const fn len(self) -> usize {
        self.rows * self.cols
    }

    /// Whether there are no entries.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether this is 1×1.
    pub fn is_scalar(self) -> bool {
        self == Shape::SCALAR
    }

    /// The shape with rows and columns exchanged.
    pub const fn transposed(self) -> Shape {
        Shape {
            rows: self.cols,
            cols: self.rows,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.rows, self.cols) {
            (1, 1) => write!(f, "scalar"),
            (n, 1) => write!(f, "vector({n})"),
            (r, c) => write!(f, "matrix({r}×{c})"),
        }
    }
}
