//! Problems, strategies, steps and methods by name.

mod implicit;
mod inexact;
mod learned;
pub mod methods;
mod problem_names;
pub mod problems;
pub mod reading;
pub mod settings;
pub(crate) mod settings_text;
pub mod steps;
mod stepwise;
pub mod strategies;

/// A name of the catalogue with one line on what it stands for.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name on the command line.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
}

/// The candidate that a name is a slip of, in either case, if there is one.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let near = known
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .min()?;
    (near.0 <= near.1.len().div_ceil(3).max(2)).then_some(near.1)
}

/// The message for a name that is not in the catalogue, with the nearest one that is.
pub fn unknown(kind: &str, name: &str, known: &[Entry]) -> String {
    let names: Vec<&str> = known.iter().map(|e| e.name).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`? "),
        None => String::new(),
    };
    format!(
        "unknown {kind} `{name}`: {hint}expected one of {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_with_the_nearest_name() {
        let known = problems::ALL;
        assert!(unknown("problem", "logistc", known).contains("did you mean `logistic`?"));
        assert!(unknown("problem", "LOGISTIC", known).contains("did you mean `logistic`?"));
        assert!(!unknown("problem", "zzzzzzzzzzz", known).contains("did you mean"));
    }
}
