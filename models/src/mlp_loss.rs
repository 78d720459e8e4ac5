//! Cross-entropy and accuracy of a network on a dataset.

use autodiff::{Batch, Real, Table, Var};

use crate::dataset::Labels;
use crate::{Dataset, Mlp};

impl<T: Real> Dataset<T> {
    /// The cross-entropy of each sample under a network with parameters `y`: n entries. The samples
    /// become constants of the recording.
    ///
    /// # Panics
    /// If `y` or the data do not fit the network, or the labels are ±1.
    #[must_use]
    #[track_caller]
    pub fn mlp_losses<'r>(&self, net: &Mlp, y: Var<'r, T>) -> Var<'r, T> {
        let scores = net.scores(y, y.matrix(&self.all_features().columns()));
        let classes = scores.shape().rows;
        let labels = self.class_labels().iter().enumerate();
        let places: Vec<usize> = labels.map(|(i, c)| i * classes + c).collect();
        let all = scores.log_softmax().reshape(classes * self.len(), 1);
        -all.gather(&places)
    }

    /// [`mlp_losses`](Dataset::mlp_losses) of the samples in a batch.
    ///
    /// # Panics
    /// As [`mlp_losses`](Dataset::mlp_losses).
    #[must_use]
    #[track_caller]
    pub fn mlp_losses_of<'r>(&self, batch: Batch<'r, T>, net: &Mlp, y: Var<'r, T>) -> Var<'r, T> {
        if batch.indices().is_none() {
            return self.mlp_losses(net, y);
        }
        let scores = net.scores(y, batch.columns(self.all_features().table()));
        let (classes, n) = (scores.shape().rows, batch.len());
        let labels = self.class_labels().iter().map(|c| T::of(*c as f64));
        let labels = Table::of_entries(&Vec::from_iter(labels));
        let firsts = Vec::from_iter((0..n).map(|k| T::of((k * classes) as f64)));
        let places = batch.rows(&labels) + y.vector(&firsts);
        -scores.log_softmax().reshape(classes * n, 1).pick(places)
    }

    /// The share of samples that a network with parameters `y` classifies rightly, in percent.
    ///
    /// # Panics
    /// As [`mlp_losses`](Dataset::mlp_losses).
    #[track_caller]
    pub fn mlp_accuracy(&self, net: &Mlp, y: &[T]) -> f64 {
        let scores = net.evaluate(y, &self.all_features().columns());
        let labels = self.class_labels();
        let right = labels.iter().enumerate().filter(|(i, label)| {
            let of = scores.column(*i);
            (0..of.len()).all(|c| c == **label || of[c] < of[**label])
        });
        100.0 * right.count() as f64 / self.len() as f64
    }

    #[track_caller]
    fn class_labels(&self) -> &[usize] {
        match &self.labels {
            Labels::Classes { of, .. } => of,
            Labels::Binary(_) | Labels::Targets(_) => panic!("labels are ±1: expected classes"),
        }
    }
}
