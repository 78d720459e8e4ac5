//! The `bilevel` program: its command line, and its runs over the catalogue.
//!
//! [`catalogue`] gives problems, strategies and methods their names; [`runs`] makes records of them,
//! where [`mod@study`] makes those of any problem and their page; [`cli`] reads arguments and prints.
//! [`workloads`] are what the benches time.

pub mod catalogue;
pub mod cli;
pub mod runs;
pub mod workloads;
