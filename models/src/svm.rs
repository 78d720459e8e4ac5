//! Support vector machine by its dual.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::{Constants, Part};

use crate::catalogue::{Data, Defaults, Entry, make};
use crate::curvatures::extremes;
use crate::data::{self, DataError, Labels, Samples, Splits};
use crate::task::{Metric, Task};

/// Added to the diagonal of the dual: the slope of the squared part of a Huber-like hinge, which makes
/// the solution unique.
const RIDGE: f64 = 0.1;
/// Training samples of the embedded digits: y has an entry for each.
const TRAINED: usize = 150;

/// Problem `svm`: lower = ½‖Σ_i y_i t_i a_i‖² + ½δ‖y‖² − Σ_i y_i over 0 ≤ y ≤ C, the dual of a support vector
/// machine without a bias on the training samples a_i with labels t_i = ±1, with C = eˣ and δ = 0.1;
/// upper = mean log-loss of the weights w = Σ_i y_i t_i a_i on the validation samples. y has an entry for
/// each training sample. The metrics are the number of support vectors, and the accuracy in percent
/// on the test samples, if there are any.
///
/// # Errors
/// If a label is no whole number, or there are more than two.
///
/// # Panics
/// If there are no training or validation samples, or no features.
///
/// # Reference
/// C. Cortes and V. Vapnik, Support-vector networks, Machine Learning 20, 1995.
#[track_caller]
#[inline(never)]
pub fn svm<T: Real>(splits: Splits) -> Result<Task<T>, DataError> {
    let splits = splits.into_binary()?;
    // ‖ZᵀZ‖, and a quarter for the second derivative of a log-loss.
    let most = extremes(&splits.train).1 * splits.train.len() as f64;
    let stated = Constants {
        strong_convexity: RIDGE,
        smoothness: most + RIDGE,
        hessian_lipschitz: 0.0,
        cross_norm: 0.0,
        cross_lipschitz: 0.0,
        upper_smoothness: 0.25 * extremes(&splits.valid).1 * most,
        upper_cross: 0.0,
    };
    let train = signed(&splits.train);
    let valid = signed(&splits.valid).map(T::of);
    let n = train.ncols();
    let (z, over_m) = (train.map(T::of), T::of(1.0 / valid.ncols() as f64));
    let (half, ridge, valid) = (T::of(0.5), T::of(RIDGE), valid.transpose());
    let lower = objective(|_: Var<'_, T>, y: Var<'_, T>| {
        ((&z * y).norm_squared() + y.norm_squared() * ridge) * half - y.sum()
    });
    let upper = objective(|_: Var<'_, T>, y: Var<'_, T>| {
        let margins = &valid * (&z * y);
        (-margins).softplus().sum() * over_m
    });
    let x = DVector::from_element(1, T::of(-1.0));
    let bounds = Part::between(|x: Var<'_, T>| x.scalar(T::zero()), |x: Var<'_, T>| x.exp());
    let task = Task::plain("svm", upper, lower, x, n)
        .with_part(bounds)
        .with_constants(move |_, _| stated);
    let vectors = Metric::new("support_vectors", |_, y: &DVector<T>| {
        y.iter().filter(|v| **v > T::zero()).count() as f64
    });
    let mut metrics = vec![vectors];
    metrics.extend(splits.test.map(|test| {
        let test = signed(&test).transpose();
        Metric::percent("test_accuracy", move |_, y: &DVector<T>| {
            let margins = &test * (&train * y.map(|v| v.f64()));
            let right = margins.iter().filter(|m| **m > 0.0).count();
            100.0 * right as f64 / margins.len() as f64
        })
    }));
    Ok(Task { metrics, ..task })
}

/// The samples as columns, each times its label.
fn signed(samples: &Samples) -> DMatrix<f64> {
    let mut signed = samples.features.dense().clone();
    for (mut column, label) in signed.column_iter_mut().zip(&samples.labels) {
        column *= *label;
    }
    signed
}

/// Few of the digits for training.
fn few(seed: u64) -> Splits {
    let splits = data::digits_parity(seed);
    Splits {
        train: splits.train.first(TRAINED),
        ..splits
    }
}

/// The entry of [`svm`].
pub static SVM: Entry = Entry::new(
    "svm",
    "support vector machine by its dual, the bound C of its box; digits odd/even",
    [
        "ln of the bound C",
        "dual variables of the training samples",
    ],
    make!(|given| svm(given.splits(few))),
)
.takes(Data::Table(Labels::Signs))
.defaults(Defaults::adam(0.1, 0.005));
