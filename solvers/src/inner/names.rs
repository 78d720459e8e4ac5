//! The names of inner steps, as on the command line.

use std::fmt;
use std::str::FromStr;

use super::{Constraint, InnerStep, Proximal};

/// A kind of step by name.
#[derive(Debug)]
pub struct StepEntry {
    /// The name, with its numbers in capitals.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// The step with these numbers, if it takes as many.
    pub(super) make: fn(&[f64]) -> Option<InnerStep>,
}

impl StepEntry {
    /// The name before its numbers.
    fn kind(&self) -> &'static str {
        self.name.split(':').next().unwrap_or_default()
    }
}

impl fmt::Display for Proximal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Proximal::Constraint(Constraint::None) => f.write_str("gd"),
            Proximal::Constraint(Constraint::Box { low, high }) => {
                write!(f, "projected-box:{low}:{high}")
            }
            Proximal::Constraint(Constraint::Simplex) => f.write_str("projected-simplex"),
            Proximal::Constraint(Constraint::Ball { radius }) => {
                write!(f, "projected-ball:{radius}")
            }
            Proximal::SoftThreshold { weight } => write!(f, "soft-threshold:{weight}"),
        }
    }
}

/// A name that is no inner step's, or numbers that make none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct ParseInnerStepError {
    name: String,
    reason: String,
}

impl FromStr for InnerStep {
    type Err = ParseInnerStepError;

    fn from_str(name: &str) -> Result<Self, ParseInnerStepError> {
        let error = |reason: String| ParseInnerStepError {
            name: name.to_owned(),
            reason,
        };
        let step = parse(name).ok_or_else(|| {
            let names = InnerStep::ALL
                .iter()
                .map(|entry| format!("`{}`", entry.name));
            let names = Vec::from_iter(names).join(", ");
            error(format!("expected one of {names}"))
        })?;
        match step.complaint(Default::default()) {
            Some(reason) => Err(error(reason)),
            None => Ok(step),
        }
    }
}

fn parse(name: &str) -> Option<InnerStep> {
    if let Some(rest) = name.strip_prefix("fista:") {
        return match parse(rest)? {
            InnerStep::Proximal(proximal) => Some(InnerStep::Fista(proximal)),
            _ => None,
        };
    }
    let mut parts = name.split(':');
    let kind = parts.next()?;
    let numbers: Vec<f64> = parts.map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let mut entries = InnerStep::ALL.iter().filter(|entry| entry.kind() == kind);
    entries.find_map(|entry| (entry.make)(&numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [
            "gd",
            "momentum:0.9",
            "nesterov:0.5",
            "adam:0.01",
            "adam:0.01:0",
            "adam:0.01:0.0001:0.5",
            "rmsprop:0.01:0.9",
            "rmsprop:0.01:0.9:0.0001",
            "projected-box:-1:2.5",
            "projected-box:0:inf",
            "projected-simplex",
            "projected-ball:2",
            "soft-threshold:0.1",
            "fista",
            "fista:projected-box:0:1",
            "fista:projected-simplex",
            "fista:soft-threshold:0.1",
        ] {
            let step: InnerStep = name.parse().expect(name);
            assert_eq!(step.to_string(), name);
        }
        assert_eq!("adam".parse(), Ok(InnerStep::Adam { rate: 0.1 }));
    }

    #[test]
    fn what_is_no_step_is_refused_with_what_was_expected() {
        for (name, part) in [
            ("gd:1", "expected one of `gd`, `momentum:BETA`"),
            ("momentum", "expected one of `gd`"),
            ("momentum:1", "momentum 1: expected a number in [0, 1)"),
            ("adam:-1", "rate -1: expected a positive number"),
            ("adam:x", "expected one of `gd`"),
            ("adam:1:-1", "eps -1: expected 0 or a positive number"),
            ("adam:1:0:0", "eps_root 0: expected a positive number"),
            ("adam:1:0:1:2", "expected one of `gd`"),
            ("rmsprop:0", "rate 0: expected a positive number"),
            ("rmsprop:1:1", "decay 1: expected a number in [0, 1)"),
            ("rmsprop:1:0.9:0", "eps_root 0: expected a positive number"),
            (
                "projected-box:1:0",
                "bounds 1 to 0: expected the lower one first",
            ),
            ("projected-box:inf:inf", "expected a finite number between"),
            ("projected-box:0", "`projected-box:LOW:HIGH`"),
            ("projected-ball:0", "radius 0: expected a positive number"),
            ("soft-threshold:-2", "weight -2: expected 0 or a positive"),
            ("soft-threshold:nan", "weight NaN: expected 0 or a positive"),
            ("fista:gd", "expected one of `gd`"),
            ("", "expected one of `gd`"),
        ] {
            let error = name.parse::<InnerStep>().expect_err(name).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
