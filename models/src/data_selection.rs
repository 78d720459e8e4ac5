//! Data selection: weights in [0, 1] of samples of which half have labels drawn at random.

use autodiff::{Batch, Real, Var, batched};
use nalgebra::DVector;
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::data::{Samples, digits_shuffled};
use crate::dataset::Dataset;
use crate::task::{Metric, Task, whole};

/// Training samples; half of their labels are drawn at random.
const TRAIN: usize = 500;
/// The most validation samples of [`data_selection`]: one more is kept to take another's place.
pub const MOST_SELECTING: usize = 299;
/// The sample that takes another's place.
const SPARE: usize = TRAIN + MOST_SELECTING;
/// The factor of the penalty ‖y‖².
const PENALTY: f64 = 0.001;
const CLASSES: usize = 10;

/// Problem `data-selection` of `stability`: lower = mean `x_i CE_i(y) + 0.001 ‖y‖²` over 500 digits, of
/// which 250 have labels drawn at random, upper = mean cross-entropy over `n` validation samples. x is in
/// [0, 1] and starts at ½; y is a linear softmax model.
///
/// The metrics are the upper objective and the accuracy in percent on the 997 other samples. Seed and
/// swapping are those of [`ridge_prior`](crate::stability::ridge_prior).
///
/// # Panics
/// If n is 0 or above [`MOST_SELECTING`], or `swapped` is not below it.
///
/// # Reference
/// The data selection of the stability analysis of AID-based bilevel optimisation, on other data.
#[track_caller]
#[inline(never)]
pub fn data_selection<T: Real>(n: usize, seed: u64, swapped: Option<usize>) -> Task<T> {
    assert!(
        (1..=MOST_SELECTING).contains(&n),
        "{n} validation samples: expected 1 to {MOST_SELECTING}"
    );
    let digits = digits_shuffled(seed);
    let pick = |from: usize, to: usize| digits.subset(&Vec::from_iter(from..to));
    let train = half_random(pick(0, TRAIN), seed);
    let mut chosen = Vec::from_iter(TRAIN..TRAIN + n);
    if let Some(sample) = swapped {
        assert!(sample < n, "sample {sample} of {n} validation samples");
        chosen[sample] = SPARE;
    }
    let of = |samples: &Samples| Dataset::<T>::classes(samples, CLASSES);
    let (train, valid) = (of(&train), of(&digits.subset(&chosen)));
    let test = of(&pick(SPARE + 1, digits.len()));
    let (dim_y, c) = (CLASSES * train.dim(), T::of(PENALTY));
    let upper = |of: Dataset<T>| {
        batched(of.len(), move |_: Var<T>, y: Var<T>, batch: Batch<T>| {
            of.cross_entropy_of(batch, y)
        })
    };
    let lower = batched(TRAIN, move |x: Var<T>, y: Var<T>, batch: Batch<T>| {
        let weights = batch.entries(x);
        train.weighted_cross_entropy_of(batch, y, weights) + y.norm_squared() * c
    });
    let accuracy = test.clone();
    let test_loss = Metric::value("test_loss", whole(&upper(test), TRAIN, dim_y));
    let test_accuracy = Metric::percent("test_accuracy", move |_, y: &DVector<T>| {
        accuracy.accuracy(y.as_slice())
    });
    let (x, y) = (
        DVector::from_element(TRAIN, T::of(0.5)),
        DVector::zeros(dim_y),
    );
    Task {
        metrics: vec![test_loss, test_accuracy],
        bounds: Some((0.0, 1.0)),
        ..Task::sampled("data-selection", upper(valid), lower, x, y)
    }
}

/// Half of the labels drawn anew, each of all classes, so that some stay right.
fn half_random(mut samples: Samples, seed: u64) -> Samples {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // The first stream has drawn the order of the samples.
    rng.set_stream(1);
    let n = samples.len();
    for chosen in index::sample(&mut rng, n, n / 2) {
        samples.labels[chosen] = f64::from(rng.random_range(0..CLASSES as u8));
    }
    samples
}
