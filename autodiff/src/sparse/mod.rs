//! Sparse matrices, and their products with values.
//!
//! The type is small and its own: indices of 32 bits, which are a third of what a product reads, and
//! rows that a batch can pick; `nalgebra-sparse` has neither.

mod columns;
mod error;
mod few;
mod pass;
mod product;

use std::fmt;
use std::sync::Arc;

use nalgebra::DMatrix;

use crate::real::Real;

pub use columns::SparseColumns;
pub use error::SparseError;
pub use few::FewColumns;
pub use pass::{SparsePass, SparseRows};

/// A matrix of few entries, row after row; the others are 0. Cloning shares the entries.
///
/// `&a * v` is its product with a [`Var`](crate::Var), and [`tr_mul`](Sparse::tr_mul) that of its
/// transpose, in all sweeps.
///
/// # Example
/// ```
/// use autodiff::{Program, Shape, Sparse};
///
/// // (1 0 2; 0 0 3)
/// let a = Sparse::new(2, 3, vec![0, 2, 3], vec![0, 2, 2], vec![1.0, 2.0, 3.0])?;
/// let f = Program::<f64>::record(&[Shape::vector(3)], |v| (&a * v[0]).norm_squared());
/// let mut point = f.point();
/// assert_eq!(point.linearise(&[&[1.0, 9.0, 1.0]]), 18.0);
/// assert_eq!(point.gradient(0), [6.0, 0.0, 30.0]);
/// # Ok::<(), autodiff::SparseError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Sparse<T = f64> {
    columns: usize,
    /// Where each row starts, and where the last one ends.
    starts: Arc<[usize]>,
    places: Arc<[u32]>,
    values: Arc<[T]>,
}

impl<T> fmt::Debug for Sparse<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns, entries) = (self.rows(), self.columns, self.entries());
        write!(f, "Sparse({rows} × {columns}, {entries} entries)")
    }
}

impl<T> Sparse<T> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number of entries that are kept.
    pub fn entries(&self) -> usize {
        self.values.len()
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.places) + size_of_val(&*self.values)
    }
}

impl<T: Copy> Sparse<T> {
    /// A matrix whose row `i` has the entries `starts[i]..starts[i + 1]` of `values`, in the columns
    /// `places`, which ascend in each row: the form of SciPy's `csr_matrix`, with its `indptr`,
    /// `indices` and `data`.
    ///
    /// # Errors
    /// If the starts are not `rows + 1` ascending ones from 0 to the number of entries, there is not
    /// a place for each value, or a place is beyond the columns or not above the one before it.
    pub fn new(
        rows: usize,
        columns: usize,
        starts: Vec<usize>,
        places: Vec<u32>,
        values: Vec<T>,
    ) -> Result<Self, SparseError> {
        let counts = (places.len(), values.len());
        if counts.0 != counts.1 {
            return Err(SparseError::Counts {
                places: counts.0,
                values: counts.1,
            });
        }
        if starts.len() != rows + 1 {
            return Err(SparseError::Rows {
                found: starts.len(),
                expected: rows + 1,
            });
        }
        if let Some(row) = (0..rows).find(|i| starts[*i] > starts[i + 1]) {
            return Err(SparseError::Start {
                row: row + 1,
                found: starts[row + 1],
                expected: starts[row],
            });
        }
        for (row, expected) in [(0, 0), (rows, counts.1)] {
            if starts[row] != expected {
                let found = starts[row];
                return Err(SparseError::End {
                    row,
                    found,
                    expected,
                });
            }
        }
        for row in 0..rows {
            let mut next = 0;
            for (entry, place) in (starts[row]..).zip(&places[starts[row]..starts[row + 1]]) {
                let found = *place as usize;
                if found >= columns {
                    return Err(SparseError::Beyond {
                        row,
                        entry,
                        found,
                        columns,
                    });
                }
                if found < next {
                    return Err(SparseError::Order {
                        row,
                        entry,
                        found,
                        before: next - 1,
                    });
                }
                next = found + 1;
            }
        }
        Ok(Sparse {
            columns,
            starts: starts.into(),
            places: places.into(),
            values: values.into(),
        })
    }

