//! Samples of which each rank holds its share alone.

use std::ops::Range;

use autodiff::{Real, Var, ranks};

use crate::data::Samples;
use crate::dataset::Dataset;
use crate::pass::dense_share;

/// Dense samples of which each [rank](autodiff::ranks) holds its own, for data that exceed a machine's
/// memory. Losses are those of a [`Dataset`] of all samples, to the bit, whatever the number of ranks;
/// there are none of batches, which would need samples of others.
///
/// # Example
/// ```
/// use autodiff::{Objective, Var, objective};
/// use models::RankedDataset;
/// use models::data::Samples;
/// use nalgebra::DMatrix;
///
/// let n = 1000; // samples of 3 features, of which the rows of this rank are read
/// let rows = RankedDataset::<f64>::rows(n, 1);
/// assert_eq!(rows, 0..1000); // alone: all
/// let own = Samples {
///     features: DMatrix::from_fn(3, rows.len(), |j, i| ((rows.start + i) * 3 + j) as f64 * 0.01).into(),
///     labels: rows.map(|i| i as f64).collect(),
/// };
/// let data = RankedDataset::<f64>::targets(&own, n);
/// let g = objective(move |_: Var, y: Var| data.squared_loss(y)).record(1, 3);
/// assert!(g.point().value(&[&[0.0], &[1.0, 2.0, 3.0]]) > 0.0);
/// ```
#[derive(Clone, Debug)]
pub struct RankedDataset<T: Real>(Dataset<T>);

impl<T: Real> RankedDataset<T> {
    /// Which of n samples this rank holds, for a loss of so many classes: 1 of labels ±1 and of targets.
    pub fn rows(n: usize, classes: usize) -> Range<usize> {
        dense_share(n, classes)
    }

    /// Labels ±1 of n samples, of which `own` has this rank's [`rows`](RankedDataset::rows).
    ///
    /// # Panics
    /// As [`Dataset::binary`], and if these are not as many rows, or sparse.
    #[track_caller]
    pub fn binary(own: &Samples, n: usize) -> Self {
        Self::new(Dataset::binary(own), n, 1)
    }

    /// Targets of n samples, as [`binary`](RankedDataset::binary).
    ///
    /// # Panics
    /// As [`Dataset::targets`], and if these are not as many rows, or sparse.
    #[track_caller]
    pub fn targets(own: &Samples, n: usize) -> Self {
        Self::new(Dataset::targets(own), n, 1)
    }

    /// Labels of classes of n samples, as [`binary`](RankedDataset::binary).
    ///
    /// # Panics
    /// As [`Dataset::classes`], and if these are not as many rows, or sparse.
    #[track_caller]
    pub fn classes(own: &Samples, classes: usize, n: usize) -> Self {
        Self::new(Dataset::classes(own, classes), n, classes)
    }

    #[track_caller]
    fn new(own: Dataset<T>, n: usize, classes: usize) -> Self {
        let rows = Self::rows(n, classes);
        assert!(
            own.len() == rows.len(),
            "{} samples of rank {}: expected the {} of {n} in {rows:?}",
            own.len(),
            ranks::rank(),
            rows.len()
        );
        assert!(
            own.storage().is_some(),
            "sparse samples: expected dense ones, as ranks share them by their number"
        );
        RankedDataset(own.apart(rows.start, n))
    }

    /// The number of samples of all ranks, n.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no rank has samples.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that this rank's features take.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// [`Dataset::logistic_loss`] of all samples.
    ///
    /// # Panics
    /// As that.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn logistic_loss<'r>(&self, w: Var<'r, T>) -> Var<'r, T> {
        self.0.logistic_loss(w)
    }

    /// [`Dataset::squared_loss`] of all samples.
    ///
    /// # Panics
    /// As that.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn squared_loss<'r>(&self, w: Var<'r, T>) -> Var<'r, T> {
        self.0.squared_loss(w)
    }

    /// [`Dataset::cross_entropy`] of all samples.
    ///
    /// # Panics
    /// As that.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn cross_entropy<'r>(&self, w: Var<'r, T>) -> Var<'r, T> {
        self.0.cross_entropy(w)
    }

    /// [`Dataset::weighted_cross_entropy`] of all samples, with a weight for each: n on every rank.
    ///
    /// # Panics
    /// As that.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn weighted_cross_entropy<'r>(&self, w: Var<'r, T>, weights: Var<'r, T>) -> Var<'r, T> {
        self.0.weighted_cross_entropy(w, weights)
    }
}
