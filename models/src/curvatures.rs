//! Curvatures of log-losses of linear models with a penalty for each feature.

use autodiff::{Real, ranks};
use nalgebra::{DMatrix, DMatrixViewMut};
use solvers::Constants;

use crate::data::{Features, Samples, Splits};

/// The largest third central moment of a number in `[0, 1]`, 1/(6√3).
const THIRD_MOMENT: f64 = 0.096_225_044_864_937_63;
/// Multiplications that the eigenvalues may cost; beyond, traces bound them.
pub(crate) const WORK: usize = 1 << 27;

/// What the constants take from the samples.
///
/// Along a direction W the second and third derivatives of a log-loss are central moments of the
/// scores `W a` under the predicted probabilities. The scores range over at most ρ‖Wa‖, with ρ = 1
/// for the logistic loss, whose scores are 0 and ⟨w, a⟩, and ρ = √2 for several classes; so the
/// moments are at most ρ²‖Wa‖²/4 and ρ³‖Wa‖³/(6√3).
pub(crate) struct Curvatures {
    /// ρ.
    range: f64,
    /// Bounds on ‖mean aaᵀ‖ of the training samples, ‖mean ‖a‖aaᵀ‖ of them, and ‖mean aaᵀ‖ of the
    /// validation samples.
    train: f64,
    third: f64,
    valid: f64,
}

impl Curvatures {
    pub(crate) fn of(splits: &Splits, range: f64) -> Self {
        Curvatures {
            range,
            train: second_moment(&splits.train, |_| 1.0),
            third: second_moment(&splits.train, |norm| norm),
            valid: second_moment(&splits.valid, |_| 1.0),
        }
    }

    /// The constants at x of d entries and y of one or more rows of d.
    pub(crate) fn at<T: Real>(&self, x: &[T], y: &[T]) -> Constants {
        let weights = || x.iter().map(|x| x.f64().exp());
        let max = weights().fold(0.0, f64::max);
        let column = |j: usize| {
            let squares = y.iter().skip(j).step_by(x.len());
            squares.map(|y| y.f64().powi(2)).sum::<f64>().sqrt()
        };
        let second = self.range.powi(2) / 4.0;
        Constants {
            strong_convexity: weights().fold(f64::INFINITY, f64::min),
            smoothness: second * self.train + max,
            hessian_lipschitz: self.range.powi(3) * THIRD_MOMENT * self.third,
            cross_norm: weights()
                .enumerate()
                .map(|(j, w)| w * column(j))
                .fold(0.0, f64::max),
            cross_lipschitz: max,
            upper_smoothness: second * self.valid,
            upper_cross: 0.0,
        }
    }
}

/// An upper bound on the largest eigenvalue of `mean weight(‖a‖) aaᵀ`.
fn second_moment(samples: &Samples, weight: impl Fn(f64) -> f64) -> f64 {
    spectrum(samples, weight).1
}

/// Bounds on the eigenvalues of `mean aaᵀ`, from below and from above.
pub(crate) fn extremes(samples: &Samples) -> (f64, f64) {
    spectrum(samples, |_| 1.0)
}

/// Bounds on the eigenvalues of `mean weight(‖a‖) aaᵀ`: 0 and the trace where it is large.
fn spectrum(samples: &Samples, weight: impl Fn(f64) -> f64) -> (f64, f64) {
    let (d, n) = (samples.dim(), samples.len());
    // In the order of all samples, which ranks may hold their own of.
    let sum = |sums: &mut [f64], add: &mut dyn FnMut(&mut [f64])| match &samples.features {
        Features::Own(_) => ranks::in_turn(sums, add),
        Features::Dense(_) | Features::Sparse(_) => add(sums),
    };
    let trace = || {
        let mut trace = [0.0];
        sum(&mut trace, &mut |trace| {
            for s in samples.features.squares() {
                trace[0] += weight(s.sqrt()) * s;
            }
        });
        (0.0, trace[0] / n.max(1) as f64)
    };
    // In f64, as d³ may be beyond a machine's integers.
    let (size, count) = (d as f64, n as f64);
    let work = count * size * size + 10.0 * size.powi(3);
    let dense = match &samples.features {
        Features::Dense(dense) if work <= WORK as f64 => dense,
        Features::Own(own) if work <= WORK as f64 => own.dense(),
        _ => return trace(),
    };
    let mut moment = DMatrix::<f64>::zeros(d, d);
    sum(moment.as_mut_slice(), &mut |moment| {
        let mut moment = DMatrixViewMut::from_slice(moment, d, d);
        for a in dense.column_iter() {
            moment.ger(weight(a.norm()) / n.max(1) as f64, &a, &a, 1.0);
        }
    });
    if moment.iter().any(|v| !v.is_finite()) {
        return (0.0, f64::INFINITY);
    }
    let of = moment.symmetric_eigenvalues();
    // Its rounding is far below this slack.
    let (most, slack) = (of.max() * (1.0 + 1e-9), of.max() * 1e-9);
    ((of.min() - slack).max(0.0), most)
}
