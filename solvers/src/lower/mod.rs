//! Solvers of the lower level, each a value of one slot, and the walk along recorded steps.

mod accelerated;
mod newton;
mod proximal;
mod slot;
mod solution;
mod steps;

pub(crate) use accelerated::accelerated;
pub(crate) use newton::{NEWTON_LIMIT, Trend, newton, newton_scratch};
pub(crate) use proximal::{proximal, proximal_scratch};
pub use slot::LowerSolve;
pub(crate) use slot::{Lower, NOTHING};
pub use solution::{LowerSolution, solve_lower};
pub(crate) use steps::{Steps, Walk};
