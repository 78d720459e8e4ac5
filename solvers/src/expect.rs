//! What settings are expected to be: the reason why one is not, in one line.

use std::fmt::Display;

/// Why this is no positive number, if it is none.
pub(crate) fn positive(what: impl Display, v: f64) -> Option<String> {
    let bad = !(v.is_finite() && v > 0.0);
    bad.then(|| format!("{what} {v}: expected a positive number"))
}

/// Why this is no number from 0 on, if it is none.
pub(crate) fn from_0(what: impl Display, v: f64) -> Option<String> {
    let bad = !(v.is_finite() && v >= 0.0);
    bad.then(|| format!("{what} {v}: expected a number from 0 on"))
}

/// Why this is no number of `what`, if it is none.
pub(crate) fn at_least_1(what: impl Display, count: usize) -> Option<String> {
    (count == 0).then(|| format!("0 {what}: expected at least 1"))
}
