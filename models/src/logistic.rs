//! Logistic regression with a penalty for each feature.

use std::sync::Arc;

use autodiff::{Real, Var, sampled};
use nalgebra::{DMatrix, DVector};

use crate::data::{DataError, Samples, Splits};
use crate::task::whole;
use crate::{Constants, Dataset, Means, Metric, Task};

/// Problem `logistic`: lower = mean log-loss on the training samples + ½ Σ e^{x_j} y_j², upper =
/// mean log-loss on the validation samples. x and y have one entry for each feature; there is no
/// bias. The metric is the accuracy in percent on the test samples, if there are any.
///
/// Its constants, with samples a_i and the logistic function σ: μ = min eˣ,
/// L_g = ‖mean aaᵀ‖/4 + max eˣ, L_H = ‖mean ‖a‖aaᵀ‖ / (6√3) as |σ″| ≤ 1/(6√3), L_J = max eˣ,
/// ‖∇²_xy g‖ = max e^{x_j}|y_j|, and L_F as L_g without the penalty, on the validation samples.
///
/// # Errors
/// If a label is not one of ±1, or 0/1 throughout.
pub fn logistic<T: Real>(splits: Splits) -> Result<Task<T>, DataError> {
    let splits = splits.into_binary()?;
    let train = Dataset::<T>::binary(&splits.train);
    let valid = Dataset::<T>::binary(&splits.valid);
    let d = train.dim();
    let half = T::of(0.5);
    let constants = Curvatures::of(&splits);
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
            block: None,
        }),
        x: DVector::from_element(d, T::of(-3.0)),
        y: DVector::zeros(d),
        metrics: metrics.into_iter().collect(),
        bounds: None,
        known: None,
        constants: Some(Arc::new(move |x: &[T], y: &[T]| constants.at(x, y))),
    })
}

/// The largest |σ″|, 1/(6√3).
const SIGMOID_CURVATURE: f64 = 0.096_225_044_864_937_63;
/// Multiplications that the eigenvalues may cost; beyond, traces bound them.
const WORK: usize = 1 << 27;

/// What the constants take from the samples.
struct Curvatures {
    /// Bounds on ‖mean aaᵀ‖ of the training samples, ‖mean ‖a‖aaᵀ‖ of them, and ‖mean aaᵀ‖ of the
    /// validation samples.
    train: f64,
    third: f64,
    valid: f64,
}

impl Curvatures {
    fn of(splits: &Splits) -> Self {
        Curvatures {
            train: second_moment(&splits.train, |_| 1.0),
            third: second_moment(&splits.train, |norm| norm),
            valid: second_moment(&splits.valid, |_| 1.0),
        }
    }

    fn at<T: Real>(&self, x: &[T], y: &[T]) -> Constants {
        let weights = || x.iter().map(|x| x.f64().exp());
        let max = weights().fold(0.0, f64::max);
        Constants {
            strong_convexity: weights().fold(f64::INFINITY, f64::min),
            smoothness: 0.25 * self.train + max,
            hessian_lipschitz: SIGMOID_CURVATURE * self.third,
            cross_norm: weights()
                .zip(y)
                .map(|(w, y)| w * y.f64().abs())
                .fold(0.0, f64::max),
            cross_lipschitz: max,
            upper_smoothness: 0.25 * self.valid,
            upper_cross: 0.0,
        }
    }
}

/// An upper bound on the largest eigenvalue of `mean weight(‖a‖) aaᵀ`.
fn second_moment(samples: &Samples, weight: impl Fn(f64) -> f64) -> f64 {
    let (d, n) = (samples.dim(), samples.len());
    let columns = || samples.features.column_iter();
    let trace = || {
        let each = columns().map(|a| weight(a.norm()) * a.norm_squared());
        each.sum::<f64>() / n.max(1) as f64
    };
    if n * d * d + 10 * d * d * d > WORK {
        return trace();
    }
    let mut moment = DMatrix::<f64>::zeros(d, d);
    for a in columns() {
        moment.ger(weight(a.norm()) / n.max(1) as f64, &a, &a, 1.0);
    }
    if moment.iter().any(|v| !v.is_finite()) {
        return f64::INFINITY;
    }
    // Its rounding is far below this slack.
    moment.symmetric_eigenvalues().max() * (1.0 + 1e-9)
}
