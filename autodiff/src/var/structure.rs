//! Rearrangements: parts, copies and stacks of entries, and differences of neighbours.

use std::ops::Range;

use smallvec::SmallVec;

use crate::real::Real;
use crate::rules::linear::Linear;
use crate::shape::Shape;
use crate::var::Var;

impl<T: Real> Var<'_, T> {
    /// `len` consecutive entries from `start` on, in column-major order: a vector.
    #[must_use]
    #[track_caller]
    pub fn slice(self, start: usize, len: usize) -> Self {
        assert!(
            start + len <= self.len(),
            "slice: entries {start}..{} of {}",
            start + len,
            self.shape
        );
        self.linear(Linear::Slice(start), &[self], Shape::vector(len))
    }

    /// Entry `i`, in column-major order: a scalar.
    #[must_use]
    #[track_caller]
    pub fn at(self, i: usize) -> Self {
        assert!(i < self.len(), "at: entry {i} of {}", self.shape);
        self.slice(i, 1)
    }

    /// The entries at these positions, in column-major order: a vector.
    #[must_use]
    #[track_caller]
    pub fn gather(self, positions: &[usize]) -> Self {
        if let Some(bad) = positions.iter().find(|p| **p >= self.len()) {
            panic!("gather: entry {bad} of {}", self.shape);
        }
        let shape = Shape::vector(positions.len());
        self.linear(Linear::Gather(positions.into()), &[self], shape)
    }

    /// The same entries, in column-major order, in another shape.
    #[must_use]
    #[track_caller]
    pub fn reshape(self, rows: usize, cols: usize) -> Self {
        let shape = Shape::matrix(rows, cols);
        assert!(
            shape.len() == self.len(),
            "reshape: {} to {shape}: the number of entries must be equal",
            self.shape
        );
        self.linear(Linear::Reshape, &[self], shape)
    }

    /// Rows and columns exchanged.
    #[must_use]
    #[track_caller]
    pub fn transpose(self) -> Self {
        self.linear(Linear::Transpose, &[self], self.shape.transposed())
    }

    /// This vector followed by others: a vector.
    #[must_use]
    #[track_caller]
    pub fn concat(self, others: &[Self]) -> Self {
        let operands: SmallVec<[Self; 4]> =
            [self].into_iter().chain(others.iter().copied()).collect();
        let len = operands.iter().map(|v| v.len()).sum();
        self.linear(Linear::Concat, &operands, Shape::vector(len))
    }

    /// A scalar, a row or a column repeated to a shape.
    #[must_use]
    #[track_caller]
    pub fn broadcast(self, shape: Shape) -> Self {
        let (a, fits) = (self.shape, |from: usize, to: usize| from == to || from == 1);
        assert!(
            fits(a.rows, shape.rows) && fits(a.cols, shape.cols),
            "broadcast: {a} to {shape}: each side must be equal or 1"
        );
        self.linear(Linear::Broadcast, &[self], shape)
    }

    /// The value itself, as a constant to every derivative.
    #[must_use]
    #[track_caller]
    pub fn stop_gradient(self) -> Self {
        self.linear(Linear::StopGradient, &[self], self.shape)
    }

    /// The value itself, marked as the outputs of a model: to
    /// [`Point::gauss_newton`](crate::Point::gauss_newton) whatever they are computed from is as if it
    /// were linear. All else does not see the mark, and nothing is copied for it.
    #[must_use]
    #[track_caller]
    pub fn outputs(self) -> Self {
        self.linear(Linear::Outputs, &[self], self.shape)
    }

    // ---- parts of a matrix

    /// Row `i`: `r×c → 1×c`.
    #[must_use]
    #[track_caller]
    pub fn row(self, i: usize) -> Self {
        assert!(i < self.shape.rows, "row: row {i} of {}", self.shape);
        self.rows(i..i + 1)
    }

    /// Column `j`: `r×c → r×1`.
    #[must_use]
    #[track_caller]
    pub fn col(self, j: usize) -> Self {
        assert!(j < self.shape.cols, "col: column {j} of {}", self.shape);
        self.columns(j..j + 1)
    }

    /// A range of rows.
    #[must_use]
    #[track_caller]
    pub fn rows(self, range: Range<usize>) -> Self {
        let Shape { rows, cols } = self.shape;
        assert!(
            range.start <= range.end && range.end <= rows,
            "rows: rows {range:?} of {}",
            self.shape
        );
        let column = |j: usize| range.clone().map(move |i| i + j * rows);
        let positions = (0..cols).flat_map(column).collect();
        let shape = Shape::matrix(range.len(), cols);
        self.linear(Linear::Gather(positions), &[self], shape)
    }

    /// A range of columns.
    #[must_use]
    #[track_caller]
    pub fn columns(self, range: Range<usize>) -> Self {
        let Shape { rows, cols } = self.shape;
        assert!(
            range.start <= range.end && range.end <= cols,
            "columns: columns {range:?} of {}",
            self.shape
        );
        let shape = Shape::matrix(rows, range.len());
        self.linear(Linear::Slice(range.start * rows), &[self], shape)
    }

    /// The entries on the diagonal: a vector.
    #[must_use]
    #[track_caller]
    pub fn diagonal(self) -> Self {
        let Shape { rows, cols } = self.shape;
        let positions: Vec<usize> = (0..rows.min(cols)).map(|i| i * (rows + 1)).collect();
        self.gather(&positions)
    }

    /// Sum of the diagonal of a square matrix: a scalar.
    #[must_use]
    #[track_caller]
    pub fn trace(self) -> Self {
        let Shape { rows, cols } = self.shape;
        assert!(
            rows == cols,
            "trace: {}: expected a square matrix",
            self.shape
        );
        self.diagonal().sum()
    }

    // ---- larger values from smaller ones

    /// The diagonal matrix with the entries of this vector.
    #[must_use]
    #[track_caller]
    pub fn diag(self) -> Self {
        assert!(
            self.shape.cols == 1,
            "diag: {}: expected a vector",
            self.shape
        );
        let n = self.len();
        self.linear(Linear::Diag, &[self], Shape::matrix(n, n))
    }

    /// This matrix and others side by side.
    #[must_use]
    #[track_caller]
    pub fn hstack(self, others: &[Self]) -> Self {
        let mut shape = self.shape;
        for other in others {
            assert!(
                other.shape.rows == shape.rows,
                "hstack: {} with {}: the numbers of rows must be equal",
                self.shape,
                other.shape
            );
            shape.cols += other.shape.cols;
        }
        // Column by column, one beside the other is one after the other.
        let operands: SmallVec<[Self; 4]> =
            [self].into_iter().chain(others.iter().copied()).collect();
        self.linear(Linear::Concat, &operands, shape)
    }

    /// This matrix and others one below the other.
    #[must_use]
    #[track_caller]
    pub fn vstack(self, others: &[Self]) -> Self {
        for other in others {
            assert!(
                other.shape.cols == self.shape.cols,
                "vstack: {} with {}: the numbers of columns must be equal",
                self.shape,
                other.shape
            );
        }
        if self.shape.cols == 1 {
            return self.concat(others);
        }
        let mut turned: SmallVec<[Self; 4]> = SmallVec::new();
        for other in others {
            turned.push(other.transpose());
        }
        self.transpose().hstack(&turned).transpose()
    }

    /// Each entry `times` times in a row, in column-major order: a vector.
    #[must_use]
    #[track_caller]
    pub fn repeat(self, times: usize) -> Self {
        let n = self.len();
        let copies = self.reshape(1, n).broadcast(Shape::matrix(times, n));
        copies.reshape(times * n, 1)
    }

    /// All entries, in column-major order, `times` times over: a vector.
    #[must_use]
    #[track_caller]
    pub fn tile(self, times: usize) -> Self {
        let n = self.len();
        let copies = self.reshape(n, 1).broadcast(Shape::matrix(n, times));
        copies.reshape(times * n, 1)
    }

    // ---- sums and differences of neighbours

    /// Sums of the entries up to each one, down each column.
    #[must_use]
    #[track_caller]
    pub fn cumsum(self) -> Self {
        self.linear(Linear::CumSum, &[self], self.shape)
    }

    /// Forward differences along each row, `u[i, j] = a[i, j+1] − a[i, j]`, and 0 in the last column
    /// (Neumann's condition at the edge): of the same shape.
    #[must_use]
    #[track_caller]
    pub fn dx(self) -> Self {
        self.linear(Linear::Dx, &[self], self.shape)
    }

    /// Forward differences down each column, `u[i, j] = a[i+1, j] − a[i, j]`, and 0 in the last row
    /// (Neumann's condition at the edge): of the same shape.
    #[must_use]
    #[track_caller]
    pub fn dy(self) -> Self {
        self.linear(Linear::Dy, &[self], self.shape)
    }

    /// Sum of values, of which scalars, rows and columns are repeated to fit.
    ///
    /// # Panics
    /// If there are none: a sum of nothing has no shape. That, and the line it was recorded at, is
    /// why this is no `std::iter::Sum`.
    #[must_use]
    #[track_caller]
    pub fn sum_of(values: impl IntoIterator<Item = Self>) -> Self {
        let mut values = values.into_iter();
        let Some(mut total) = values.next() else {
            panic!("sum_of: no values");
        };
        for v in values {
            total = total + v;
        }
        total
    }
}
