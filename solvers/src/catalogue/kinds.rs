//! What a setting may be.

use std::str::FromStr;

use crate::expect;
use crate::inner::InnerStep;
use crate::lower::LowerRule;
use crate::lower_curvature::LowerCurvature;

/// How the outer variable moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OuterRule {
    /// Plain gradient descent.
    Gd,
    /// Momentum 0.9.
    Momentum,
    /// Adagrad.
    Adagrad,
    /// Adam.
    Adam,
    /// Adam with weight decay 0.01.
    AdamW,
}

impl OuterRule {
    /// Each with its name.
    pub const ALL: [(&'static str, OuterRule); 5] = [
        ("gd", OuterRule::Gd),
        ("momentum", OuterRule::Momentum),
        ("adagrad", OuterRule::Adagrad),
        ("adam", OuterRule::Adam),
        ("adamw", OuterRule::AdamW),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        expect::name_of(&Self::ALL, &self)
    }
}

impl FromStr for OuterRule {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        expect::one_of(&Self::ALL, name)
    }
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number from 1 on.
    Count,
    /// A positive number.
    Positive,
    /// A number from 0 on.
    FromZero,
    /// `true` or `false`.
    YesNo,
    /// `true` or `false`; the name alone says `true`.
    Flag,
    /// An [`OuterRule`].
    Outer,
    /// An [`InnerStep`].
    Inner,
    /// A [`LowerRule`].
    Lower,
    /// A [`LowerCurvature`].
    Curvature,
}

/// What a setting is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Count(usize),
    /// A number.
    Number(f64),
    /// Yes or no.
    YesNo(bool),
    /// How x moves.
    Outer(OuterRule),
    /// A step of the lower level.
    Inner(InnerStep),
    /// How the lower level is solved.
    Lower(LowerRule),
    /// What is taken for its curvature.
    Curvature(LowerCurvature),
}

impl Kind {
    /// Reads a value, and looks whether it may be.
    ///
    /// # Errors
    /// With the text and what was expected.
    pub fn read(self, text: &str) -> Result<Value, String> {
        let number = || {
            text.parse()
                .map_err(|_| format!("{text}: expected a number"))
        };
        let value = match self {
            Kind::Count => match text.parse().ok().or_else(|| exact(text)) {
                Some(n) if n < 1 => Err(format!("{text}: expected at least 1")),
                Some(n) => usize::try_from(n)
                    .map(Value::Count)
                    .map_err(|_| format!("{text}: expected at most {}", usize::MAX)),
                None => Err(format!("{text}: expected a whole number")),
            },
            Kind::Positive | Kind::FromZero => number().map(Value::Number),
            Kind::YesNo | Kind::Flag => match text {
                "true" => Ok(Value::YesNo(true)),
                "false" => Ok(Value::YesNo(false)),
                _ => Err(format!("{text}: expected true or false")),
            },
            Kind::Outer => text.parse().map(Value::Outer),
            Kind::Inner => text.parse().map(Value::Inner).map_err(|e| format!("{e}")),
            Kind::Lower => text.parse().map(Value::Lower),
            Kind::Curvature => (text.parse().map(Value::Curvature)).map_err(|e| format!("{e}")),
        }?;
        self.check(value)
    }

    /// Looks whether a value may be.
    ///
    /// # Errors
    /// With the value and what was expected.
    pub fn check(self, value: Value) -> Result<Value, String> {
        match (self, &value) {
            (Kind::Count, Value::Count(0)) => Err("0: expected at least 1".into()),
            (Kind::Positive, Value::Number(v)) if !(v.is_finite() && *v > 0.0) => {
                Err(format!("{v}: expected a positive number"))
            }
            (Kind::FromZero, Value::Number(v)) if !(v.is_finite() && *v >= 0.0) => {
                Err(format!("{v}: expected a number from 0 on"))
            }
            _ => Ok(value),
        }
    }
}

/// The whole number that a text such as `1e3` is exactly, if it is one.
pub fn exact(text: &str) -> Option<i128> {
    // Beyond it, not every whole number is an `f64`.
    const MOST: f64 = (1_u64 << 53) as f64;
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() <= MOST).then_some(number as i128)
}
