//! W2: data hyper-cleaning with a linear softmax model.

use std::sync::Arc;

use autodiff::{Objective, Program, Real, Var, objective};
use models::Dataset;
use solvers::Bilevel;

use super::Task;
use super::inputs::{LinearModel, Recipe};
use super::sweep::{Setting, cast};

/// Of `n` samples with `d` features and ten classes, a quarter has its label drawn anew.
pub(super) fn draw(n: usize, n_valid: usize, d: usize, seed: u64) -> LinearModel {
    let recipe = Recipe {
        n,
        n_valid,
        d,
        classes: 10,
        features: 0.5,
        corrupted: 0.25,
        x: (0.0, 0.1),
        dim_x: n,
        y: 0.05,
    };
    LinearModel::draw(&recipe, seed)
}

/// Samples, features and classes.
pub(super) const SIZE: [usize; 3] = [2000, 784, 10];

/// 2000 samples of 784 features.
pub(super) fn inputs() -> LinearModel {
    draw(SIZE[0], 0, SIZE[1], 3)
}

/// `(1/n) Σ σ(x_i) CE_i(y) + 0.001 ‖y‖²`.
pub(super) fn lower<T: Real>(data: &LinearModel) -> Arc<Program<T>> {
    let train = Dataset::<T>::classes(&data.train, data.classes);
    let g = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        train.weighted_cross_entropy(y, x.sigmoid()) + y.norm_squared() * T::of(0.001)
    });
    g.record(data.x.len(), data.y.len())
}

/// With the mean cross-entropy on the validation samples above it.
pub(super) fn problem<T: Real>(data: &LinearModel) -> Bilevel<T> {
    let valid = Dataset::<T>::classes(&data.valid, data.classes);
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| valid.cross_entropy(y));
    Bilevel::new(upper, lower(data), data.x.len(), data.y.len()).expect("a bilevel problem")
}

/// Gradient by y; HVP and cross product, linearised once and at a fresh point.
pub(super) fn tasks<T: Real>(
    data: &LinearModel,
    lower: fn(&LinearModel) -> Arc<Program<T>>,
) -> Vec<Box<dyn Task>> {
    let setting = Arc::new(Setting {
        program: lower(data),
        inputs: [cast(&data.x), cast(&data.y)],
        directions: [None, Some(cast(&data.v))],
    });
    vec![
        setting.gradient(&[1]),
        setting.linearised(&[0, 1]),
        setting.fresh(&[0, 1]),
    ]
}
