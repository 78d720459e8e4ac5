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

/// The value of a name.
pub(crate) fn one_of<V: Copy>(all: &[(&'static str, V)], name: &str) -> Result<V, String> {
    let found = all.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names = Vec::from_iter(all.iter().map(|(name, _)| *name)).join(", ");
        format!("{name}: expected one of {names}")
    })
}

/// The name of a value that has one.
pub(crate) fn name_of<V: PartialEq>(all: &[(&'static str, V)], value: &V) -> &'static str {
    let named = all.iter().find(|(_, of)| of == value);
    named.map_or("", |(name, _)| name)
}

/// Refuses a count of 0.
pub(crate) fn at_least_1(what: &str, count: usize) -> Result<(), String> {
    match count {
        0 => Err(format!("0 {what}: expected at least 1")),
        _ => Ok(()),
    }
}
