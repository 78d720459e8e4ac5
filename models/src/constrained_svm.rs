//! Support vector machine whose training samples may be on the wrong side by so much, in each class.

use autodiff::{Real, Var, objective};
use nalgebra::{DMatrix, DVector};
use solvers::Constraints;

use crate::catalogue::{Data, Defaults, Entry, Given, make};
use crate::data::{self, DataError, Labels, Samples, Splits};
use crate::task::{Metric, Task};

/// Entries of y at most: the matrices of the Karush–Kuhn–Tucker equations are dense.
const MOST: usize = 600;
/// Where the sample that is farthest from the start's machine is, as a part of its margin.
const SHORT: f64 = 0.9;
/// The least budget, and the largest unless the start is close to that: 1 is what w = 0 keeps.
const BUDGETS: [f64; 2] = [-10.0, -0.01];
/// Training samples of the embedded digits: y has an entry for each.
const TRAINED: usize = 100;

/// Problem `constrained-svm`: the linear machine aᵀw + b of least ‖w‖ whose slacks ξ keep a budget in
/// each class. On the n training samples a_i with labels t_i = ±1, of which n₋ and n₊ are of a class,
/// lower = ½‖w‖² over y = (w, b, ξ) subject to
///
/// `t_i (a_iᵀw + b) ≥ 1 − ξ_i`, `ξ_i ≥ 0`, `Σ_{t_i = −1} ξ_i/n₋ ≤ e^{x₀}` and `Σ_{t_i = +1} ξ_i/n₊ ≤ e^{x₁}`,
///
/// upper = mean log-loss of aᵀw + b on the validation samples. The multipliers λ of the two budgets, which
/// come last, are the prices of slack: (w, b) is a solution of the soft-margin machine
/// `½‖w‖² + Σ_i C_i max(0, 1 − t_i (a_iᵀw + b))` with the cost `C_i = λ/n_±` of its class. The metric is the
/// accuracy in percent on the test samples, if there are any.
///
/// Neither b nor ξ needs a curvature of its own. While `e^{x₀} + e^{x₁} < 2`, w = 0 does not keep both
/// budgets, and both press: what gives way to one takes from the other by b. A sample beyond its margin
/// then has ξ_i = 0, pressed by its price, one that is short of it has the ξ_i that it is short of, and b is
/// where the budgets are spent: y is unique, and every budget moves it. A curvature of ξ would instead be a
/// second price, beside which wide budgets do not press and x has no effect, as bounds on single slacks
/// mostly have none. Where two budgets of 2 in sum ask for nothing, w is 0 and the rest of y is free: the
/// status says so. Budgets that no machine keeps are [`Infeasible`](solvers::Status::Infeasible).
///
/// Both entries of x start at the logarithm of a budget that a machine along the difference of the class
/// means keeps, whatever the data, and are in [−10, −0.01], where both budgets press; or up to half of the
/// start, if that is more.
///
/// # Errors
/// If a label is no whole number, or there are more than two; [`DataError::Empty`] if the training samples
/// are of one class; [`DataError::TooLarge`] if y has more than 600 entries.
///
/// # Panics
/// If there are no training or validation samples, or no features.
///
/// # Reference
/// L. Jiang, Q. Xiao, V. M. Tenorio, F. Real-Rojas, A. G. Marques and T. Chen, A primal-dual-assisted
/// penalty approach to bilevel optimization with coupled constraints, NeurIPS 2024, which has a
/// bound for each ξ_i; C. Cortes and V. Vapnik, Support-vector networks, Machine Learning 20, 1995.
#[track_caller]
#[inline(never)]
pub fn constrained_svm<T: Real>(splits: Splits) -> Result<Task<T>, DataError> {
    let splits = splits.into_binary()?;
    let (n, d) = (splits.train.len(), splits.train.dim());
    let entries = d + 1 + n;
    if entries > MOST {
        return Err(DataError::TooLarge {
            file: splits.source,
            found: format!(
                "{n} training samples of {d} features, {entries} unknowns with the bias"
            ),
            limit: MOST.to_string(),
        });
    }
    let classes = [-1.0, 1.0].map(|t| splits.train.labels.iter().filter(|l| **l == t).count());
    if let Some(none) = classes.iter().position(|count| *count == 0) {
        return Err(DataError::Empty {
            file: splits.source,
            place: "the training part".into(),
            what: ["sample of the class -1", "sample of the class +1"][none],
        });
    }
    let start = kept(&splits.train).ln();
    let [least, most] = BUDGETS;
    let (train, valid) = (signed(&splits.train), signed(&splits.valid));
    let over_m = T::of(1.0 / valid.nrows() as f64);
    let (train, valid) = (train.map(T::of), valid.map(T::of));
    let means = DMatrix::from_fn(2, n, |k, i| {
        let of = splits.train.labels[i] == [-1.0, 1.0][k];
        T::of(if of { 1.0 / classes[k] as f64 } else { 0.0 })
    });
    let half = T::of(0.5);
    let lower = objective(move |_: Var<'_, T>, y: Var<'_, T>| y.slice(0, d).norm_squared() * half);
    let upper = objective(move |_: Var<'_, T>, y: Var<'_, T>| {
        (-(&valid * y.slice(0, d + 1))).softplus().sum() * over_m
    });
    let constraints = Constraints::new()
        .at_most_zero(move |_: Var<'_, T>, y: Var<'_, T>| {
            -(&train * y.slice(0, d + 1)) - y.slice(d + 1, n) + T::one()
        })
        .at_most_zero(move |_: Var<'_, T>, y: Var<'_, T>| -y.slice(d + 1, n))
        .at_most_zero(move |x: Var<'_, T>, y: Var<'_, T>| &means * y.slice(d + 1, n) - x.exp());
    let x = DVector::from_element(2, T::of(start));
    let task = Task::plain("constrained-svm", upper, lower, x, entries);
    let metrics = splits.test.map(|test| {
        let test = signed(&test);
        Metric::percent("test_accuracy", move |_, y: &DVector<T>| {
            let margins = &test * y.rows(0, d + 1).map(|v| v.f64());
            let right = margins.iter().filter(|m| **m > 0.0).count();
            100.0 * right as f64 / margins.len() as f64
        })
    });
    Ok(Task {
        metrics: metrics.into_iter().collect(),
        bounds: Some((least, most.max(0.5 * start))),
        ..task.with_constraints(constraints)
    })
}

