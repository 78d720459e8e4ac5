//! Samples in the scalar type of the computation, shared by the objectives that use them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use autodiff::{Batch, Real, SparseColumns, Storage, Var, ranks};

use crate::data::{Features, Samples};
use crate::logistic_loss::{Loss, ScoreLoss};
use crate::pass::{Columns, Going};
use crate::softmax_loss::SoftmaxLoss;
use crate::store::Store;

/// Samples and labels as objectives use them; cloning shares the data.
///
/// Of samples that [ranks hold apart](crate::data::OwnRows) it is as of all of them, to the bit and on any
/// number of ranks, and has no losses of batches, which would need samples of others.
#[derive(Clone, Debug)]
pub struct Dataset<T: Real> {
    features: Store<T>,
    /// Of the samples that are held.
    pub(crate) labels: Labels<T>,
    n: usize,
    /// Which sample is the first that is held, where ranks hold them apart.
    apart: Option<usize>,
    /// Once a loss was recorded that sums by columns: see [`by_columns`](Going::by_columns).
    columns: Arc<OnceLock<Option<Columns<T>>>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Labels<T> {
    /// ±1.
    Binary(Arc<[T]>),
    /// 0, 1, …, below the number of classes.
    Classes { of: Arc<[usize]>, count: usize },
    /// Any numbers.
    Targets(Arc<[T]>),
}

impl<T> fmt::Display for Labels<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Labels::Binary(_) => "-1 and 1",
            Labels::Classes { .. } => "classes",
            Labels::Targets(_) => "targets",
        })
    }
}

impl<T: Real> Dataset<T> {
    /// A dataset with labels ±1, as [`Splits::into_binary`](crate::data::Splits::into_binary) makes
    /// them.
    ///
    /// # Panics
    /// If a label is neither −1 nor 1, or there is not one for each sample.
    #[track_caller]
    #[inline(never)]
    pub fn binary(samples: &Samples) -> Self {
        one_label_each(samples);
        for (i, t) in samples.labels.iter().enumerate() {
            assert!(t.abs() == 1.0, "label {i} is {t}: expected -1 or 1");
        }
        let labels = held(samples).iter().map(|t| T::of(*t)).collect();
        Self::new(samples, Labels::Binary(labels))
    }