    /// The columns of the entries of row `i`, ascending, and their values.
    ///
    /// # Panics
    /// If there is no such row.
    #[inline]
    #[track_caller]
    pub fn row(&self, i: usize) -> (&[u32], &[T]) {
        let own = self.starts[i]..self.starts[i + 1];
        (&self.places[own.clone()], &self.values[own])
    }

    /// All values, row after row.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The same entries with other values.
    #[must_use]
    pub fn map<U>(&self, f: impl Fn(T) -> U) -> Sparse<U> {
        Sparse {
            columns: self.columns,
            starts: self.starts.clone(),
            places: self.places.clone(),
            values: self.values.iter().map(|v| f(*v)).collect(),
        }
    }

    /// The same entries, each value replaced by what `f` makes of it and its column.
    #[must_use]
    pub fn map_by_column(&self, f: impl Fn(usize, T) -> T) -> Self {
        let all = self.places.iter().zip(&*self.values);
        Sparse {
            values: all.map(|(place, v)| f(*place as usize, *v)).collect(),
            ..self.clone()
        }
    }

    /// The rows of these indices, in their order, perhaps some more than once.
    ///
    /// # Panics
    /// If there is no row of an index.
    #[must_use]
    #[track_caller]
    pub fn select(&self, rows: &[usize]) -> Self {
        let (mut starts, mut places, mut values) = (vec![0], Vec::new(), Vec::new());
        for i in rows {
            let row = self.row(*i);
            places.extend_from_slice(row.0);
            values.extend_from_slice(row.1);
            starts.push(values.len());
        }
        Sparse {
            columns: self.columns,
            starts: starts.into(),
            places: places.into(),
            values: values.into(),
        }
    }
}

impl<T: Real> Sparse<T> {
    /// The entries of a dense matrix that are not 0.
    ///
    /// # Panics
    /// If it has 2³² columns or more.
    #[track_caller]
    pub fn of_dense(dense: &DMatrix<T>) -> Self {
        let (mut starts, mut places, mut values) = (vec![0], Vec::new(), Vec::new());
        for row in dense.row_iter() {
            for (j, v) in row.iter().enumerate().filter(|(_, v)| **v != T::zero()) {
                places.push(u32::try_from(j).expect("fewer than 2³² columns"));
                values.push(*v);
            }
            starts.push(values.len());
        }
        Sparse {
            columns: dense.ncols(),
            starts: starts.into(),
            places: places.into(),
            values: values.into(),
        }
    }

    /// The matrix with its zeros.
    pub fn to_dense(&self) -> DMatrix<T> {
        let mut dense = DMatrix::zeros(self.rows(), self.columns);
        for i in 0..self.rows() {
            let (places, values) = self.row(i);
            for (j, v) in places.iter().zip(values) {
                dense[(i, *j as usize)] = *v;
            }
        }
        dense
    }

    /// `⟨aᵢ, v⟩` of row `i`.
    ///
    /// # Panics
    /// If there is no such row, or `v` does not have an entry for each column.
    #[inline]
    #[track_caller]
    pub fn row_dot(&self, i: usize, v: &[T]) -> T {
        let (places, values) = self.row(i);
        dot(places, values, &v[..self.columns])
    }
}

/// `Σ aⱼ v[placeⱼ]`, in four fixed sums.
#[inline(always)]
pub(crate) fn dot<T: Real>(places: &[u32], values: &[T], v: &[T]) -> T {
    let mut sums = [T::zero(); 4];
    let (four_places, rest_places) = places.as_chunks::<4>();
    let (four_values, rest_values) = values.as_chunks::<4>();
    for (places, values) in four_places.iter().zip(four_values) {
        for k in 0..4 {
            sums[k] += values[k] * v[places[k] as usize];
        }
    }
    let mut sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (place, value) in rest_places.iter().zip(rest_values) {
        sum += *value * v[*place as usize];
    }
    sum
}

/// `v[placeⱼ] += scale · aⱼ`.
#[inline(always)]
pub(crate) fn add_to<T: Real>(places: &[u32], values: &[T], scale: T, v: &mut [T]) {
    for (place, value) in places.iter().zip(values) {
        v[*place as usize] += scale * *value;
    }
}
