//! How many random values a property sees, and what is kept of a failure.

use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult, TestRunner};

/// The environment variable that sets the number of programs of each property.
pub const VARIABLE: &str = "BILEVEL_PROGRAMS";

/// Programs that a property sees: the number in [`VARIABLE`], or else `sample`.
///
/// # Panics
/// If the variable is set to something that is not a number.
pub fn programs(sample: u32) -> u32 {
    match std::env::var(VARIABLE) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{VARIABLE}={text}: expected a number of programs")),
        Err(_) => sample,
    }
}

/// Checks a property on `programs(sample)` values of a strategy; panics with a smallest
/// counterexample, whose seed is kept beside the test's `source` file.
///
/// # Panics
/// If a value fails the property.
#[track_caller]
pub fn for_all<S: Strategy>(
    source: &'static str,
    sample: u32,
    strategy: S,
    property: impl Fn(S::Value) -> TestCaseResult,
) where
    S::Value: Debug,
{
    let config = Config {
        cases: programs(sample),
        max_shrink_iters: 20_000,
        source_file: Some(source),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    };
    if let Err(failure) = TestRunner::new(config).run(&strategy, property) {
        panic!("{failure}");
    }
}
