//! Means over seeds.

/// A mean with its spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of one value; NaN of a single one.
    pub deviation: f64,
    /// The standard error of the mean.
    pub error: f64,
}

impl Spread {
    /// Of these values.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0)).sqrt();
        Spread {
            mean,
            deviation,
            error: deviation / count.sqrt(),
        }
    }
}
