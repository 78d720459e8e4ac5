//! Values of arguments, as the parser of arguments reads them.

use solvers::catalogue::{Kind, Value};

/// Beyond it, starting threads alone takes longer than the work.
const MOST_THREADS: usize = 1024;

/// A whole number from 1 on.
pub(super) fn count(text: &str) -> Result<usize, String> {
    match Kind::Count.read(text)? {
        Value::Count(count) => Ok(count),
        _ => unreachable!("a count"),
    }
}

/// A number of threads.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    match count(text)? {
        threads if threads <= MOST_THREADS => Ok(threads),
        _ => Err(format!("{text}: expected at most {MOST_THREADS}")),
    }
}

/// A whole number from 0 on.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    let exact = || solvers::catalogue::exact(text).and_then(|n| u64::try_from(n).ok());
    text.parse().ok().or_else(exact).ok_or_else(|| {
        format!(
            "{text}: expected a whole number from 0 on, less than 2^{}",
            u64::BITS
        )
    })
}
