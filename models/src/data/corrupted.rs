//! Training labels that are wrong, for data cleaning.

use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Samples, Splits, shuffled};

/// Samples for data cleaning: so many for training, validation and the test after a shuffle with
/// `seed`, and a fraction `corruption` of the training labels wrong; which of them, the second result
/// says.
///
/// Labels are the classes 0 to `classes` − 1. Exactly `corruption` × training labels, rounded, drawn
/// with `seed`, are replaced by one of the other classes, drawn uniformly. `corruption` is clamped to
/// `[0, 1]`.
///
/// ```
/// let digits = models::data::digits();
/// let (splits, corrupted) = models::data::cleaning(&digits, [400, 400, 800], 10, 0.5, 0);
/// assert_eq!((splits.train.len(), splits.valid.len()), (400, 400));
/// assert_eq!(corrupted.iter().filter(|&&wrong| wrong).count(), 200);
/// ```
///
/// # Panics
/// If there are fewer samples, or fewer than two classes.
#[track_caller]
pub fn cleaning(
    samples: &Samples,
    [train, valid, test]: [usize; 3],
    classes: u8,
    corruption: f64,
    seed: u64,
) -> (Splits, Vec<bool>) {
    let all = train + valid + test;
    assert!(
        all <= samples.len(),
        "{train}, {valid} and {test} samples for training, validation and test: there are {}",
        samples.len()
    );
    assert!(classes > 1, "{classes} classes: expected at least 2");
    let order = shuffled(samples, seed);
    let mut splits = Splits {
        train: order.range(0..train),
        valid: order.range(train..train + valid),
        test: Some(order.range(train + valid..all)),
        source: String::new(),
    };
    let labels = &mut splits.train.labels;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // The first stream has drawn the order of the samples.
    rng.set_stream(1);
    let count = (corruption.clamp(0.0, 1.0) * labels.len() as f64).round() as usize;
    let mut corrupted = vec![false; labels.len()];
    for chosen in index::sample(&mut rng, labels.len(), count) {
        corrupted[chosen] = true;
        let other = labels[chosen] + f64::from(rng.random_range(1..classes));
        labels[chosen] = other % f64::from(classes);
    }
    (splits, corrupted)
}
