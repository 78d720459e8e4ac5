//! Samples in the scalar type of the computation, shared by the objectives that use them.

use std::sync::Arc;

use autodiff::{Batch, Real, Var};

use crate::data::Samples;
use crate::logistic_loss::LogisticLoss;
use crate::pass::Going;
use crate::softmax_loss::SoftmaxLoss;

/// Samples and labels as objectives use them; cloning shares the data.
#[derive(Clone, Debug)]
pub struct Dataset<T: Real> {
    /// `d × n`, one sample per column.
    pub(crate) features: Arc<[T]>,
    pub(crate) labels: Labels<T>,
    pub(crate) dim: usize,
    pub(crate) len: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Labels<T> {
    /// ±1.
    Binary(Arc<[T]>),
    /// 0, 1, …, below the number of classes.
    Classes { of: Arc<[usize]>, count: usize },
}

impl<T: Real> Dataset<T> {
    /// A dataset with labels ±1, as [`Splits::into_binary`](crate::data::Splits::into_binary) makes
    /// them.
    ///
    /// # Panics
    /// If a label is neither −1 nor 1, or there is not one for each sample.
    #[track_caller]
    pub fn binary(samples: &Samples) -> Self {
        one_label_each(samples);
        for (i, t) in samples.labels.iter().enumerate() {
            assert!(t.abs() == 1.0, "label {i} is {t}: expected -1 or 1");
        }
        Self::new(samples, Labels::Binary(cast(&samples.labels)))
    }

    /// A dataset with labels 0, 1, …, `classes − 1`.
    ///
    /// # Panics
    /// If a label is none of these, there are no classes, or there is not one label for each sample.
    #[track_caller]
    pub fn classes(samples: &Samples, classes: usize) -> Self {
        one_label_each(samples);
        assert!(classes > 0, "0 classes: expected at least 1");
        for (i, t) in samples.labels.iter().enumerate() {
            let fits = t.fract() == 0.0 && *t >= 0.0 && *t < classes as f64;
            assert!(
                fits,
                "label {i} is {t}: expected an integer from 0 to {}",
                classes - 1
            );
        }
        let labels = Labels::Classes {
            of: samples.labels.iter().map(|t| *t as usize).collect(),
            count: classes,
        };
        Self::new(samples, labels)
    }

    fn new(samples: &Samples, labels: Labels<T>) -> Self {
        Dataset {
            features: cast(samples.features.dense().as_slice()),
            labels,
            dim: samples.dim(),
            len: samples.len(),
        }
    }

    /// Number of features, d.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of samples, n.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The samples of a batch, in its order; all of them in their own order share the data.
    ///
    /// # Panics
    /// If there is no sample of an index.
    #[must_use]
    #[track_caller]
    pub fn select(&self, batch: &[usize]) -> Self {
        if batch.iter().copied().eq(0..self.len) {
            return self.clone();
        }
        let (dim, len) = (self.dim, self.len);
        for i in batch {
            assert!(*i < len, "sample {i} of a dataset of {len}");
        }
        let features = batch
            .iter()
            .flat_map(|i| &self.features[i * dim..(i + 1) * dim]);
        Dataset {
            features: features.copied().collect(),
            labels: match &self.labels {
                Labels::Binary(t) => Labels::Binary(batch.iter().map(|i| t[*i]).collect()),
                Labels::Classes { of, count } => Labels::Classes {
                    of: batch.iter().map(|i| of[*i]).collect(),
                    count: *count,
                },
            },
            dim,
            len: batch.len(),
        }
    }