    /// A dataset with labels 0, 1, …, `classes − 1`.
    ///
    /// # Panics
    /// If a label is none of these, there are no classes, or there is not one label for each sample.
    #[track_caller]
    #[inline(never)]
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
            of: held(samples).iter().map(|t| *t as usize).collect(),
            count: classes,
        };
        Self::new(samples, labels)
    }

    /// A dataset whose labels are the targets of a regression.
    ///
    /// # Panics
    /// If there is not one for each sample.
    #[track_caller]
    #[inline(never)]
    pub fn targets(samples: &Samples) -> Self {
        one_label_each(samples);
        let targets = held(samples).iter().map(|t| T::of(*t)).collect();
        Self::new(samples, Labels::Targets(targets))
    }

    fn new(samples: &Samples, labels: Labels<T>) -> Self {
        Dataset {
            features: Store::of(&samples.features),
            labels,
            n: samples.len(),
            apart: own_rows(samples).map(|rows| rows.start),
            columns: Arc::default(),
        }
    }

    /// The samples of this rank, as those of all n.
    pub(crate) fn apart(self, first: usize, n: usize) -> Self {
        let apart = (ranks::size() > 1).then_some(first);
        Dataset { n, apart, ..self }
    }

    /// The features of all samples.
    ///
    /// # Panics
    /// If each rank holds its own.
    #[track_caller]
    pub(crate) fn all_features(&self) -> &Store<T> {
        self.assert_all();
        &self.features
    }

    #[track_caller]
    fn assert_all(&self) {
        let (held, n) = (self.features.len(), self.n);
        assert!(
            self.apart.is_none(),
            "{held} samples of {n} that ranks hold apart: expected all of them"
        );
    }

    /// Number of features, d.
    pub fn dim(&self) -> usize {
        self.features.width()
    }

    /// Number of samples, n.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// How the features are kept: as narrow as every one of them is exact, which changes no bit of a
    /// result. `None` if they are sparse.
    pub fn storage(&self) -> Option<Storage> {
        match &self.features {
            Store::Dense(table) => Some(table.storage()),
            Store::Sparse(_) => None,
        }
    }

    /// Bytes that the features take that are held: of sparse ones also column by column, once a loss of
    /// all samples was recorded that reads them so.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.get().into_iter().flatten();
        let columns = columns.flat_map(|all| all.iter().map(SparseColumns::bytes));
        self.features.bytes() + columns.sum::<usize>()
    }

    /// The samples of a batch, in its order; all of them in their own order share the data.
    ///
    /// # Panics
    /// If there is no sample of an index, or each rank holds its own.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn select(&self, batch: &[usize]) -> Self {
        let len = self.len();
        if batch.iter().copied().eq(0..len) {
            return self.clone();
        }
        for i in batch {
            assert!(*i < len, "sample {i} of a dataset of {len}");
        }
        Dataset {
            features: self.all_features().select(batch),
            n: batch.len(),
            apart: None,
            columns: Arc::default(),
            labels: match &self.labels {
                Labels::Binary(t) => Labels::Binary(batch.iter().map(|i| t[*i]).collect()),
                Labels::Targets(t) => Labels::Targets(batch.iter().map(|i| t[*i]).collect()),
                Labels::Classes { of, count } => Labels::Classes {
                    of: batch.iter().map(|i| of[*i]).collect(),
                    count: *count,
                },
            },
        }
    }

    /// `mean_i ln(1 + exp(−t_i ⟨a_i, w⟩))` for weights `w` of d entries: a scalar. Without samples
    /// it is 0.
    ///
    /// # Panics
    /// If `w` does not have d entries, or the labels are classes.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn logistic_loss<'r>(&self, w: Var<'r, T>) -> Var<'r, T> {
        w.fused(ScoreLoss::new(Loss::Logistic, self, self.over_all()), &[])
    }

    /// [`logistic_loss`](Dataset::logistic_loss) of the samples in a batch.
    ///
    /// # Panics
    /// As [`logistic_loss`](Dataset::logistic_loss).
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn logistic_loss_of<'r>(&self, batch: Batch<'r, T>, w: Var<'r, T>) -> Var<'r, T> {
        let loss = ScoreLoss::new(Loss::Logistic, self, self.over(Some(batch)));
        w.fused(loss, batch.indices().as_slice())
    }

    /// `mean_i ½(⟨a_i, w⟩ − t_i)²` for weights `w` of d entries: a scalar. Without samples it is 0.
    ///
    /// # Panics
    /// If `w` does not have d entries, or the labels are no [`targets`](Dataset::targets).
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn squared_loss<'r>(&self, w: Var<'r, T>) -> Var<'r, T> {
        w.fused(ScoreLoss::new(Loss::Squared, self, self.over_all()), &[])
    }

    /// [`squared_loss`](Dataset::squared_loss) of the samples in a batch.
    ///
    /// # Panics
    /// As [`squared_loss`](Dataset::squared_loss).
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn squared_loss_of<'r>(&self, batch: Batch<'r, T>, w: Var<'r, T>) -> Var<'r, T> {
        let loss = ScoreLoss::new(Loss::Squared, self, self.over(Some(batch)));
        w.fused(loss, batch.indices().as_slice())
    }

    /// `mean_i −ln softmax(W a_i)_{t_i}`, the cross-entropy of a linear model: a scalar. `w` holds
    /// `classes · d` entries, the d of the first class first. Without samples it is 0.
    ///
    /// # Panics
    /// If `w` does not have `classes · d` entries, or the labels are ±1.
    #[must_use]
    #[track_caller]
    #[inline(never)]
    pub fn cross_entropy<'r>(&self, w: Var<'r, T>) -> Var<'r, T> {
        w.fused(SoftmaxLoss::new(self, self.over(None), false), &[])
    }

    /// [`cross_entropy`](Dataset::cross_entropy) of the samples in a batch.
    ///
    /// # Panics
    /// As [`cross_entropy`](Dataset::cross_entropy).
    #[must_use]
    #[track_caller]
    #[inline(never)]
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
    #[inline(never)]
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
    #[inline(never)]
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

    /// Scores of a sample.
    fn outputs(&self) -> usize {
        match &self.labels {
            Labels::Classes { count, .. } => *count,
            Labels::Binary(_) | Labels::Targets(_) => 1,
        }
    }

    /// What a loss goes over.
    #[track_caller]
    fn over(&self, batch: Option<Batch<'_, T>>) -> Going<T> {
        let indices = batch.and_then(Batch::indices);
        if let (Some(batch), None) = (batch, indices) {
            let (found, expected) = (self.len(), batch.len());
            assert!(
                found == expected,
                "a data set of {found} samples: the objective has {expected}"
            );
        }
        if indices.is_some() {
            self.assert_all();
        }
        Going {
            samples: self.features.clone(),
            n: indices.map_or(self.len(), |indices| indices.len()),
            picks: indices.is_some(),
            apart: self.apart,
            columns: None,
            back: Arc::default(),
        }
    }

    /// [`over`](Dataset::over) all samples with one class, by columns where that is faster.
    pub(crate) fn over_all(&self) -> Going<T> {
        let mut over = self.over(None);
        over.columns = self.columns.get_or_init(|| over.by_columns()).clone();
        over
    }

    /// The share of samples that weights `w` of a linear model classify rightly, in percent.
    ///
    /// # Panics
    /// If `w` does not fit the data, or the labels are targets.
    #[track_caller]
    #[inline(never)]
    pub fn accuracy(&self, w: &[T]) -> f64 {
        let (outputs, mut row) = (self.outputs(), Vec::new());
        let mut scores = vec![T::zero(); outputs];
        let mut right = 0;
        for i in 0..self.features.len() {
            self.features.scores(i, w, &mut row, &mut scores);
            right += usize::from(match &self.labels {
                Labels::Binary(t) => scores[0] * t[i] > T::zero(),
                Labels::Classes { of, .. } => {
                    let others = scores.iter().enumerate().filter(|(c, _)| *c != of[i]);
                    others.into_iter().all(|(_, score)| *score < scores[of[i]])
                }
                Labels::Targets(_) => panic!("accuracy: the labels are targets"),
            });
        }
        if self.apart.is_some() {
            let mut all = vec![0; ranks::size()];
            all[ranks::rank()] = right;
            ranks::gather(&vec![1; ranks::size()], &mut all);
            right = all.into_iter().sum();
        }
        100.0 * right as f64 / self.n as f64
    }
}

/// Which of the samples are held, where ranks hold them apart.
fn own_rows(samples: &Samples) -> Option<Range<usize>> {
    match &samples.features {
        Features::Own(own) => Some(own.held()),
        Features::Dense(_) | Features::Sparse(_) => None,
    }
}

/// The labels of those that are.
fn held(samples: &Samples) -> &[f64] {
    let rows = own_rows(samples).unwrap_or(0..samples.len());
    &samples.labels[rows]
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
