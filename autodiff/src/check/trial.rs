//! One comparison of a derivative with another way to it, and what it says.

use std::fmt;

use crate::site::Site;

/// The relative error that a check is made to see: nothing passes that would also have passed with
/// a derivative this much off.
pub const PERTURBATION: f64 = 1e-6;

/// A tolerance is at most this part of the perturbation, so that a perturbed derivative is further
/// off than the tolerance even where the true one is as far off, the other way, as it may be.
const SHARE: f64 = 0.45;

/// A rung of the ladder: how a derivative is checked, the tightest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Rung {
    /// Identities between sweeps, without differences: to rounding.
    Identities,
    /// Forward mode against reverse mode: to rounding.
    CrossMode,
    /// Complex steps, of holomorphic functions: to rounding.
    ComplexStep,
    /// Extrapolated central differences: to their own error.
    Differences,
    /// Rates of the remainders of Taylor's formula.
    Taylor,
}

impl Rung {
    /// All of them, the tightest first.
    pub const ALL: &'static [Rung] = &[
        Rung::Identities,
        Rung::CrossMode,
        Rung::ComplexStep,
        Rung::Differences,
        Rung::Taylor,
    ];

    /// The name in tables and records.
    pub fn name(self) -> &'static str {
        match self {
            Rung::Identities => "identity",
            Rung::CrossMode => "cross-mode",
            Rung::ComplexStep => "complex-step",
            Rung::Differences => "differences",
            Rung::Taylor => "taylor",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a comparison says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(tag = "code", content = "details", rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Verdict {
    /// They agree, and would not have with a derivative [`PERTURBATION`] off.
    Pass,
    /// They differ by more than the two errors together.
    Mismatch,
    /// The function has a kink there, and the derivative is one of those that it may have, from
    /// that on one side to that on the other: which they are, in words.
    Kink(String),
    /// Nothing can be said, for this reason.
    Unchecked(String),
}

impl Verdict {
    /// `pass`, `mismatch`, `kink` or `unchecked`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Mismatch => "mismatch",
            Verdict::Kink(_) => "kink",
            Verdict::Unchecked(_) => "unchecked",
        }
    }

    /// Whether right could be told from wrong.
    pub fn is_decided(&self) -> bool {
        self.reason().is_none()
    }

    /// Why right could not be told from wrong.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Verdict::Pass | Verdict::Mismatch => None,
            Verdict::Kink(reason) | Verdict::Unchecked(reason) => Some(reason),
        }
    }
}

