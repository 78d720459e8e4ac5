//! Logistic regression with an ℓ₁ norm.

use autodiff::{Batch, Real, Var, batched};
use nalgebra::DVector;
use solvers::Part;

use super::orthonormal::not_zero;
use crate::catalogue::{Data, Defaults, Entry, make};
use crate::data::{self, DataError, Labels, Splits};
use crate::dataset::Dataset;
use crate::task::{Metric, Task};

/// Problem `sparse-logistic`: lower = mean log-loss on the training samples + eˣ‖y‖₁, upper = mean
/// log-loss on the validation samples. y has one entry for each feature; there is no bias. x starts at
/// a tenth of the weight at which y is 0. The metrics are the number of entries of y that are not 0,
/// and the accuracy in percent on the test samples, if there are any.
///
/// # Errors
/// If a label is no whole number, or there are more than two.
///
/// # Panics
/// If there are no training or validation samples, or no features.
#[track_caller]
#[inline(never)]
pub fn sparse_logistic<T: Real>(splits: Splits) -> Result<Task<T>, DataError> {
    let splits = splits.into_binary()?;
    let labels = &splits.train.labels;
    // The gradient at y = 0.
    let largest = splits.train.features.weighted(labels).amax() * 0.5 / labels.len() as f64;
    let train = Dataset::<T>::binary(&splits.train);
    let valid = Dataset::<T>::binary(&splits.valid);
    let d = train.dim();
    let lower = batched(train.len(), move |_: Var<T>, y: Var<T>, batch: Batch<T>| {
        train.logistic_loss_of(batch, y)
    });
    let upper = batched(valid.len(), move |_: Var<T>, y: Var<T>, batch: Batch<T>| {
        valid.logistic_loss_of(batch, y)
    });
    let start = (0.1 * largest).max(f64::MIN_POSITIVE).ln();
    let x = DVector::from_element(1, T::of(start));
    let task = Task::sampled("sparse-logistic", upper, lower, x, DVector::zeros(d))
        .with_part(Part::l1(|x: Var<'_, T>| x.exp()));
    let mut metrics = vec![not_zero()];
    metrics.extend(splits.test.map(|test| {
        let test = Dataset::<T>::binary(&test);
        Metric::percent("test_accuracy", move |_, y| test.accuracy(y.as_slice()))
    }));
    Ok(Task { metrics, ..task })
}

/// The entry of [`sparse_logistic`].
pub static SPARSE_LOGISTIC: Entry = Entry::new(
    "sparse-logistic",
    "logistic regression, the weight of its l1 norm; digits odd/even",
    ["ln of the weight of the l1 norm", "weights of the features"],
    make!(|given| sparse_logistic(given.splits(data::digits_parity))),
)
.takes(Data::Table(Labels::Signs))
.with_sparse()
.defaults(Defaults::adam(0.1, 0.005));
