//! Solvers of the lower level, each a value of one slot, and the walk along recorded steps.

mod accelerated;
mod coordinates;
mod lbfgs;
mod model;
mod newton;
mod proximal;
mod slot;
mod solution;
mod solve;
mod steps;
mod verdict;
mod working;

pub(crate) use accelerated::accelerated;
pub(crate) use coordinates::{coordinates, coordinates_scratch};
pub(crate) use lbfgs::{lbfgs, lbfgs_scratch};
pub(crate) use newton::{NEWTON_LIMIT, Trend, newton, newton_scratch};
pub(crate) use proximal::{proximal, proximal_scratch};
pub use slot::{LowerRule, LowerSolve};
pub use solution::{LowerSolution, solve_lower, solve_lower_from};
pub(crate) use solve::{Lower, LowerAt, NOTHING};
pub(crate) use steps::{Steps, Walk};
pub(crate) use working::Working;
