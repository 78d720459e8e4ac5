//! The features of a data set as a computation keeps them.

use autodiff::{Real, Sparse, Table};
use nalgebra::DMatrix;

use crate::data::Features;

/// Samples with their zeros, or without.
#[derive(Clone, Debug)]
pub(crate) enum Store<T: Real> {
    Dense(Table<T>),
    Sparse(Sparse<T>),
}

impl<T: Real> Store<T> {
    /// What is held of some features.
    pub(crate) fn of(features: &Features) -> Self {
        let table = |dense: &DMatrix<f64>| {
            let all = dense.as_slice();
            let table = Table::from_fn(dense.ncols(), dense.nrows(), |k| T::of(all[k]));
            Store::Dense(table)
        };
        match features {
            Features::Dense(dense) => table(dense),
            Features::Own(own) => table(own.dense()),
            Features::Sparse(sparse) => Store::Sparse(sparse.map(T::of)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Store::Dense(table) => table.len(),
            Store::Sparse(sparse) => sparse.rows(),
        }
    }

    pub(crate) fn width(&self) -> usize {
        match self {
            Store::Dense(table) => table.width(),
            Store::Sparse(sparse) => sparse.columns(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Store::Dense(table) => table.bytes(),
            Store::Sparse(sparse) => sparse.bytes(),
        }
    }

    pub(crate) fn select(&self, samples: &[usize]) -> Self {
        match self {
            Store::Dense(table) => Store::Dense(table.select(samples)),
            Store::Sparse(sparse) => Store::Sparse(sparse.select(samples)),
        }
    }

    /// The table of samples that a network takes.
    ///
    /// # Panics
    /// If they are sparse.
    #[track_caller]
    pub(crate) fn table(&self) -> &Table<T> {
        match self {
            Store::Dense(table) => table,
            Store::Sparse(sparse) => {
                panic!(
                    "samples are {sparse:?}: a network takes them dense, as `Reading::dense` reads"
                )
            }
        }
    }

    /// A sample in each column.
    #[track_caller]
    pub(crate) fn columns(&self) -> DMatrix<T> {
        self.table().columns()
    }

    /// The scores of sample `i` with weights of some classes, into `scores`.
    pub(crate) fn scores(&self, i: usize, w: &[T], row: &mut Vec<T>, scores: &mut [T]) {
        let d = self.width();
        match self {
            Store::Dense(table) => {
                row.resize(d, T::zero());
                table.read(i, row);
                for (c, score) in scores.iter_mut().enumerate() {
                    *score = autodiff::kernels::dot(row, &w[c * d..(c + 1) * d]);
                }
            }
            Store::Sparse(sparse) => {
                for (c, score) in scores.iter_mut().enumerate() {
                    *score = sparse.row_dot(i, &w[c * d..(c + 1) * d]);
                }
            }
        }
    }
}
