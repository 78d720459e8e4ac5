//! Samples as the rows of a constant matrix, with their zeros or without.

use autodiff::{Real, Sparse, Var};
use nalgebra::{DMatrix, DVector};

use crate::data::Features;

/// `n × d`: a row for each sample.
#[derive(Clone, Debug)]
pub(crate) enum Design<T> {
    Dense(DMatrix<T>),
    Sparse(Sparse<T>),
}

impl Design<f64> {
    #[track_caller]
    pub(crate) fn of(features: Features) -> Self {
        match features {
            Features::Dense(dense) => Design::Dense(dense.transpose()),
            Features::Sparse(sparse) => Design::Sparse(sparse),
            Features::Own(own) => own.not_all(),
        }
    }

    pub(crate) fn columns(&self) -> usize {
        match self {
            Design::Dense(dense) => dense.ncols(),
            Design::Sparse(sparse) => sparse.columns(),
        }
    }

    /// The sum of the squares of all entries.
    pub(crate) fn norm_squared(&self) -> f64 {
        match self {
            Design::Dense(dense) => dense.norm_squared(),
            Design::Sparse(sparse) => sparse.values().iter().map(|v| v * v).sum(),
        }
    }

    /// The same in another scalar type.
    pub(crate) fn cast<T: Real>(&self) -> Design<T> {
        match self {
            Design::Dense(dense) => Design::Dense(dense.map(T::of)),
            Design::Sparse(sparse) => Design::Sparse(sparse.map(T::of)),
        }
    }

    /// The product with a vector of numbers.
    pub(crate) fn product(&self, y: &DVector<f64>) -> DVector<f64> {
        match self {
            Design::Dense(dense) => dense * y,
            Design::Sparse(sparse) => {
                let row = |i, _| sparse.row_dot(i, y.as_slice());
                DVector::from_fn(sparse.rows(), row)
            }
        }
    }
}

impl<T: Real> Design<T> {
    /// The product with a value.
    #[track_caller]
    pub(crate) fn times<'r>(&self, y: Var<'r, T>) -> Var<'r, T> {
        match self {
            Design::Dense(dense) => dense * y,
            Design::Sparse(sparse) => sparse * y,
        }
    }
}
