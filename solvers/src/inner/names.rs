//! The names of inner steps, as on the command line.

use std::fmt;
use std::str::FromStr;

use crate::catalogue::Row;

use super::{Constraint, InnerStep, Proximal};

/// The names of the kinds of step, with their numbers in capitals.
pub(super) const NAMES: &str = "`gd`, `momentum:BETA` or `nesterov:BETA` with BETA in [0, 1), \
    `adam[:RATE[:EPS[:EPS_ROOT]]]`, `projected-box:LOW:HIGH`, `projected-simplex`, \
    `projected-ball:RADIUS`, `soft-threshold:WEIGHT`, or \
    `fista[:PROJECTION or soft-threshold:WEIGHT]`";

/// The kinds of step on the lower level.
pub const STEPS: &[Row] = &[
    Row {
        name: "gd",
        about: "gradient descent",
    },
    Row {
        name: "momentum:BETA",
        about: "heavy ball",
    },
    Row {
        name: "nesterov:BETA",
        about: "Nesterov's momentum",
    },
    Row {
        name: "adam:RATE:EPS:EPS_ROOT",
        about: "Adam; without RATE 0.1, EPS 0, EPS_ROOT (RATE times the curvature)^2",
    },
    Row {
        name: "projected-box:LOW:HIGH",
        about: "gradient steps projected to a box; a bound may be inf",
    },
    Row {
        name: "projected-simplex",
        about: "gradient steps projected to the probability simplex",
    },
    Row {
        name: "projected-ball:RADIUS",
        about: "gradient steps projected to a ball about 0",
    },
    Row {
        name: "soft-threshold:WEIGHT",
        about: "proximal gradient steps (ISTA) on g + WEIGHT·‖y‖₁",
    },
    Row {
        name: "fista",
        about: "accelerated gradient steps",
    },
    Row {
        name: "fista:soft-threshold:WEIGHT",
        about: "the same on g + WEIGHT·‖y‖₁; fista:projected-… likewise",
    },
];

/// Rate of `adam` without a number.
const ADAM_RATE: f64 = 0.1;

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

impl fmt::Display for InnerStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            InnerStep::GradientDescent => f.write_str("gd"),
            InnerStep::Momentum(beta) => write!(f, "momentum:{beta}"),
            InnerStep::Nesterov(beta) => write!(f, "nesterov:{beta}"),
            InnerStep::Adam { rate } => write!(f, "adam:{rate}"),
            InnerStep::AdamWith {
                rate,
                eps,
                eps_root: None,
            } => write!(f, "adam:{rate}:{eps}"),
            InnerStep::AdamWith {
                rate,
                eps,
                eps_root: Some(root),
            } => write!(f, "adam:{rate}:{eps}:{root}"),
            InnerStep::Proximal(proximal) => write!(f, "{proximal}"),
            InnerStep::Fista(Proximal::NONE) => f.write_str("fista"),
            InnerStep::Fista(proximal) => write!(f, "fista:{proximal}"),
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
        let step = parse(name).ok_or_else(|| error(format!("expected {NAMES}")))?;
        match step.complaint(Default::default()) {
            Some(reason) => Err(error(reason)),
            None => Ok(step),
        }
    }
}

fn parse(name: &str) -> Option<InnerStep> {
    let parts: Vec<&str> = name.split(':').collect();
    let number = |k: usize| parts[k].parse::<f64>().ok();
    Some(match (parts[0], parts.len()) {
        ("gd", 1) => InnerStep::GradientDescent,
        ("momentum", 2) => InnerStep::Momentum(number(1)?),
        ("nesterov", 2) => InnerStep::Nesterov(number(1)?),
        ("adam", 1) => InnerStep::Adam { rate: ADAM_RATE },
        ("adam", 2) => InnerStep::Adam { rate: number(1)? },
        ("adam", 3 | 4) => InnerStep::AdamWith {
            rate: number(1)?,
            eps: number(2)?,
            eps_root: if parts.len() == 4 {
                Some(number(3)?)
            } else {
                None
            },
        },
        ("fista", 1) => InnerStep::Fista(Proximal::NONE),
        ("fista", _) => InnerStep::Fista(proximal(&parts[1..])?),
        _ => InnerStep::Proximal(proximal(&parts)?),
    })
}

fn proximal(parts: &[&str]) -> Option<Proximal> {
    let number = |k: usize| parts[k].parse::<f64>().ok();
    let constraint = match (parts[0], parts.len()) {
        ("projected-box", 3) => Constraint::Box {
            low: number(1)?,
            high: number(2)?,
        },
        ("projected-simplex", 1) => Constraint::Simplex,
        ("projected-ball", 2) => Constraint::Ball { radius: number(1)? },
        ("soft-threshold", 2) => return Some(Proximal::SoftThreshold { weight: number(1)? }),
        _ => return None,
    };
    Some(constraint.into())
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
            ("gd:1", "expected `gd`, `momentum:BETA`"),
            ("momentum", "expected `gd`"),
            ("momentum:1", "momentum 1: expected a number in [0, 1)"),
            ("adam:-1", "rate -1: expected a positive number"),
            ("adam:x", "expected `gd`"),
            ("adam:1:-1", "eps -1: expected 0 or a positive number"),
            ("adam:1:0:0", "eps_root 0: expected a positive number"),
            ("adam:1:0:1:2", "expected `gd`"),
            (
                "projected-box:1:0",
                "bounds 1 to 0: expected the lower one first",
            ),
            ("projected-box:inf:inf", "expected a finite number between"),
            ("projected-box:0", "`projected-box:LOW:HIGH`"),
            ("projected-ball:0", "radius 0: expected a positive number"),
            ("soft-threshold:-2", "weight -2: expected 0 or a positive"),
            ("soft-threshold:nan", "weight NaN: expected 0 or a positive"),
            ("fista:gd", "expected `gd`"),
            ("", "expected `gd`"),
        ] {
            let error = name.parse::<InnerStep>().expect_err(name).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
