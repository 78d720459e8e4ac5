//! What the tests of the workspace share.
//!
//! * [`properties`]: what holds for every random program, loop and bilevel problem;
//! * [`campaign`]: how many are drawn, and how a failure is kept;
//! * [`numbers`]: dot products, bits and differences.

pub mod campaign;
pub mod misuse;
pub mod numbers;
pub mod properties;

/// The objectives of the README run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
