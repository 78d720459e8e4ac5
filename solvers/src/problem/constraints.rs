//! Constraints between the levels.

use std::sync::Arc;

use autodiff::Real;

use super::{Bilevel, ProblemError};
use crate::constraints::{Constraints, Recorded};

impl<T: Real> Bilevel<T> {
    /// The problem whose lower level is `min_y g(x, y)` under these constraints.
    ///
    /// [`Kkt`](crate::Kkt) and [`Exact`](crate::Exact) solve and differentiate it, and every method
    /// that descends along their hypergradients. What solves `∇_y g = 0` refuses it; with a
    /// [barrier](Constraints::barrier) in g it need not.
    ///
    /// # Errors
    /// If there are none, one does not depend on y, or the problem has a part or steps of its own.
    #[inline(never)]
    pub fn with_constraints(mut self, constraints: Constraints<T>) -> Result<Self, ProblemError> {
        let beside = match (&self.part, &self.step) {
            (Some(part), _) => Some(format!("a part beside g ({})", part.part.name())),
            (_, Some(_)) => Some("steps of its own".to_owned()),
            _ => None,
        };
        let recorded = match beside {
            Some(beside) => Err(format!(
                "the problem has {beside}: expected none beside constraints"
            )),
            None => Recorded::new(constraints, self.dim_x, self.dim_y),
        };
        let recorded = recorded.map_err(|reason| ProblemError::Constraints { reason })?;
        self.constraints = Some(Arc::new(recorded));
        Ok(self)
    }

    /// The [constraints](Bilevel::with_constraints) of the lower level.
    pub fn constraints(&self) -> Option<&Constraints<T>> {
        self.constraints.as_ref().map(|recorded| &recorded.given)
    }

    pub(crate) fn recorded_constraints(&self) -> Option<&Arc<Recorded<T>>> {
        self.constraints.as_ref()
    }

    /// The reason why what knows no constraints between the levels cannot be run on it, if it has
    /// some.
    pub(crate) fn constrained(&self) -> Option<String> {
        self.constraints.as_ref().map(|recorded| {
            format!(
                "the lower level has constraints ({} of them): expected kkt or exact, or descent by \
                 one of them; or a barrier in g",
                recorded.count()
            )
        })
    }
}
