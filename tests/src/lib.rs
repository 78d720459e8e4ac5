//! What the tests of the workspace share.
//!
//! * [`properties`]: what holds for every random program, loop and bilevel problem;
//! * [`campaign`]: a long campaign of them;
//! * [`crew`]: threads of one process as ranks;
//! * [`silent`]: a long campaign of estimates that are wrong and do not say so;
//! * [`runs`]: a long campaign of runs of methods that are worth less at their end and do not say so;
//! * [`kills`]: runs of the program that are killed and go on;
//! * [`progress`]: what the campaigns print on their way;
//! * [`numbers`]: dot products, bits and differences.

pub mod campaign;
pub mod crew;
pub mod kills;
pub mod misuse;
pub mod progress;
pub mod properties;
pub mod runs;
pub mod silent;

use std::any::Any;

pub use autodiff::arbitrary::numbers;

/// The words of a panic; empty where it has none.
pub fn words_of(panic: &(dyn Any + Send)) -> String {
    let fixed = panic.downcast_ref::<&str>().map(|m| (*m).to_owned());
    let words = panic.downcast_ref::<String>().cloned().or(fixed);
    words.unwrap_or_default()
}

/// The README, and the pages of the guide that need `models`.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../solvers/src/guide/data.md")]
    struct Data;

    #[doc = include_str!("../../solvers/src/guide/problems.md")]
    struct Problems;
}
