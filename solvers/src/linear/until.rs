//! When a Krylov method ends.

use autodiff::Real;

use crate::default_tolerance;

/// When an iteration ends that would be done after as many steps as there are unknowns, but for rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Until {
    /// The relative residual asked for; that of the precision if there is none.
    pub(super) tolerance: Option<f64>,
    /// The most iterations; some more than four for each unknown if there is none.
    pub(super) max_iterations: Option<usize>,
}

impl Until {
    /// To this relative residual.
    pub(super) fn to(tolerance: Option<f64>) -> Self {
        Until {
            tolerance,
            max_iterations: None,
        }
    }

    /// The relative residual asked for.
    pub(super) fn tolerance<T: Real>(self) -> f64 {
        self.tolerance.unwrap_or(default_tolerance::<T>())
    }

    /// The relative residual and the most iterations, for `n` unknowns.
    pub(super) fn of<T: Real>(self, n: usize) -> (f64, usize) {
        let limit = self.max_iterations.unwrap_or(4 * n + 100);
        (self.tolerance::<T>(), limit)
    }
}

/// What a solver with a field `until` is told: `ends!(Cg)`, or `ends!(Pcg<P>)` of what it is generic in.
macro_rules! ends {
    ($solver:ident $(<$of:ident>)?) => {
        impl $(<$of>)? $solver $(<$of>)? {
            /// Stops at `‖Hv − b‖ ≤ tolerance ‖b‖`.
            #[must_use]
            pub fn tolerance(mut self, tolerance: f64) -> Self {
                self.until.tolerance = Some(tolerance);
                self
            }

            /// Stops after this many iterations.
            #[must_use]
            pub fn max_iterations(mut self, count: usize) -> Self {
                self.until.max_iterations = Some(count);
                self
            }
        }
    };
}

pub(super) use ends;
