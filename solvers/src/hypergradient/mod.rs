//! The one slot of hypergradient strategies.

mod aid;
mod aid_step;
mod bda;
mod exact;
mod footprint;
mod itd;
mod planner;
mod room;
mod session;
mod slowest;
mod unrolled;

pub use aid::{Aid, LowerSolve};
pub use aid_step::{AidStep, StepSystem};
pub use bda::{Bda, OneStage};
pub use exact::Exact;
pub use itd::Itd;
pub use planner::{ANY_DEPTH, BudgetError, Plan};
pub use room::Room;

use std::fmt::Debug;
use std::sync::Arc;

use autodiff::Real;
use nalgebra::DVector;

use crate::catalogue::Entry;
use crate::{Bilevel, Estimate, Workspace};

/// The name of a strategy.
pub(crate) type StrategyEntry<T> = Entry<dyn Strategy<T>>;

/// Every strategy by name.
pub(crate) fn entries<T: Real>() -> Vec<StrategyEntry<T>> {
    let mut entries = vec![exact::entry()];
    entries.extend(itd::entries());
    entries.extend(aid::entries());
    entries.extend(aid_step::entries());
    entries.extend(bda::entries());
    entries
}

/// A setting that no problem could be solved with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{strategy}: {reason}")]
pub struct ConfigError {
    /// The strategy or method.
    pub strategy: String,
    /// What is wrong and what was expected.
    pub reason: String,
}

/// A way of computing a hypergradient; each is a value of one slot.
pub trait Strategy<T: Real>: Debug + Send + Sync {
    /// The name in records: `itd`, `aid-cg`, `bda`, ….
    fn name(&self) -> String;

    /// Checks the settings, before any work.
    ///
    /// # Errors
    /// With the reason, and what was expected.
    fn validate(&self) -> Result<(), ConfigError>;

    /// Checks that the strategy can be run on a problem, before any work. Unless a strategy says
    /// otherwise, it cannot on one that [brings its own steps](Bilevel::with_step).
    ///
    /// # Errors
    /// With the reason, and what was expected.
    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        problem.expect_no_step(self.name())
    }

    /// What it holds beyond a few vectors, for y of `dim_y` entries; nothing unless it says so.
    fn room(&self, dim_y: usize) -> Room {
        let _ = dim_y;
        Room::default()
    }

    /// The hypergradient at `x`, the lower level started where `work` says.
    ///
    /// # Errors
    /// As [`validate`](Strategy::validate) and [`suits`](Strategy::suits). Numerical trouble is no error: it is the estimate's
    /// [`status`](Estimate::status).
    ///
    /// # Panics
    /// If `x` does not have `dim_x` entries, or `work` is of another problem.
    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError>;
}

/// A strategy chosen at run time.
impl<T: Real, S: Strategy<T> + ?Sized> Strategy<T> for Arc<S> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn validate(&self) -> Result<(), ConfigError> {
        (**self).validate()
    }

    fn suits(&self, problem: &Bilevel<T>) -> Result<(), ConfigError> {
        (**self).suits(problem)
    }

    fn room(&self, dim_y: usize) -> Room {
        (**self).room(dim_y)
    }

    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        (**self).hypergradient(problem, x, work)
    }
}
