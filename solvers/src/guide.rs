//! The user's guide: a page for each concept, with examples that run.
//!
//! | page | question |
//! |---|---|
//! | [`problem`] | How is a problem written? |
//! | [`programs`] | What is recorded, and what does a linearised point give? |
//! | [`strategies`] | Which hypergradient for which problem? |
//! | [`memory`] | What does a deep loop keep, and how does it fit a budget? |
//! | [`statuses`] | What went wrong, and what helps? |
//! | [`certificates`] | How wrong may an answer be? |
//! | [`checking`] | Are the derivatives right? |
//! | [`stochastic`] | What if the objectives are means over many samples? |
//! | [`architecture`] | How is the house built, where does a thing belong, and why? |
//! | [`coming_from`] | How does this look in JAX, PyTorch, hypertorch, Betty or TorchOpt? |
//!
//! Whole programs to run are in the folders `examples` of the crates.

#[doc = include_str!("guide/problem.md")]
pub mod problem {}

#[doc = include_str!("guide/programs.md")]
pub mod programs {}

#[doc = include_str!("guide/strategies.md")]
pub mod strategies {}

#[doc = include_str!("guide/memory.md")]
pub mod memory {}

#[doc = include_str!("guide/statuses.md")]
pub mod statuses {}

#[doc = include_str!("guide/certificates.md")]
pub mod certificates {}

#[doc = include_str!("guide/checking.md")]
pub mod checking {}

#[doc = include_str!("guide/stochastic.md")]
pub mod stochastic {}

#[doc = include_str!("guide/architecture.md")]
pub mod architecture {}

#[doc = include_str!("guide/coming_from.md")]
pub mod coming_from {}