/// The rows (a_i, 1), each times its label.
fn signed(samples: &Samples) -> DMatrix<f64> {
    let features = samples.features.dense();
    DMatrix::from_fn(samples.len(), samples.dim() + 1, |i, j| {
        let a = if j < samples.dim() {
            features[(j, i)]
        } else {
            1.0
        };
        a * samples.labels[i]
    })
}

/// The mean slack in each class of the machine along the difference of the class means, 0 between them: below
/// 1 unless the means are equal. The farthest sample is short of its margin still, so that this machine is the
/// solution, and no sample is about to be one of another kind.
fn kept(train: &Samples) -> f64 {
    let mean = |t: f64| {
        let of = (0..train.len()).filter(|i| train.labels[*i] == t);
        let count = of.clone().count() as f64;
        of.fold(DVector::zeros(train.dim()), |mean, i| {
            mean + train.features.dense().column(i) / count
        })
    };
    let (below, above) = (mean(-1.0), mean(1.0));
    let (across, middle) = (&above - &below, (above + below) / 2.0);
    // Of length one first, so that no square overflows.
    let along = &across / across.amax().max(f64::MIN_POSITIVE);
    let scores = train.features.dense().column_iter();
    let scores = scores.map(|a| along.dot(&(a - &middle)).abs());
    let farthest = scores.fold(0.0, f64::max);
    1.0 - 0.5 * SHORT * along.dot(&across) / farthest.max(f64::MIN_POSITIVE)
}

/// Few of the digits for training.
fn few(seed: u64) -> Splits {
    let splits = data::digits_parity(seed);
    Splits {
        train: splits.train.first(TRAINED),
        ..splits
    }
}

/// The entry of [`constrained_svm`].
pub static CONSTRAINED_SVM: Entry = Entry::new(
    "constrained-svm",
    "support vector machine under a budget of slack for each class; digits odd/even",
    [
        "ln of the mean slack of the classes -1 and +1",
        "weights of the features, bias, slacks of the training samples",
    ],
    make!(|given: &mut Given| constrained_svm(given.splits(few))),
)
.takes(Data::Table(Labels::Signs))
.defaults(Defaults::adam(0.1, 0.005).iterations(30));
