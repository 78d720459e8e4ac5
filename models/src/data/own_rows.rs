//! Dense features of which each rank holds those of its own samples alone.

use std::ops::Range;

use autodiff::ranks;
use nalgebra::DMatrix;

use super::{Features, Samples};
use crate::pass::dense_share;

/// Features of n samples, of which this [rank](autodiff::ranks) holds those that it goes over in a pass of
/// a fused loss. [`Reading::own_rows`](super::Reading::own_rows) reads them; labels are those of all n.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnRows {
    dense: DMatrix<f64>,
    first: usize,
    n: usize,
}

impl OwnRows {
    /// The features, a sample in each column, of this rank's [`range`](OwnRows::range) of n samples.
    ///
    /// # Panics
    /// If they are not as many.
    #[track_caller]
    pub fn new(dense: DMatrix<f64>, n: usize, classes: usize) -> Self {
        let range = Self::range(n, classes);
        let (found, expected) = (dense.ncols(), range.len());
        assert!(
            found == expected,
            "{found} samples of rank {}: expected the {expected} of {n} in {range:?}",
            ranks::rank()
        );
        let first = range.start;
        OwnRows { dense, first, n }
    }

    /// Which of n samples this rank holds, for losses of so many classes: 1 of labels ±1 and of targets.
    pub fn range(n: usize, classes: usize) -> Range<usize> {
        dense_share(n, classes)
    }

    /// Which of the n samples these are.
    pub fn held(&self) -> Range<usize> {
        self.first..self.first + self.dense.ncols()
    }

    /// Those of these samples, `d` features of each in a column.
    pub fn dense(&self) -> &DMatrix<f64> {
        &self.dense
    }

    pub(super) fn dense_mut(&mut self) -> &mut DMatrix<f64> {
        &mut self.dense
    }

    /// The same samples with other features.
    pub(crate) fn map(&self, f: impl FnOnce(&DMatrix<f64>) -> DMatrix<f64>) -> Self {
        let dense = f(&self.dense);
        assert_eq!(dense.ncols(), self.dense.ncols(), "as many samples");
        OwnRows { dense, ..*self }
    }

    /// The end of what needs the samples of all ranks.
    #[track_caller]
    pub(crate) fn not_all(&self) -> ! {
        let (held, n) = (self.held(), self.n);
        panic!(
            "this rank holds the samples {held:?} of {n}: expected all, without `Reading::own_rows`"
        )
    }

    /// The number of samples of all ranks, n.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether no rank has samples.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }
}

impl Samples {
    /// Leaves the features of other ranks' samples out, if these are dense and there are several ranks.
    pub(super) fn keep_own(&mut self, classes: usize) {
        let Features::Dense(dense) = &self.features else {
            return;
        };
        if ranks::size() > 1 {
            let n = dense.ncols();
            let range = OwnRows::range(n, classes);
            let own = dense.columns_range(range).into_owned();
            self.features = Features::Own(OwnRows::new(own, n, classes));
        }
    }
}
