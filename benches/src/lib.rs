//! The `bilevel` program: its command line, what it studies, and its report.
//!
//! [`catalogue`] gives problems, strategies and methods their names; [`study`] runs them and makes
//! records; [`cli`] reads arguments and prints; [`report`] lays out the page. [`workloads`] are what
//! the benches time.

pub mod catalogue;
pub mod cli;
pub mod report;
pub mod study;
pub mod workloads;
