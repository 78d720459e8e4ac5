//! A long campaign of random programs, loops and bilevel problems.

mod long;

pub use autodiff::arbitrary::{VARIABLE, for_all, programs};
pub use long::{Campaign, Failure, LOOP_EVERY, PROBLEM_EVERY, Summary};
