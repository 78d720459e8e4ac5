//! Medians over seeds.

use serde::Serialize;

/// A median with the least and the largest value; NaN where nothing was a number.
///
/// ```
/// use study::Middle;
///
/// let of = Middle::of([4.0, 1.0, f64::NAN]);
/// assert_eq!((of.median, of.low, of.high), (2.5, 1.0, 4.0));
/// assert!(Middle::of([]).median.is_nan());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Middle {
    /// The median.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

impl Middle {
    /// Of these values, without those that are NaN.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().filter(|v| !v.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        let median = match values.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => values[half],
            _ => 0.5 * (values[half - 1] + values[half]),
        };
        let end = |v: Option<&f64>| v.copied().unwrap_or(f64::NAN);
        Middle {
            median,
            low: end(values.first()),
            high: end(values.last()),
        }
    }

    /// Whether anything was a number.
    pub fn is_some(&self) -> bool {
        !self.median.is_nan()
    }
}
