//! W1 and W2 as someone writes them who has a matrix of samples and `Var`s, without the fused losses.

use std::sync::Arc;

use autodiff::{Objective, Program, Real, Var, objective};

use super::inputs::LinearModel;

/// [`w1::lower`](super::w1::lower), the samples being the rows of a matrix.
pub(super) fn logistic<T: Real>(data: &LinearModel) -> Arc<Program<T>> {
    let a = data.train.features.dense().transpose().map(T::of);
    let minus: Vec<T> = data.train.labels.iter().map(|t| T::of(-t)).collect();
    let g = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        let margins = y.vector(&minus) * (&a * y);
        margins.softplus().mean() + x.exp().dot(y.square()) * T::of(0.5)
    });
    g.record(data.x.len(), data.y.len())
}

/// [`w2::lower`](super::w2::lower), the samples being the columns of a matrix, and y a matrix with a
/// column for each class.
pub(super) fn softmax<T: Real>(data: &LinearModel) -> Arc<Program<T>> {
    let (classes, d) = (data.classes, data.train.dim());
    let a = data.train.features.dense().map(T::of);
    let labels = data.train.labels.iter().enumerate();
    let places: Vec<usize> = labels.map(|(i, c)| i * classes + *c as usize).collect();
    let g = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        let scores = y.reshape(d, classes).tr_matmul(y.matrix(&a));
        let losses = scores.log_sum_exp().reshape(places.len(), 1) - scores.gather(&places);
        (x.sigmoid() * losses).mean() + y.norm_squared() * T::of(0.001)
    });
    g.record(data.x.len(), data.y.len())
}
