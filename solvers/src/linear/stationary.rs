//! What the stationary iterations share: when they end, the length of their step, what they see.

use autodiff::Real;
use autodiff::kernels::{dot, norm};

use crate::catalogue::Call;
use crate::default_tolerance;
use crate::inner::StepLength;

use super::{Operator, Outcome, Scratch, flat, largest_magnitude, least_ritz, positive};

/// Iterations to a tolerance, unless told otherwise.
const MAX_ITERATIONS: usize = 10_000;

/// The settings of an iteration with the matrix I − sH.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) count: Option<usize>,
    pub(super) tolerance: Option<f64>,
    pub(super) max_iterations: Option<usize>,
    pub(super) length: StepLength,
}

/// What an iteration with `settings` is told beside its count, whose setter is named.
macro_rules! ends {
    ($solver:ident, $count:ident) => {
        impl $solver {
            /// Stops at `‖Hv − b‖ ≤ tolerance ‖b‖`; not together with
            #[doc = concat!("[`", stringify!($count), "`](", stringify!($solver), "::", stringify!($count), ").")]
            #[must_use]
            pub fn tolerance(mut self, tolerance: f64) -> Self {
                self.settings.tolerance = Some(tolerance);
                self
            }

            /// The iterations after which one to a tolerance ends in any case.
            #[must_use]
            pub fn max_iterations(mut self, count: usize) -> Self {
                self.settings.max_iterations = Some(count);
                self
            }

            /// The step length s.
            #[must_use]
            pub fn step(mut self, length: StepLength) -> Self {
                self.settings.length = length;
                self
            }
        }
    };
}

pub(super) use ends;

impl Settings {
    /// The settings that a name stands for. A count and a tolerance exclude each other: a count that
    /// was given is what is meant.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, String> {
        let count = call.count()?;
        Ok(Settings {
            count,
            tolerance: call.settings.tolerance.filter(|_| count.is_none()),
            max_iterations: None,
            length: call.settings.length(),
        })
    }

    pub(super) fn tolerance<T: Real>(&self) -> f64 {
        self.tolerance.unwrap_or(default_tolerance::<T>())
    }

    /// Iterations after which it ends in any case.
    pub(super) fn limit(&self) -> usize {
        let limit = self.max_iterations.unwrap_or(MAX_ITERATIONS);
        self.count.unwrap_or(limit)
    }

    /// What a loop that made all its iterations has come to.
    pub(super) fn end(&self) -> Outcome {
        match self.count {
            Some(_) => Outcome::Approximate,
            None => Outcome::Exhausted,
        }
    }

    /// Whether a relative residual is small enough to end: with a count only zero is.
    pub(super) fn is_met<T: Real>(&self, residual: f64) -> bool {
        residual == 0.0 || self.count.is_none() && residual <= self.tolerance::<T>()
    }

    pub(super) fn complaint(&self, what: &str) -> Option<String> {
        let both = match (self.count, self.tolerance, self.max_iterations) {
            (Some(count), Some(tolerance), _) => Some(format!(
                "{what} {count} and tolerance {tolerance}: expected one of them"
            )),
            (Some(count), _, Some(limit)) => Some(format!(
                "{what} {count} and at most {limit} iterations: expected one of them"
            )),
            _ => None,
        };
        let tolerance = self.tolerance.and_then(|t| positive("tolerance", t));
        both.or(tolerance).or(self.length.complaint())
    }

    /// The step length s, for `n` unknowns; found by twenty products with [`StepLength::Auto`].
    pub(super) fn resolve<T: Real>(
        &self,
        h: &mut dyn Operator<T>,
        n: usize,
        scratch: &mut Scratch<'_, T>,
    ) -> f64 {
        resolve(self.length, h, n, scratch)
    }
}

/// A step length below 2 over the largest eigenvalue of H, if it is to be found.
pub(super) fn resolve<T: Real>(
    length: StepLength,
    h: &mut dyn Operator<T>,
    n: usize,
    scratch: &mut Scratch<'_, T>,
) -> f64 {
    match length {
        StepLength::Fixed(length) => length,
        StepLength::Auto => {
            let [v, hv] = scratch.vectors(n);
            let largest = largest_magnitude(h, v, hv);
            match largest {
                0.0 => 1.0,
                l if l.is_finite() => 1.0 / l,
                _ => f64::NAN,
            }
        }
    }
}

/// What the residuals r and (I − sH)r of a symmetric H tell of it.
///
/// The norms of (I − sH)ᵏr are log-convex in k, so that one that grows once grows ever after: a
/// single step upwards proves a spectral radius above 1.
pub(super) struct Watch {
    /// Whether it goes on where nothing but rounding is left.
    counted: bool,
    flat: f64,
    largest: f64,
}

impl Watch {
    pub(super) fn new<T: Real>(settings: &Settings, n: usize) -> Self {
        Watch {
            counted: settings.count.is_some(),
            flat: flat::<T>(n),
            largest: 0.0,
        }
    }

    /// Looks at a residual r and at H r, for steps of length `s`. Rounding blurs r by `blur` times
    /// the precision, relative to its norm. What is found ends the iteration, at the iterate with
    /// residual r.
    pub(super) fn look<T: Real>(
        &mut self,
        r: &[T],
        hr: &[T],
        s: f64,
        blur: f64,
    ) -> Option<Outcome> {
        let size = norm(r).f64();
        let (product, slope) = (norm(hr).f64() / size, dot(r, hr).f64() / size / size);
        if !(product.is_finite() && slope.is_finite()) {
            return Some(Outcome::NonFinite);
        }
        self.largest = self.largest.max(product);
        if T::EPSILON * blur >= 1.0 {
            return (!self.counted).then_some(Outcome::Exhausted);
        }
        let flat = self.flat * (1.0 + blur);
        if product <= flat.min(1e-3) * self.largest {
            return Some(Outcome::Inconsistent { residual: size });
        }
        // ‖r − sHr‖² / ‖r‖²
        let growth = 1.0 - 2.0 * s * slope + (s * product).powi(2);
        if growth.max(0.0).sqrt() <= 1.0 + flat {
            return None;
        }
        Some(Outcome::Diverged {
            growth: growth.sqrt(),
        })
    }

    /// The outcome with negative curvature told from a step that is too long, by two products. `r`,
    /// of the last look, is overwritten then, and so is `hr`.
    ///
    /// (I − sH)r is in the span of r and Hr, so one of H's two Ritz values θ there has |1 − sθ| > 1:
    /// it is negative, or the largest eigenvalue is above 2/s.
    pub(super) fn cause<T: Real>(
        &self,
        outcome: Outcome,
        h: &mut dyn Operator<T>,
        r: &mut [T],
        hr: &mut [T],
    ) -> Outcome {
        let Outcome::Diverged { .. } = outcome else {
            return outcome;
        };
        h.apply(r, hr);
        let relative_curvature = least_ritz(h, r, hr, self.largest);
        if relative_curvature < -self.flat {
            Outcome::Negative { relative_curvature }
        } else {
            outcome
        }
    }

    /// The largest ‖Hr‖ / ‖r‖ so far.
    pub(super) fn largest(&self) -> f64 {
        self.largest
    }
}