/// An operation of a recorded program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// Its position in the program.
    pub position: usize,
    /// Where it was recorded.
    pub site: Site,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` (operation {}, {})",
            self.name, self.position, self.site
        )
    }
}

/// Where a comparison was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The entry of the derivative, as the input and the entry of it in column-major order; `None`
    /// for a product with a direction.
    pub entry: Option<(usize, usize)>,
    /// Number of the direction, from 0 on: that of the product for an entry of one.
    pub direction: Option<usize>,
    /// The operation that a mismatch was traced to, or that kept a rung from being climbed.
    pub operation: Option<Operation>,
}

impl Place {
    /// An entry of an input.
    pub(super) fn entry(entry: (usize, usize)) -> Self {
        Place {
            entry: Some(entry),
            ..Place::default()
        }
    }

    /// A direction.
    pub(super) fn direction(number: usize) -> Self {
        Place {
            direction: Some(number),
            ..Place::default()
        }
    }

    /// The same, along a direction.
    pub(super) fn along(self, number: usize) -> Self {
        Place {
            direction: Some(number),
            ..self
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some((input, entry)) = self.entry {
            parts.push(format!("input {input}, entry {entry}"));
        }
        if let Some(direction) = self.direction {
            parts.push(format!("direction {direction}"));
        }
        if let Some(operation) = &self.operation {
            parts.push(operation.to_string());
        }
        f.pad(&parts.join(", "))
    }
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trial {
    /// What is checked: `gradient`, `product`, an identity.
    pub check: &'static str,
    /// How.
    pub rung: Rung,
    /// What the other way gives.
    pub expected: f64,
    /// What the derivative under test gives.
    pub got: f64,
    /// How far they may be apart: the error of both.
    pub tolerance: f64,
    /// The size that a relative error is of: that of the entry, or of the terms of a sum.
    pub size: f64,
    /// What it says.
    pub verdict: Verdict,
    /// Where.
    pub place: Place,
}

impl Trial {
    /// |got − expected| over the tolerance: above 1 it is a mismatch. NaN where nothing was compared.
    pub fn ratio(&self) -> f64 {
        let apart = (self.got - self.expected).abs();
        if apart == 0.0 {
            0.0
        } else {
            apart / self.tolerance
        }
    }

    /// A comparison of two numbers.
    pub(super) fn compare(
        check: &'static str,
        rung: Rung,
        [expected, got]: [f64; 2],
        tolerance: f64,
        size: f64,
        place: Place,
    ) -> Self {
        Trial {
            check,
            rung,
            expected,
            got,
            tolerance,
            size,
            verdict: judge([expected, got], tolerance, size),
            place,
        }
    }

    /// Something that could not be compared.
    pub(super) fn unchecked(
        check: &'static str,
        rung: Rung,
        got: f64,
        reason: String,
        place: Place,
    ) -> Self {
        Trial {
            check,
            rung,
            expected: f64::NAN,
            got,
            tolerance: f64::INFINITY,
            size: f64::NAN,
            verdict: Verdict::Unchecked(reason),
            place,
        }
    }

    /// A comparison with the slopes from either side of a kink, whose errors are within the
    /// tolerance.
    pub(super) fn at_kink(
        check: &'static str,
        rung: Rung,
        [left, right]: [f64; 2],
        got: f64,
        tolerance: f64,
        place: Place,
    ) -> Self {
        let expected = got.max(left.min(right)).min(left.max(right));
        let reason = format!("between {left:.3e} and {right:.3e}, the slopes from either side");
        let verdict = match (got - expected).abs() <= tolerance {
            true => Verdict::Kink(reason),
            false => Verdict::Mismatch,
        };
        Trial {
            check,
            rung,
            expected,
            got,
            tolerance,
            size: left.abs().max(right.abs()),
            verdict,
            place,
        }
    }

    /// The same comparison with the derivative off by a relative `error`.
    pub(super) fn perturbed(&self, error: f64) -> Self {
        let got = self.got * (1.0 + error);
        let verdict = match &self.verdict {
            _ if self.rung == Rung::Taylor => Verdict::Unchecked("rates see larger errors".into()),
            Verdict::Kink(_) | Verdict::Unchecked(_) => self.verdict.clone(),
            _ => judge([self.expected, got], self.tolerance, self.size),
        };
        Trial {
            got,
            verdict,
            ..self.clone()
        }
    }
}

fn judge([expected, got]: [f64; 2], tolerance: f64, size: f64) -> Verdict {
    if !expected.is_finite() {
        return Verdict::Unchecked(format!("the other way gives {expected}"));
    }
    if !got.is_finite() {
        return Verdict::Mismatch;
    }
    if tolerance.is_nan() || tolerance == f64::INFINITY {
        return Verdict::Unchecked("the error has no bound".into());
    }
    if (got - expected).abs() > tolerance {
        return Verdict::Mismatch;
    }
    // Both are 0, and no error was made on the way.
    if tolerance == 0.0 || tolerance <= SHARE * PERTURBATION * size {
        return Verdict::Pass;
    }
    Verdict::Unchecked(format!(
        "an error of up to {tolerance:.1e} hides {PERTURBATION:e} of {size:.1e}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_would_not_with_a_perturbation() {
        let trial = |got: f64, tolerance: f64| {
            let (rung, place) = (Rung::Differences, Place::entry((0, 0)));
            Trial::compare("gradient", rung, [3.0, got], tolerance, got.abs(), place)
        };
        for apart in [-1.3e-6, -1e-7, 0.0, 1e-7, 1.3e-6] {
            let passes = trial(3.0 + apart, 1.34e-6);
            assert_eq!(passes.verdict, Verdict::Pass);
            for error in [-PERTURBATION, PERTURBATION] {
                assert_eq!(passes.perturbed(error).verdict, Verdict::Mismatch);
            }
        }
        assert_eq!(trial(3.0, 1.4e-6).verdict.name(), "unchecked");
        assert_eq!(trial(3.1, 1.4e-2).verdict, Verdict::Mismatch);
        assert_eq!(trial(f64::NAN, 1.0).verdict, Verdict::Mismatch);
        assert_eq!(trial(3.0, f64::NAN).verdict.name(), "unchecked");
    }
}
