//! Logistic regression with a penalty for each feature.

use std::sync::Arc;

use autodiff::{Real, Var, sampled};
use nalgebra::DVector;

use crate::data::{DataError, Splits};
use crate::task::whole;
use crate::{Dataset, Means, Metric, Task};

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
    let (n_train, n_valid) = (train.len(), valid.len());
    let lower = sampled(
        n_train,
        move |x: Var<'_, T>, y: Var<'_, T>, batch: &[usize]| {
            train.select(batch).logistic_loss(y) + x.exp().dot(y.square()) * half
        },
    );
    let upper = sampled(
        n_valid,
        move |_: Var<'_, T>, y: Var<'_, T>, batch: &[usize]| valid.select(batch).logistic_loss(y),
    );
    let metrics = splits.test.map(|test| {
        let test = Dataset::<T>::binary(&test);
        Metric {
            name: "test_accuracy",
            measure: Arc::new(move |_: &DVector<T>, y: &DVector<T>| test.accuracy(y.as_slice())),
        }
    });
    Ok(Task {
        name: "logistic",
        upper: whole(&upper, d, d),
        lower: whole(&lower, d, d),
        means: Some(Means {
            upper: Arc::new(upper),
            lower: Arc::new(lower),
        }),
        x: DVector::from_element(d, T::of(-3.0)),
        y: DVector::zeros(d),
        metrics: metrics.into_iter().collect(),
        bounds: None,
        known: None,
    })
}
