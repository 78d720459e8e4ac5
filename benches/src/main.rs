//! The `bilevel` program.
fn main() {}
