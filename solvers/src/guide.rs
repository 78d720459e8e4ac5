//! The user's guide: a page for each question, with examples that run.
//!
//! **Your problem and its hypergradient**
//!
//! | page | question |
//! |---|---|
//! | [`problem`] | How is a problem written? |
//! | [`programs`] | What is recorded, and what does a linearised point give? |
//! | [`strategies`] | Which hypergradient for which problem? |
//! | [`steps`] | What steps may the lower level take, and what sets may y and x be kept in? |
//! | [`memory`] | What does a deep loop keep, and how does it fit a budget? |
//! | [`statuses`] | What went wrong, and what helps? |
//! | [`certificates`] | How wrong may an answer be? |
//! | [`checking`] | Are the derivatives right? |
//!
//! **Solving for x, and the program**
//!
//! | page | question |
//! |---|---|
//! | [`methods`] | How is x solved for? |
//! | [`stochastic`] | What if the objectives are means over many samples? |
//! | [`command_line`] | Which command answers which question? |
//! | [`runs`] | How does a run survive, and how are many made? |
//! | [`scale`] | How is more than one machine put to use? |
//! | [`data`] | Which files are read, and what becomes of them? |
//! | [`problems`] | What are F and g of each problem of the catalogue? |
//!
//! **Evidence**
//!
//! | page | question |
//! |---|---|
//! | [`results`] | What do the strategies and methods give, measured? |
//! | [`measuring`] | How fast is it, against what, and what does it hold? |
//! | [`evidence`] | Why should a number of ours be believed? |
//!
//! **From elsewhere, and further**
//!
//! | page | question |
//! |---|---|
//! | [`coming_from`] | How does this look in JAX, PyTorch and the libraries on them? |
//! | [`extending`] | How is a step, solver, method, strategy, primitive or set of one's own made? |
//! | [`architecture`] | How is the house built, where does a thing belong, and why? |
//!
//! Whole programs to run are in the folders `examples` of the crates.

// The examples of two pages need `models`, which needs this crate: the package of tests runs them.

#[doc = include_str!("guide/problem.md")]
pub mod problem {}

#[doc = include_str!("guide/programs.md")]
pub mod programs {}

#[doc = include_str!("guide/strategies.md")]
pub mod strategies {}

#[doc = include_str!("guide/steps.md")]
pub mod steps {}

#[doc = include_str!("guide/memory.md")]
pub mod memory {}

#[doc = include_str!("guide/statuses.md")]
pub mod statuses {}

#[doc = include_str!("guide/certificates.md")]
pub mod certificates {}

#[doc = include_str!("guide/checking.md")]
pub mod checking {}

#[doc = include_str!("guide/methods.md")]
pub mod methods {}

#[doc = include_str!("guide/stochastic.md")]
pub mod stochastic {}

#[doc = include_str!("guide/command_line.md")]
pub mod command_line {}

#[doc = include_str!("guide/runs.md")]
pub mod runs {}

#[doc = include_str!("guide/scale.md")]
pub mod scale {}

#[cfg_attr(not(doctest), doc = include_str!("guide/data.md"))]
#[cfg_attr(doctest, doc = "Run by the package of tests.")]
pub mod data {}

#[cfg_attr(not(doctest), doc = include_str!("guide/problems.md"))]
#[cfg_attr(doctest, doc = "Run by the package of tests.")]
pub mod problems {}

#[doc = include_str!("guide/results.md")]
pub mod results {}

#[doc = include_str!("guide/measuring.md")]
pub mod measuring {}

#[doc = include_str!("guide/evidence.md")]
pub mod evidence {}

#[doc = include_str!("guide/coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("guide/extending.md")]
pub mod extending {}

#[doc = include_str!("guide/architecture.md")]
pub mod architecture {}
