//! Sequences of coefficients as values.

use std::fmt;
use std::str::FromStr;

use crate::expect;

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
    /// `a / √(k + 1)`.
    InverseRoot {
        /// First value.
        a: f64,
    },
    /// `a / (k + 1)^q`.
    Power {
        /// First value.
        a: f64,
        /// Power; positive.
        q: f64,
    },
    /// `a / ((k + 1)^q ln(k + e))`.
    PowerLog {
        /// First value.
        a: f64,
        /// Power; positive.
        q: f64,
    },
    /// `½ a (1 + cos(π k / period))` up to k = period, then 0.
    Cosine {
        /// First value.
        a: f64,
        /// Where it reaches 0; at least 1.
        period: usize,
    },
}

impl Schedule {
    /// `a / (k + 1)`: a/t for steps t = 1, 2, ….
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
            Schedule::InverseRoot { a } => a / (k + 1.0).sqrt(),
            Schedule::Power { a, q } => a / (k + 1.0).powf(q),
            Schedule::PowerLog { a, q } => a / ((k + 1.0).powf(q) * (k + std::f64::consts::E).ln()),
            Schedule::Cosine { period, .. } if k >= period as f64 => 0.0,
            Schedule::Cosine { a, period } => {
                0.5 * a * (1.0 + (std::f64::consts::PI * k / period as f64).cos())
            }
        }
    }

    /// Whether `Σ c_k` is finite, so that what the sequence drives stalls before its goal.
    pub fn is_summable(self) -> bool {
        match self {
            Schedule::Constant(a) => a == 0.0,
            Schedule::Harmonic { a, .. } => a == 0.0,
            Schedule::Geometric { a, decay } => a == 0.0 || decay.abs() < 1.0,
            Schedule::InverseRoot { a } => a == 0.0,
            // Σ 1/(k ln k) diverges.
            Schedule::Power { a, q } | Schedule::PowerLog { a, q } => a == 0.0 || q > 1.0,
            Schedule::Cosine { .. } => true,
        }
    }

    /// The largest value of the sequence, if it has one.
    pub(crate) fn largest(self) -> f64 {
        match self {
            Schedule::Geometric { decay, .. } if decay > 1.0 => f64::INFINITY,
            _ => self.at(0),
        }
    }

    /// Whether this is a sequence of step lengths, or of what else is positive; if not, why.
    pub(crate) fn check(self, what: &str) -> Result<(), String> {
        let (first, name, shape, falls) = match self {
            Schedule::Constant(a) | Schedule::InverseRoot { a } => (a, "", 1.0, false),
            Schedule::Harmonic { a, c } => (a, "shift", c, false),
            Schedule::Geometric { a, decay } => (a, "decay", decay, true),
            Schedule::Power { a, q } | Schedule::PowerLog { a, q } => (a, "power", q, false),
            Schedule::Cosine { a, period } => (a, "period", period as f64, false),
        };
        expect::positive(what, first)?;
        let what = format!("{what}, {name}");
        match falls {
            true => expect::number(
                &what,
                shape,
                shape > 0.0 && shape <= 1.0,
                "a number in (0, 1]",
            ),
            false => expect::positive(&what, shape),
        }
    }
}

/// `constant:A`, `inverse:A` for a/(k + 1), `inverse:A:C` for a/(k + c), `root:A`,
/// `exponential:A:DECAY`, `power:A:Q`, `power-log:A:Q`, `cosine:A:PERIOD`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Constant(a) => write!(f, "constant:{a}"),
            Schedule::Harmonic { a, c: 1.0 } => write!(f, "inverse:{a}"),
            Schedule::Harmonic { a, c } => write!(f, "inverse:{a}:{c}"),
            Schedule::Geometric { a, decay } => write!(f, "exponential:{a}:{decay}"),
            Schedule::InverseRoot { a } => write!(f, "root:{a}"),
            Schedule::Power { a, q } => write!(f, "power:{a}:{q}"),
            Schedule::PowerLog { a, q } => write!(f, "power-log:{a}:{q}"),
            Schedule::Cosine { a, period } => write!(f, "cosine:{a}:{period}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    /// Reads what is displayed.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "schedule `{text}`: expected constant:A, inverse:A, inverse:A:C, root:A, \
                 exponential:A:DECAY, power:A:Q, power-log:A:Q or cosine:A:PERIOD"
            )
        };
        let mut words = text.trim().split(':');
        let name = words.next().unwrap_or_default();
        let numbers: Vec<f64> = words
            .map(|w| w.parse().map_err(|_| refused()))
            .collect::<Result<_, _>>()?;
        let schedule = match (name, &numbers[..]) {
            ("constant", [a]) => Schedule::Constant(*a),
            ("inverse", [a]) => Schedule::harmonic(*a),
            ("inverse", [a, c]) => Schedule::Harmonic { a: *a, c: *c },
            ("root", [a]) => Schedule::InverseRoot { a: *a },
            ("exponential", [a, decay]) => Schedule::Geometric {
                a: *a,
                decay: *decay,
            },
            ("power", [a, q]) => Schedule::Power { a: *a, q: *q },
            ("power-log", [a, q]) => Schedule::PowerLog { a: *a, q: *q },
            ("cosine", [a, period]) if period.fract() == 0.0 && *period >= 0.0 => {
                Schedule::Cosine {
                    a: *a,
                    period: *period as usize,
                }
            }
            _ => return Err(refused()),
        };
        let of = |reason| format!("schedule `{text}`: {reason}");
        schedule.check("step length").map_err(of)?;
        Ok(schedule)
    }
}
