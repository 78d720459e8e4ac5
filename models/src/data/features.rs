//! Features of samples, with their zeros or without.

use autodiff::Sparse;
use nalgebra::{DMatrix, DVector};

use super::OwnRows;

/// A table of fewer entries than one in this many is kept sparse, where a format leaves out zeros and
/// the task can do with it: below, a product over the entries is the quicker one.
pub const SPARSE_FROM: usize = 10;

/// Features of samples.
#[derive(Debug, Clone, PartialEq)]
pub enum Features {
    /// `d × n`: one sample per column, so that each sample is contiguous.
    Dense(DMatrix<f64>),
    /// `n × d`: one sample per row, without its zeros.
    Sparse(Sparse<f64>),
    /// `d × n` of which each rank holds its own columns, for fused losses over all samples.
    Own(OwnRows),
}

impl From<DMatrix<f64>> for Features {
    fn from(dense: DMatrix<f64>) -> Self {
        Features::Dense(dense)
    }
}

impl From<OwnRows> for Features {
    fn from(own: OwnRows) -> Self {
        Features::Own(own)
    }
}

impl From<Sparse<f64>> for Features {
    fn from(sparse: Sparse<f64>) -> Self {
        Features::Sparse(sparse)
    }
}

/// Whether so few of the entries are written that they are kept sparse.
pub(super) fn is_sparse(written: usize, rows: usize, columns: usize) -> bool {
    written.saturating_mul(SPARSE_FROM) < rows.saturating_mul(columns)
}

impl Features {
    /// The number of features `d`.
    pub fn dim(&self) -> usize {
        match self {
            Features::Dense(dense) => dense.nrows(),
            Features::Sparse(sparse) => sparse.columns(),
            Features::Own(own) => own.dense().nrows(),
        }
    }

    /// The number of samples `n`.
    pub fn len(&self) -> usize {
        match self {
            Features::Dense(dense) => dense.ncols(),
            Features::Sparse(sparse) => sparse.rows(),
            Features::Own(own) => own.len(),
        }
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table `d × n`, one sample per column, of features that are not sparse.
    ///
    /// # Panics
    /// If they are: a task that needs the table reads it with
    /// [`Reading::dense`](super::Reading::dense), or makes it by [`to_dense`](Features::to_dense). If each
    /// rank holds its own samples.
    #[track_caller]
    pub fn dense(&self) -> &DMatrix<f64> {
        match self {
            Features::Dense(dense) => dense,
            Features::Sparse(sparse) => {
                panic!("features are {sparse:?}: expected a dense table, as `Reading::dense` reads")
            }
            Features::Own(own) => own.not_all(),
        }
    }

    /// The table `d × n` with all zeros, one sample per column.
    ///
    /// # Panics
    /// If each rank holds its own samples.
    #[track_caller]
    pub fn to_dense(&self) -> DMatrix<f64> {
        match self {
            Features::Dense(dense) => dense.clone(),
            Features::Sparse(sparse) => sparse.to_dense().transpose(),
            Features::Own(own) => own.not_all(),
        }
    }

    /// The samples at these indices, in this order, possibly repeated.
    ///
    /// # Panics
    /// If there is no sample of an index, or each rank holds its own.
    #[must_use]
    #[track_caller]
    pub fn select(&self, indices: &[usize]) -> Self {
        match self {
            Features::Dense(dense) => dense.select_columns(indices).into(),
            Features::Sparse(sparse) => sparse.select(indices).into(),
            Features::Own(own) => own.not_all(),
        }
    }

    /// The sum of the samples, each times its weight: an entry for each feature.
    #[track_caller]
    pub(crate) fn weighted(&self, weights: &[f64]) -> DVector<f64> {
        match self {
            Features::Dense(dense) => dense * DVector::from_column_slice(weights),
            Features::Sparse(sparse) => {
                let mut sum = DVector::zeros(sparse.columns());
                for (i, weight) in weights.iter().enumerate() {
                    let (places, values) = sparse.row(i);
                    for (j, v) in places.iter().zip(values) {
                        sum[*j as usize] += weight * v;
                    }
                }
                sum
            }
            Features::Own(own) => own.not_all(),
        }
    }

    /// The squared norm of each sample that is held.
    pub(crate) fn squares(&self) -> Vec<f64> {
        let of = |dense: &DMatrix<f64>| dense.column_iter().map(|a| a.norm_squared()).collect();
        match self {
            Features::Dense(dense) => of(dense),
            Features::Own(own) => of(own.dense()),
            Features::Sparse(sparse) => {
                let square = |i| sparse.row(i).1.iter().map(|v| v * v).sum();
                (0..sparse.rows()).map(square).collect()
            }
        }
    }
}
