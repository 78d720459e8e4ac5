//! A decay as a ratio of small whole numbers, which integers can be multiplied by and back.

use crate::real::Real;

/// The largest numerator and denominator: two of them fit in a word of the bit store.
const MOST: u64 = u16::MAX as u64;

/// A decay `n/d` with whole numbers 0 < n ≤ d ≤ 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decay {
    pub(super) n: u32,
    pub(super) d: u32,
}

/// A decay that no momentum can be undone with.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "decay {given}: expected a ratio n/d in (0, 1] of whole numbers up to 65535, such as {}/{} = {}",
    nearest.n, nearest.d, nearest.value()
)]
#[non_exhaustive]
pub struct DecayError {
    /// The decay asked for.
    pub given: f64,
    /// A ratio near it.
    pub nearest: Decay,
}

impl Decay {
    /// The ratio that rounds to `given` in this precision.
    ///
    /// # Errors
    /// If there is none, with one near it. Every decimal of up to four places in (0, 1] has one.
    pub fn of<T: Real>(given: f64) -> Result<Self, DecayError> {
        let error = |nearest| DecayError { given, nearest };
        if !(given > 0.0 && given <= 1.0) {
            let nearest = if given > 1.0 {
                Decay { n: 1, d: 1 }
            } else {
                Decay { n: 9, d: 10 }
            };
            return Err(error(nearest));
        }
        // Convergents h/k of the continued fraction.
        let (mut before, mut last) = ((0, 1), (1, 0));
        let mut rest = given;
        let mut nearest = Decay {
            n: 1,
            d: MOST as u32,
        };
        // Each denominator is at least the Fibonacci number of its index.
        for _ in 0..32 {
            let whole = rest.floor();
            if whole > MOST as f64 {
                break;
            }
            let next = |l: u64, b: u64| whole as u64 * l + b;
            let (n, d) = (next(last.0, before.0), next(last.1, before.1));
            if d > MOST {
                break;
            }
            (before, last) = (last, (n, d));
            if n > 0 {
                nearest = Decay {
                    n: n as u32,
                    d: d as u32,
                };
                if T::of(nearest.value()) == T::of(given) {
                    return Ok(nearest);
                }
            }
            if rest == whole {
                break;
            }
            rest = 1.0 / (rest - whole);
        }
        Err(error(nearest))
    }

    /// The number.
    pub fn value(self) -> f64 {
        f64::from(self.n) / f64::from(self.d)
    }

    /// Bits that one multiplication of an integer by it loses: log₂(d/n).
    pub fn bits(self) -> f64 {
        -self.value().log2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_their_ratios() {
        for (given, n, d) in [
            (0.9, 9, 10),
            (0.5, 1, 2),
            (0.99, 99, 100),
            (0.9999, 9999, 10_000),
            (1.0, 1, 1),
            (1.0 / 3.0, 1, 3),
            (0.0001, 1, 10_000),
            (12345.0 / 65535.0, 823, 4369),
        ] {
            assert_eq!(Decay::of::<f64>(given), Ok(Decay { n, d }), "{given}");
            assert_eq!(Decay::of::<f32>(given), Ok(Decay { n, d }), "{given}");
        }
        for k in 1..=10_000 {
            let given = f64::from(k) / 1e4;
            assert_eq!(Decay::of::<f64>(given).map(Decay::value), Ok(given));
        }
    }

    #[test]
    fn others_are_refused_with_one_that_will_do() {
        for given in [
            0.0,
            -0.5,
            1.5,
            f64::NAN,
            1e-7,
            0.123_456_789_012,
            1.0 - 1e-9,
        ] {
            let error = Decay::of::<f64>(given).unwrap_err();
            let near = error.nearest.value();
            assert_eq!(Decay::of::<f64>(near), Ok(error.nearest), "{given}");
            if given > 1.0 {
                assert_eq!(near, 1.0);
            } else if given <= 0.0 || given.is_nan() {
                assert_eq!(near, 0.9, "{given}");
            }
            if given > 0.0 && given <= 1.0 {
                assert!((near - given).abs() < 2e-5, "{given}: {near}");
            }
            let message = error.to_string();
            assert!(message.contains("expected") && !message.contains('\n'));
        }
    }
}
