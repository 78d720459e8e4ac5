//! Multinomial logistic regression with a penalty for each feature.

use std::f64::consts::SQRT_2;

use autodiff::{Batch, Objective, Real, Var, batched, objective};
use nalgebra::DVector;

use crate::catalogue::{Data, Defaults, Entry, make};
use crate::curvatures::Curvatures;
use crate::data::{self, DataError, Labels, Splits};
use crate::dataset::Dataset;
use crate::task::{Metric, Task};

/// Problem `softmax`: lower = mean cross-entropy on the training samples + ½ Σ_j e^{x_j} Σ_c y_{cj}²,
/// upper = mean cross-entropy on the validation samples. x has one entry for each feature, which all
/// classes share; y is the `classes × features` matrix of a linear softmax model, row after row,
/// without a bias. The metrics are the accuracy in percent and the mean cross-entropy on the test
/// samples, if there are any.
///
/// Its constants are those of [`logistic`](crate::logistic) with ‖mean aaᵀ‖/2 for
/// ‖mean aaᵀ‖/4 and 2√2/(6√3) for 1/(6√3), and ‖∇²_xy g‖ = max e^{x_j}‖y_{·j}‖.
///
/// # Errors
/// If a label is no whole number.
///
/// # Panics
/// If there are no training or validation samples, or no features.
#[track_caller]
#[inline(never)]
pub fn softmax<T: Real>(splits: Splits) -> Result<Task<T>, DataError> {
    let (splits, classes) = splits.into_classes()?;
    let train = Dataset::<T>::classes(&splits.train, classes);
    let valid = Dataset::<T>::classes(&splits.valid, classes);
    let (d, dim_y) = (train.dim(), classes * train.dim());
    let half = T::of(0.5);
    let constants = Curvatures::of(&splits, SQRT_2);
    let lower = batched(train.len(), move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        let squares = y.reshape(d, classes).square().sum_cols();
        train.cross_entropy_of(batch, y) + x.exp().dot(squares) * half
    });
    let upper = batched(valid.len(), move |_: Var<T>, y: Var<T>, batch: Batch<T>| {
        valid.cross_entropy_of(batch, y)
    });
    let x = DVector::from_element(d, T::of(-3.0));
    let task = Task::sampled("softmax", upper, lower, x, DVector::zeros(dim_y));
    let mut metrics = Vec::new();
    if let Some(test) = &splits.test {
        let test = Dataset::<T>::classes(test, classes);
        let of_loss = test.clone();
        let loss = objective(move |_: Var<'_, T>, y: Var<'_, T>| of_loss.cross_entropy(y));
        metrics.push(Metric::percent("test_accuracy", move |_, y| {
            test.accuracy(y.as_slice())
        }));
        metrics.push(Metric::value(
            "test_loss",
            Objective::record(&loss, d, dim_y),
        ));
    }
    Ok(Task {
        metrics,
        ..task.with_constants(move |x, y| constants.at(x, y))
    })
}

/// The entry of [`softmax`].
pub static SOFTMAX: Entry = Entry::new(
    "softmax",
    "multinomial logistic regression, one penalty per feature; digits",
    [
        "ln of the penalty of each feature",
        "weights of the linear model, class by class",
    ],
    make!(|given| softmax(given.splits(data::digits_classes))),
)
.takes(Data::Table(Labels::Classes))
.with_sparse()
.by_rows()
.defaults(Defaults::adam(0.2, 0.005));
