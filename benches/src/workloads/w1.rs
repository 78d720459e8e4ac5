//! W1: logistic regression with a penalty for each feature.

use std::sync::Arc;

use autodiff::{Objective, Program, Real, Var, objective};
use models::Dataset;
use solvers::Bilevel;

use super::Task;
use super::inputs::{LinearModel, Recipe};
use super::sweep::{Setting, cast};

fn draw(n: usize, n_valid: usize, d: usize, seed: u64) -> LinearModel {
    let recipe = Recipe {
        n,
        n_valid,
        d,
        classes: 2,
        features: 1.0,
        corrupted: 0.0,
        x: (-4.0, 0.1),
        dim_x: d,
        y: 0.1,
    };
    LinearModel::draw(&recipe, seed)
}

/// Samples and features.
pub(super) const SIZE: [usize; 2] = [2000, 500];
pub(super) const BIG: [usize; 2] = [20_000, 1000];

/// 2000 samples of 500 features, and as many to validate on.
pub(super) fn inputs() -> LinearModel {
    draw(SIZE[0], SIZE[0], SIZE[1], 1)
}

/// 20000 samples of 1000 features.
pub(super) fn big_inputs() -> LinearModel {
    draw(BIG[0], 0, BIG[1], 2)
}

/// `(1/n) Σ ln(1 + exp(−t_i ⟨a_i, y⟩)) + ½ Σ e^{x_j} y_j²`.
pub(super) fn lower<T: Real>(data: &LinearModel) -> Arc<Program<T>> {
    let train = Dataset::<T>::binary(&data.train);
    let g = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        train.logistic_loss(y) + x.exp().dot(y.square()) * T::of(0.5)
    });
    g.record(data.x.len(), data.y.len())
}

/// With the mean logistic loss on the validation samples above it.
pub(super) fn problem<T: Real>(data: &LinearModel) -> Bilevel<T> {
    let valid = Dataset::<T>::binary(&data.valid);
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| valid.logistic_loss(y));
    Bilevel::new(upper, lower(data), data.x.len(), data.y.len()).expect("a bilevel problem")
}

/// Gradient by y; HVP linearised once; HVP and cross product at a fresh point; a block of 16 HVPs, if it
/// is asked for.
pub(super) fn tasks<T: Real>(
    data: &LinearModel,
    lower: fn(&LinearModel) -> Arc<Program<T>>,
    block: bool,
) -> Vec<Box<dyn Task>> {
    let setting = Arc::new(Setting {
        program: lower(data),
        inputs: [cast(&data.x), cast(&data.y)],
        directions: [None, Some(cast(&data.v))],
    });
    let mut tasks = vec![
        setting.gradient(&[1]),
        setting.linearised(&[1]),
        setting.fresh(&[0, 1]),
    ];
    if block {
        tasks.push(setting.block(&[1]));
    }
    tasks
}
