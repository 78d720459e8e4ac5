//! The exact answer, as far as the precision goes.

use std::sync::Arc;

use autodiff::Real;
use nalgebra::DVector;

use crate::linear::Direct;
use crate::{Bilevel, Estimate, Workspace};

use super::aid::{Aid, expect_smooth};
use super::{ConfigError, Room, Strategy, StrategyEntry};

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
    /// The lower level goes on until no step helps.
    fn aid() -> Aid<Direct> {
        Aid::with(Direct).until_rounding()
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

    fn room(&self, dim_y: usize) -> Room {
        Strategy::<T>::room(&Self::aid(), dim_y)
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
        Ok(estimate)
    }
}

/// The name `exact`.
pub(super) fn entry<T: Real>() -> StrategyEntry<T> {
    let about = "lower level to rounding, dense Hessian: what the others are measured against";
    StrategyEntry::new("exact", about, &["inner"], |call| {
        expect_smooth(call.name, call.settings)?;
        Ok(Arc::new(Exact))
    })
}
