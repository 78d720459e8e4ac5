//! The names of inner steps, as on the command line.

use std::str::FromStr;

use super::InnerStep;
use crate::catalogue::{Numbered, ParseNameError};
use crate::part::FixedPart;

/// A kind of step by name.
pub(super) type StepEntry = Numbered<InnerStep>;

impl FromStr for InnerStep {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        if let Some(reason) = is_a_part(name) {
            return Err(ParseNameError::new(name, reason));
        }
        Numbered::parse(Self::ALL, name, |step| step.complaint(Default::default()))
    }
}

/// What to write in place of the name of steps that end in a set or a threshold, if it is one.
fn is_a_part(name: &str) -> Option<String> {
    let (step, rest) = match name.strip_prefix("fista:") {
        Some(rest) => ("fista", rest),
        None => ("gd", name),
    };
    let part = match rest.strip_prefix("soft-threshold") {
        Some(weight) => format!("l1{weight}"),
        None => rest.strip_prefix("projected-").unwrap_or(rest).to_owned(),
    };
    part.parse::<FixedPart>().ok().map(|part| {
        format!(
            "a set or a threshold is the problem's: expected step `{step}` and part `{part}` \
             (--inner {step} --part {part})"
        )
    })
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
            "fista",
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
                "momentun:0.5",
                "did you mean `momentum`? expected one of `gd`",
            ),
            ("fista:gd", "expected one of `gd`"),
            ("", "expected one of `gd`"),
        ] {
            let error = name.parse::<InnerStep>().expect_err(name).to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_was_a_step_says_what_it_is_now() {
        for (name, want) in [
            ("projected-box:-1:inf", "--inner gd --part box:-1:inf"),
            ("projected-simplex", "--inner gd --part simplex"),
            ("projected-ball:2", "--inner gd --part ball:2"),
            ("soft-threshold:0.1", "--inner gd --part l1:0.1"),
            ("fista:soft-threshold:0.1", "--inner fista --part l1:0.1"),
            ("fista:projected-simplex", "--inner fista --part simplex"),
            // A part's name in the step's place.
            ("box:0:1", "--inner gd --part box:0:1"),
        ] {
            let error = name.parse::<InnerStep>().expect_err(name).to_string();
            assert!(error.starts_with(name) && error.contains(want), "{error}");
        }
    }
}
