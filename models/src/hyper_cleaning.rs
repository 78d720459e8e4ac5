//! Data hyper-cleaning with a linear softmax model.

use autodiff::rules::elementwise::sigmoid;
use autodiff::{Batch, Real, Var, batched};
use nalgebra::{DMatrix, DVector};

use crate::catalogue::{Data, Defaults, Entry, make};
use crate::data::{DataError, Features, Labels, Samples, Splits};
use crate::dataset::Dataset;
use crate::task::{Metric, Task};

/// Share of training labels that are made wrong in embedded data.
pub const CORRUPTION: f64 = 0.7;

/// Settings of the problem `hyper-cleaning`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HyperCleaning {
    /// The factor c of the penalty `c ‖y‖²`.
    pub penalty: f64,
    /// Whether each class has a bias: a last feature that is 1.
    pub bias: bool,
}

impl Default for HyperCleaning {
    fn default() -> Self {
        HyperCleaning {
            penalty: 0.001,
            bias: false,
        }
    }
}

/// Problem `hyper-cleaning`: lower = `(1/n) Σ σ(x_i) CE_i(y) + c ‖y‖²` on the training samples,
/// upper = mean cross-entropy on the validation samples. x has one entry for each training sample;
/// y is the `classes × features` matrix of a linear softmax model, row after row.
///
/// The metrics are the accuracy in percent on the test samples, if there are any, and, where it is
/// known which training labels are `corrupted`, the F1 score of keeping the clean ones: a sample is
/// kept if σ(x_i) ≥ ½.
///
/// # Errors
/// If a label is no whole number.
///
/// # Panics
/// If there are no training or validation samples, or no features; if `corrupted` does not have an
/// entry for each training sample.
#[track_caller]
#[inline(never)]
pub fn hyper_cleaning<T: Real>(
    splits: Splits,
    corrupted: Option<Vec<bool>>,
    settings: HyperCleaning,
) -> Result<Task<T>, DataError> {
    let (splits, classes) = splits.into_classes()?;
    let dataset = |samples: &Samples| {
        if settings.bias {
            Dataset::<T>::classes(&with_bias(samples), classes)
        } else {
            Dataset::<T>::classes(samples, classes)
        }
    };
    let (train, valid) = (dataset(&splits.train), dataset(&splits.valid));
    let (n, dim_y) = (train.len(), classes * train.dim());
    let c = T::of(settings.penalty);
    let n_valid = valid.len();
    let lower = batched(n, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        let weights = batch.entries(x).sigmoid();
        train.weighted_cross_entropy_of(batch, y, weights) + y.norm_squared() * c
    });
    let upper = batched(n_valid, move |_: Var<T>, y: Var<T>, batch: Batch<T>| {
        valid.cross_entropy_of(batch, y)
    });
    let mut metrics = Vec::new();
    if let Some(test) = &splits.test {
        let test = dataset(test);
        metrics.push(Metric::percent("test_accuracy", move |_, y| {
            test.accuracy(y.as_slice())
        }));
    }
    metrics.extend(corrupted.map(|marks| cleaner_f1(marks, n)));
    let (x, y) = (DVector::zeros(n), DVector::zeros(dim_y));
    Ok(Task {
        metrics,
        ..Task::sampled("hyper-cleaning", upper, lower, x, y)
    })
}

/// The entry of [`hyper_cleaning`].
pub static HYPER_CLEANING: Entry = Entry::new(
    "hyper-cleaning",
    "weights of mislabelled samples, linear softmax; digits, 70 % mislabelled",
    [
        "logit of the weight of each training sample",
        "weights of the linear model, class by class",
    ],
    make!(|given| {
        let bias = given.bias;
        let (splits, corrupted) = given.cleaning();
        let settings = HyperCleaning {
            bias,
            ..HyperCleaning::default()
        };
        hyper_cleaning(splits, corrupted, settings)
    }),
)
.takes(Data::Table(Labels::Classes))
.with_bias()
.by_rows()
.defaults(Defaults::adam(0.2, 0.02).lower_step(2.0).inner_step(0.05));

/// The metric `cleaner_f1` of n weights x, where it is known which samples are corrupted.
#[track_caller]
pub(crate) fn cleaner_f1<T: Real>(corrupted: Vec<bool>, n: usize) -> Metric<T> {
    assert_eq!(corrupted.len(), n, "one mark for each training sample");
    Metric::new("cleaner_f1", move |x, _| f1(x, &corrupted))
}

/// F1 of "kept" as a prediction of "clean".
fn f1<T: Real>(x: &DVector<T>, corrupted: &[bool]) -> f64 {
    let kept = |i: usize| sigmoid(x[i]).f64() >= 0.5;
    let count = |k: bool, bad: bool| {
        (0..corrupted.len())
            .filter(|i| kept(*i) == k && corrupted[*i] == bad)
            .count() as f64
    };
    let (right, missed, wrong) = (count(true, false), count(false, false), count(true, true));
    if right == 0.0 {
        return 0.0;
    }
    2.0 * right / (2.0 * right + missed + wrong)
}

fn with_bias(samples: &Samples) -> Samples {
    let with_one = |all: &DMatrix<f64>| {
        let (d, n) = all.shape();
        DMatrix::from_fn(d + 1, n, |i, j| if i < d { all[(i, j)] } else { 1.0 })
    };
    Samples {
        features: match &samples.features {
            Features::Own(own) => own.map(with_one).into(),
            all => with_one(all.dense()).into(),
        },
        labels: samples.labels.clone(),
    }
}