    /// `mean_i ln(1 + exp(−t_i ⟨a_i, w⟩))` for weights `w` of d entries: a scalar. Without samples
    /// it is 0.
    ///
    /// # Panics
    /// If `w` does not have d entries, or the labels are classes.
    #[must_use]
    #[track_caller]
    pub fn logistic_loss<'r>(&self, w: Var<'r, T>) -> Var<'r, T> {
        w.fused(LogisticLoss::new(self, self.over(None)), &[])
    }

    /// [`logistic_loss`](Dataset::logistic_loss) of the samples in a batch.
    ///
    /// # Panics
    /// As [`logistic_loss`](Dataset::logistic_loss).
    #[must_use]
    #[track_caller]
    pub fn logistic_loss_of<'r>(&self, batch: Batch<'r, T>, w: Var<'r, T>) -> Var<'r, T> {
        let loss = LogisticLoss::new(self, self.over(Some(batch)));
        w.fused(loss, batch.indices().as_slice())
    }

    /// `mean_i −ln softmax(W a_i)_{t_i}`, the cross-entropy of a linear model: a scalar. `w` holds
    /// `classes · d` entries, the d of the first class first. Without samples it is 0.
    ///
    /// # Panics
    /// If `w` does not have `classes · d` entries, or the labels are ±1.
    #[must_use]
    #[track_caller]
    pub fn cross_entropy<'r>(&self, w: Var<'r, T>) -> Var<'r, T> {
        w.fused(SoftmaxLoss::new(self, self.over(None), false), &[])
    }

    /// [`cross_entropy`](Dataset::cross_entropy) of the samples in a batch.
    ///
    /// # Panics
    /// As [`cross_entropy`](Dataset::cross_entropy).
    #[must_use]
    #[track_caller]
    pub fn cross_entropy_of<'r>(&self, batch: Batch<'r, T>, w: Var<'r, T>) -> Var<'r, T> {
        let loss = SoftmaxLoss::new(self, self.over(Some(batch)), false);
        w.fused(loss, batch.indices().as_slice())
    }

    /// `(1/n) Σ_i s_i CE_i`: the cross-entropy with a weight for each sample.
    ///
    /// # Panics
    /// As [`cross_entropy`](Dataset::cross_entropy), and if there are not n weights.
    #[must_use]
    #[track_caller]
    pub fn weighted_cross_entropy<'r>(&self, w: Var<'r, T>, weights: Var<'r, T>) -> Var<'r, T> {
        w.fused(SoftmaxLoss::new(self, self.over(None), true), &[weights])
    }

    /// [`weighted_cross_entropy`](Dataset::weighted_cross_entropy) of the samples in a batch, with a
    /// weight for each of these.
    ///
    /// # Panics
    /// As [`weighted_cross_entropy`](Dataset::weighted_cross_entropy).
    #[must_use]
    #[track_caller]
    pub fn weighted_cross_entropy_of<'r>(
        &self,
        batch: Batch<'r, T>,
        w: Var<'r, T>,
        weights: Var<'r, T>,
    ) -> Var<'r, T> {
        let loss = SoftmaxLoss::new(self, self.over(Some(batch)), true);
        match batch.indices() {
            Some(indices) => w.fused(loss, &[weights, indices]),
            None => w.fused(loss, &[weights]),
        }
    }

    /// What a loss goes over.
    #[track_caller]
    fn over(&self, batch: Option<Batch<'_, T>>) -> Going<T> {
        let indices = batch.and_then(Batch::indices);
        if let (Some(batch), None) = (batch, indices) {
            let (found, expected) = (self.len, batch.len());
            assert!(
                found == expected,
                "a data set of {found} samples: the objective has {expected}"
            );
        }
        Going {
            features: self.features.clone(),
            d: self.dim,
            n: indices.map_or(self.len, |indices| indices.len()),
            picks: indices.is_some(),
        }
    }

    /// The share of samples that weights `w` of a linear model classify rightly, in percent.
    ///
    /// # Panics
    /// If `w` does not fit the data.
    pub fn accuracy(&self, w: &[T]) -> f64 {
        let score = |i: usize, c: usize| {
            let row = &self.features[i * self.dim..(i + 1) * self.dim];
            autodiff::kernels::dot(row, &w[c * self.dim..(c + 1) * self.dim])
        };
        let right = match &self.labels {
            Labels::Binary(t) => (0..self.len)
                .filter(|i| score(*i, 0) * t[*i] > T::zero())
                .count(),
            Labels::Classes { of, count } => (0..self.len)
                .filter(|i| {
                    let mine = score(*i, of[*i]);
                    (0..*count).all(|c| c == of[*i] || score(*i, c) < mine)
                })
                .count(),
        };
        100.0 * right as f64 / self.len as f64
    }
}

/// Panics unless there are as many labels as samples.
#[track_caller]
fn one_label_each(samples: &Samples) {
    let (columns, labels) = (samples.features.len(), samples.labels.len());
    assert!(
        columns == labels,
        "features of {} × {columns} and {labels} labels: expected a label for each of the \
         {columns} samples",
        samples.dim()
    );
}

fn cast<T: Real>(data: &[f64]) -> Arc<[T]> {
    data.iter().map(|v| T::of(*v)).collect()
}
