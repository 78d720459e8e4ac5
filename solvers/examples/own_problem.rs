//! A problem of your own, written once: the program of the README.
//!
//! `cargo run --release -p bilevel-solvers --example own_problem`

// A file of its own, so that a test can hear what it prints.
include!("../src/guide/own_problem.rs");
