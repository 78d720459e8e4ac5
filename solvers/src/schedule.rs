//! Sequences of coefficients as values.

/// A sequence `c_k`, k = 0, 1, ….
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// `a`.
    Constant(f64),
    /// `a / (k + c)`; with c = 1 the usual α/(k+1).
    Harmonic {
        /// Numerator.
        a: f64,
        /// Shift of the index; positive.
        c: f64,
    },
    /// `a · decayᵏ`: summable for a decay below 1.
    Geometric {
        /// First value.
        a: f64,
        /// Ratio of consecutive values.
        decay: f64,
    },
}

impl Schedule {
    /// `a / (k + 1)`.
    pub fn harmonic(a: f64) -> Self {
        Schedule::Harmonic { a, c: 1.0 }
    }

    /// `c_k`.
    pub fn at(self, k: usize) -> f64 {
        let k = k as f64;
        match self {
            Schedule::Constant(a) => a,
            Schedule::Harmonic { a, c } => a / (k + c),
            Schedule::Geometric { a, decay } => a * decay.powf(k),
        }
    }

    /// Whether `Σ c_k` is finite, so that what the sequence drives stalls before its goal.
    pub fn is_summable(self) -> bool {
        match self {
            Schedule::Constant(a) => a == 0.0,
            Schedule::Harmonic { a, .. } => a == 0.0,
            Schedule::Geometric { a, decay } => a == 0.0 || decay.abs() < 1.0,
        }
    }

    /// The largest value of the sequence, if it has one.
    pub(crate) fn largest(self) -> f64 {
        match self {
            Schedule::Geometric { decay, .. } if decay > 1.0 => f64::INFINITY,
            _ => self.at(0),
        }
    }
}
