//! What the lower level has beside g.

use std::sync::Arc;

use autodiff::Real;

use super::{Bilevel, ProblemError};
use crate::ConfigError;
use crate::part::{Part, Recorded};

impl<T: Real> Bilevel<T> {
    /// The problem whose lower level is `min_y g(x, y) + h(x, y)` with this part h of the lower level,
    /// or `min_y g(x, y)` over y in this set. Of numbers a part is made `from` a
    /// [`Constraint`](crate::Constraint) or a [`FixedPart`](crate::FixedPart).
    ///
    /// Gradient steps and FISTA then end in its proximal map, so [`Itd`](crate::Itd),
    /// [`AidStep`](crate::AidStep) and, for sets, [`Bda`](crate::Bda) differentiate it, and
    /// [`Aid`](crate::Aid) and [`Exact`](crate::Exact) solve their linear system on the face that y
    /// lies on. What solves `∇_y g = 0` refuses the problem.
    ///
    /// # Errors
    /// If the part is none of y of `dim_y` entries, its parameters do not have the lengths they must
    /// have, or the problem has steps of its own, constraints or another part.
    #[inline(never)]
    pub fn with_part(mut self, part: Part<T>) -> Result<Self, ProblemError> {
        let name = part.name();
        let wrong = |reason| ProblemError::Part { part: name, reason };
        let beside = match (&self.step, &self.constraints, &self.part) {
            (Some(_), ..) => Some("steps of its own".to_owned()),
            (_, Some(_), _) => Some("constraints".to_owned()),
            (.., Some(own)) => Some(format!("a part of its own ({})", own.part.name())),
            _ => None,
        };
        if let Some(beside) = beside {
            return Err(wrong(format!(
                "the problem has {beside}: expected none beside a part"
            )));
        }
        let recorded = Recorded::new(part, self.dim_x, self.dim_y).map_err(wrong)?;
        self.part = Some(Arc::new(recorded));
        Ok(self)
    }

    /// What the lower level has [beside g](Bilevel::with_part).
    pub fn part(&self) -> Option<&Part<T>> {
        self.part.as_ref().map(|recorded| &recorded.part)
    }

    pub(crate) fn recorded_part(&self) -> Option<&Arc<Recorded<T>>> {
        self.part.as_ref()
    }

    /// The reason why what solves `∇_y g = 0` cannot be run on it, if it has a part beside g or steps
    /// of its own.
    pub(crate) fn not_smooth(&self) -> Option<String> {
        let part = self.part.as_ref().map(|recorded| {
            let name = recorded.part.name();
            format!(
                "the lower level has a part beside g ({name}), so ∇_y g = 0 does not solve it: expected \
                 aid-cg, aid-step or itd, or descent by one of them"
            )
        });
        part.or_else(|| self.own_step())
    }

    /// Refuses a problem whose lower level is not `∇_y g = 0`.
    pub(crate) fn expect_smooth(&self, strategy: impl Into<String>) -> Result<(), ConfigError> {
        self.not_smooth().map_or(Ok(()), |reason| {
            let of = strategy.into();
            Err(ConfigError::Problem { of, reason })
        })
    }
}
