//! Parts whose parameters are numbers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use autodiff::{Real, Var};

use super::Part;
use super::bounds::Bounds;
use crate::Constraint;
use crate::catalogue::{Numbered, ParseNameError};

/// A [`Part`] whose parameters are numbers and no functions of x, as `--part` of the command line has
/// them. [`Display`](fmt::Display) writes its name, and [`FromStr`] reads it.
///
/// # Example
/// y* = min(3x, 1), and an ℓ₁ norm in the box's place:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Aid, Bilevel, Constraint, FixedPart, Strategy};
///
/// let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - 3.0 * x).norm_squared());
/// let smooth = Bilevel::new(upper, lower, 2, 2)?;
///
/// let inside = Constraint::Box { low: 0.0, high: 1.0 };
/// let problem = smooth.clone().with_part(inside.into())?;
/// let x = dvector![0.2, 0.8];
/// let estimate = Aid::cg().hypergradient(&problem, &x, &mut problem.workspace())?;
/// assert!((estimate.hypergradient[0] - 3.0 * 0.6).abs() < 1e-9);
/// assert_eq!(estimate.hypergradient[1], 0.0); // held by its bound
///
/// let sparse = smooth.with_part(FixedPart::L1 { weight: 1.0 }.into())?;
/// let estimate = Aid::cg().hypergradient(&sparse, &x, &mut sparse.workspace())?;
/// assert!((estimate.hypergradient[1] - 3.0 * 1.4).abs() < 1e-9); // y* = (0, 1.4)
///
/// assert_eq!("box:0:1".parse(), Ok(FixedPart::Set(inside)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FixedPart {
    /// Every y in this set: [`Part::between`], [`Part::simplex`] of sum 1, or [`Part::ball`].
    Set(Constraint),
    /// `weight ‖y‖₁`: [`Part::l1`].
    L1 {
        /// Its factor; 0 or positive.
        weight: f64,
    },
}

impl FixedPart {
    /// The parts that have names.
    pub const ALL: &'static [Numbered<FixedPart>] = &[
        Numbered {
            name: "box:LOW:HIGH",
            about: "every entry of y between two bounds; either may be inf",
            make: |numbers| match *numbers {
                [low, high] => Some(Constraint::Box { low, high }.into()),
                _ => None,
            },
        },
        Numbered {
            name: "simplex",
            about: "no entry of y negative, and their sum 1",
            make: |numbers| numbers.is_empty().then_some(Constraint::Simplex.into()),
        },
        Numbered {
            name: "ball:RADIUS",
            about: "y in a ball about 0",
            make: |numbers| match *numbers {
                [radius] => Some(Constraint::Ball { radius }.into()),
                _ => None,
            },
        },
        Numbered {
            name: "l1:WEIGHT",
            about: "WEIGHT·‖y‖₁ beside g, which makes entries of y 0",
            make: |numbers| match *numbers {
                [weight] => Some(FixedPart::L1 { weight }),
                _ => None,
            },
        },
    ];

    /// The reason why it is no part, if it is none.
    fn complaint(&self) -> Option<String> {
        match *self {
            FixedPart::Set(constraint) => constraint.complaint(),
            FixedPart::L1 { weight } if !(weight.is_finite() && weight >= 0.0) => {
                Some(format!("weight {weight}: expected 0 or a positive number"))
            }
            FixedPart::L1 { .. } => None,
        }
    }
}

impl From<Constraint> for FixedPart {
    fn from(constraint: Constraint) -> Self {
        FixedPart::Set(constraint)
    }
}

impl<T: Real> From<Constraint> for Part<T> {
    fn from(constraint: Constraint) -> Self {
        match constraint {
            Constraint::None => Constraint::from(Some((f64::NEG_INFINITY, f64::INFINITY))).into(),
            Constraint::Box { low, high } => {
                // What has no end is not looked at.
                let above = low > f64::NEG_INFINITY || !(low < high);
                let below = high < f64::INFINITY || !(low < high);
                Part(Arc::new(Bounds {
                    low: above.then(|| Arc::new(number(low)) as _),
                    high: below.then(|| Arc::new(number(high)) as _),
                }))
            }
            Constraint::Simplex => Part::simplex(number(1.0)),
            Constraint::Ball { radius } => Part::ball(number(radius)),
        }
    }
}

impl<T: Real> From<FixedPart> for Part<T> {
    fn from(part: FixedPart) -> Self {
        match part {
            FixedPart::Set(constraint) => constraint.into(),
            FixedPart::L1 { weight } => Part::l1(number(weight)),
        }
    }
}

/// A number as a function of x.
fn number<T: Real>(
    value: f64,
) -> impl for<'r> Fn(Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static {
    move |x| x.scalar(T::of(value))
}

impl fmt::Display for FixedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            FixedPart::Set(Constraint::None) => f.write_str("box:-inf:inf"),
            FixedPart::Set(Constraint::Box { low, high }) => write!(f, "box:{low}:{high}"),
            FixedPart::Set(Constraint::Simplex) => f.write_str("simplex"),
            FixedPart::Set(Constraint::Ball { radius }) => write!(f, "ball:{radius}"),
            FixedPart::L1 { weight } => write!(f, "l1:{weight}"),
        }
    }
}

impl FromStr for FixedPart {
    type Err = ParseNameError;

    fn from_str(name: &str) -> Result<Self, ParseNameError> {
        Numbered::parse(Self::ALL, name, Self::complaint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["box:-1:2.5", "box:0:inf", "simplex", "ball:2", "l1:0.1"] {
            let part: FixedPart = name.parse().expect(name);
            assert_eq!(part.to_string(), name);
        }
    }

    #[test]
    fn what_is_no_part_is_refused_with_what_was_expected() {
        for (name, part) in [
            ("box:1:0", "bounds 1 to 0: expected the lower one first"),
            ("box:inf:inf", "expected a finite number between"),
            ("box:0", "expected one of `box:LOW:HIGH`, `simplex`"),
            ("ball:0", "radius 0: expected a positive number"),
            ("l1:-2", "weight -2: expected 0 or a positive number"),
            ("l1:nan", "weight NaN: expected 0 or a positive number"),
            ("simplx", "did you mean `simplex`? expected one of"),
            ("", "expected one of `box:LOW:HIGH`"),
        ] {
            let error = name.parse::<FixedPart>().expect_err(name).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
