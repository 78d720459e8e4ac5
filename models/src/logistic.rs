//! Logistic regression with a penalty for each feature.

use autodiff::{Batch, Real, Var, batched};
use nalgebra::DVector;

use crate::catalogue::{Data, Defaults, Entry, make};
use crate::curvatures::Curvatures;
use crate::data::{self, DataError, Labels, Splits};
use crate::dataset::Dataset;
use crate::task::{Metric, Task};

/// Problem `logistic`: lower = mean log-loss on the training samples + ½ Σ e^{x_j} y_j², upper =
/// mean log-loss on the validation samples. x and y have one entry for each feature; there is no
/// bias. The metric is the accuracy in percent on the test samples, if there are any.
///
/// Its constants, with samples a_i and the logistic function σ: μ = min eˣ,
/// L_g = ‖mean aaᵀ‖/4 + max eˣ, L_H = ‖mean ‖a‖aaᵀ‖ / (6√3) as |σ″| ≤ 1/(6√3), L_J = max eˣ,
/// ‖∇²_xy g‖ = max e^{x_j}|y_j|, and L_F as L_g without the penalty, on the validation samples.
///
/// # Errors
/// If a label is no whole number, or there are more than two.
///
/// # Panics
/// If there are no training or validation samples, or no features.
#[track_caller]
#[inline(never)]
pub fn logistic<T: Real>(splits: Splits) -> Result<Task<T>, DataError> {
    let splits = splits.into_binary()?;
    let train = Dataset::<T>::binary(&splits.train);
    let valid = Dataset::<T>::binary(&splits.valid);
    let d = train.dim();
    let half = T::of(0.5);
    let constants = Curvatures::of(&splits, 1.0);
    let (n_train, n_valid) = (train.len(), valid.len());
    let lower = batched(n_train, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        train.logistic_loss_of(batch, y) + x.exp().dot(y.square()) * half
    });
    let upper = batched(n_valid, move |_: Var<T>, y: Var<T>, batch: Batch<T>| {
        valid.logistic_loss_of(batch, y)
    });
    let x = DVector::from_element(d, T::of(-3.0));
    let task = Task::sampled("logistic", upper, lower, x, DVector::zeros(d));
    let metrics = splits.test.map(|test| {
        let test = Dataset::<T>::binary(&test);
        Metric::percent("test_accuracy", move |_, y| test.accuracy(y.as_slice()))
    });
    Ok(Task {
        metrics: metrics.into_iter().collect(),
        ..task.with_constants(move |x, y| constants.at(x, y))
    })
}

/// The entry of [`logistic`].
pub static LOGISTIC: Entry = Entry::new(
    "logistic",
    "logistic regression, one penalty per feature; digits odd/even",
    [
        "ln of the penalty of each feature",
        "weights of the features",
    ],
    make!(|given| logistic(given.splits(data::digits_parity))),
)
.takes(Data::Table(Labels::Signs))
.with_sparse()
.by_rows()
.defaults(Defaults::adam(0.2, 0.005).inner_step(0.1));
