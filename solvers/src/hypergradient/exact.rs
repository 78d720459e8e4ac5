//! The exact answer, as far as the precision goes.

use autodiff::Real;
use nalgebra::DVector;

use crate::accuracy::solved;
use crate::linear::Direct;
use crate::{Bilevel, Estimate, Status, Workspace};

use super::aid::Aid;
use super::{ConfigError, Strategy};

/// The hypergradient at the lower level's solution, found to rounding by Newton's method, through
/// the dense Hessian: what the other strategies are measured against.
///
/// # Requirements on the problem
/// As [`Aid`], and `dim_y` small enough for a dense matrix.
///
/// # Cost in oracle calls
/// Newton's, then those of [`Direct`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exact;

impl Exact {
    /// With a tolerance out of reach: the lower level goes on until no step helps.
    fn aid() -> Aid<Direct> {
        Aid::with(Direct).lower_tolerance(f64::MIN_POSITIVE)
    }

    /// The most bytes that the estimate's workspace holds, without running anything; see
    /// [`Aid::predicted_peak_bytes`].
    pub fn predicted_peak_bytes<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        Self::aid().predicted_peak_bytes(problem)
    }
}

impl<T: Real> Strategy<T> for Exact {
    fn name(&self) -> String {
        "exact".into()
    }

    fn validate(&self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        self.suits(problem)?;
        let mut estimate = Self::aid().hypergradient(problem, x, work)?;
        estimate.strategy = Strategy::<T>::name(self);
        if let Status::LowerNotConverged { .. } = estimate.status {
            // What is left is rounding where Newton's method has converged at all.
            let tolerance = crate::default_tolerance::<T>();
            let linear_residual = estimate.linear_residual.unwrap_or(f64::NAN);
            let (distance, allowed) = (estimate.distance.unwrap_or(f64::NAN), solved::<T>());
            estimate.status = if !(distance <= allowed) {
                Status::LowerInaccurate { distance, allowed }
            } else if linear_residual <= tolerance.max(1e3 * T::EPSILON) {
                Status::Converged
            } else {
                Status::LinearNotConverged {
                    residual: linear_residual,
                    tolerance,
                }
            };
        }
        Ok(estimate)
    }
}
