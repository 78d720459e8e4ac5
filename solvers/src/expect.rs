//! What settings are expected to be, and the one line that says why one is not.

/// A positive number.
pub(crate) fn positive(what: &str, v: f64) -> Result<(), String> {
    number(what, v, v > 0.0, "a positive number")
}

/// A number from 0 on.
pub(crate) fn from_0(what: &str, v: f64) -> Result<(), String> {
    number(what, v, v >= 0.0, "a number from 0 on")
}

/// A finite number for which `fits` holds.
pub(crate) fn number(what: &str, v: f64, fits: bool, expected: &str) -> Result<(), String> {
    match v.is_finite() && fits {
        true => Ok(()),
        false => Err(format!("{what} {v}: expected {expected}")),
    }
}

/// Refuses a count of 0.
pub(crate) fn at_least_1(what: &str, count: usize) -> Result<(), String> {
    match count {
        0 => Err(format!("0 {what}: expected at least 1")),
        _ => Ok(()),
    }
}
