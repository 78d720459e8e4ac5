//! The handwritten digits that the crate carries, and tasks on them.

use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use nalgebra::DMatrix;

use super::{Samples, Splits, cleaning, shuffled};

/// Where the embedded data come from, and their licence.
pub const DIGITS_NOTICE: &str = include_str!("../../data/NOTICE.md");

const SOURCE: &str = "digits (embedded)";
const PIXELS: usize = 64;

/// All 1797 images of handwritten digits, in the order of their source.
///
/// Features are the 8 × 8 pixels, row by row, scaled to `[0, 1]`; labels are the digits 0 to 9. See
/// [`DIGITS_NOTICE`].
///
/// ```
/// let digits = models::data::digits();
/// assert_eq!((digits.dim(), digits.len()), (64, 1797));
/// ```
pub fn digits() -> Samples {
    decoded().clone()
}

/// [`digits`] in an order drawn with `seed`.
pub fn digits_shuffled(seed: u64) -> Samples {
    shuffled(decoded(), seed)
}

/// The binary task "is the digit odd?": labels +1 (odd) and -1 (even), 600 training, 400 validation
/// and 797 test samples after a shuffle with `seed`.
///
/// ```
/// let splits = models::data::digits_parity(0);
/// assert!(splits.train.labels.iter().all(|label| label.abs() == 1.0));
/// ```
pub fn digits_parity(seed: u64) -> Splits {
    let mut samples = digits_shuffled(seed);
    for label in &mut samples.labels {
        *label = if *label % 2.0 == 1.0 { 1.0 } else { -1.0 };
    }
    split(&samples, 600, 400)
}

/// All ten digits: 600 training, 400 validation and 797 test samples after a shuffle with `seed`.
///
/// ```
/// let splits = models::data::digits_classes(0);
/// assert_eq!((splits.classes()?, splits.valid.len()), (10, 400));
/// # Ok::<(), models::data::DataError>(())
/// ```
pub fn digits_classes(seed: u64) -> Splits {
    split(&digits_shuffled(seed), 600, 400)
}

/// The data-cleaning task: 900 training, 60 validation and 837 test samples after a shuffle with
/// `seed`, where a fraction `corruption` of the training labels is wrong.
///
/// Exactly `corruption` × 900 training labels, rounded, drawn with `seed`, are replaced by one of
/// the nine other digits, drawn uniformly. `corruption` is clamped to `[0, 1]`. The second result
/// has one entry per training sample: whether its label was replaced.
///
/// ```
/// let (splits, corrupted) = models::data::digits_cleaning(0, 0.5);
/// assert_eq!(corrupted.len(), splits.train.len());
/// assert_eq!(corrupted.iter().filter(|&&wrong| wrong).count(), 450);
/// ```
pub fn digits_cleaning(seed: u64, corruption: f64) -> (Splits, Vec<bool>) {
    let digits = decoded();
    let sizes = [900, 60, digits.len() - 960];
    let (splits, corrupted) = cleaning(digits, sizes, 10, corruption, seed);
    let source = SOURCE.into();
    (Splits { source, ..splits }, corrupted)
}

fn split(samples: &Samples, train: usize, valid: usize) -> Splits {
    Splits {
        train: samples.range(0..train),
        valid: samples.range(train..train + valid),
        test: Some(samples.range(train + valid..samples.len())),
        source: SOURCE.into(),
    }
}

fn decoded() -> &'static Samples {
    static DIGITS: OnceLock<Samples> = OnceLock::new();
    DIGITS.get_or_init(|| {
        let packed: &[u8] = include_bytes!("../../data/digits.csv.gz");
        let mut text = String::new();
        GzDecoder::new(packed)
            .read_to_string(&mut text)
            .expect("the embedded digits are gzip");

        let (mut features, mut labels) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let mut numbers = line.split(',').map(|field| {
                field
                    .parse::<f64>()
                    .expect("the embedded digits are numbers")
            });
            features.extend(numbers.by_ref().take(PIXELS).map(|pixel| pixel / 16.0));
            labels.extend(numbers);
        }
        Samples {
            features: DMatrix::from_vec(PIXELS, labels.len(), features).into(),
            labels,
        }
    })
}
