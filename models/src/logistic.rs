//! Logistic regression with a penalty for each feature.

use std::sync::Arc;

use autodiff::{Objective, Real, Var, objective};
use nalgebra::DVector;

use crate::data::{DataError, Splits};
use crate::{Dataset, Metric, Task};

/// Problem `logistic`: lower = mean log-loss on the training samples + ½ Σ e^{x_j} y_j², upper =
/// mean log-loss on the validation samples. x and y have one entry for each feature; there is no
/// bias. The metric is the accuracy in percent on the test samples, if there are any.
///
/// # Errors
/// If a label is not one of ±1, or 0/1 throughout.
pub fn logistic<T: Real>(splits: Splits) -> Result<Task<T>, DataError> {
    let splits = splits.into_binary()?;
    let train = Dataset::<T>::binary(&splits.train);
    let valid = Dataset::<T>::binary(&splits.valid);
    let d = train.dim();
    let half = T::of(0.5);
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        train.logistic_loss(y) + x.exp().dot(y.square()) * half
    });
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| valid.logistic_loss(y));
    let metrics = splits.test.map(|test| {
        let test = Dataset::<T>::binary(&test);
        Metric {
            name: "test_accuracy",
            measure: Arc::new(move |_: &DVector<T>, y: &DVector<T>| test.accuracy(y.as_slice())),
        }
    });
    Ok(Task {
        name: "logistic",
        upper: upper.record(d, d),
        lower: lower.record(d, d),
        x: DVector::from_element(d, T::of(-3.0)),
        y: DVector::zeros(d),
        metrics: metrics.into_iter().collect(),
        bounds: None,
        known: None,
    })
}
