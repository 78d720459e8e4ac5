//! What the tests of the workspace share.
//!
//! * [`properties`]: what holds for every random program, loop and bilevel problem;
//! * [`campaign`]: a long campaign of them;
//! * [`kills`]: runs of the program that are killed and go on;
//! * [`numbers`]: dot products, bits and differences.

pub mod campaign;
pub mod kills;
pub mod misuse;
pub mod properties;

pub use autodiff::arbitrary::numbers;

/// The objectives of the README run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
