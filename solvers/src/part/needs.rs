//! What the parameters of a part must be at an x for it to be one.

use std::ops::Range;
use std::sync::Arc;

use autodiff::{Program, Real, Shape, Var};

use super::ProximalMap;

/// What a parameter must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// 0 or a positive number.
    Weight,
    /// A positive number.
    Radius,
    /// Any number.
    Number,
    /// Any number, or infinite.
    Bound,
    /// 0 or more, perhaps infinite.
    Gap,
}

impl Need {
    /// What was expected, where `value` is none.
    fn unmet(self, value: f64) -> Option<&'static str> {
        let (met, expected) = match self {
            Need::Weight => (value.is_finite() && value >= 0.0, "0 or a positive number"),
            Need::Radius => (value.is_finite() && value > 0.0, "a positive number"),
            Need::Number => (value.is_finite(), "a number"),
            Need::Bound => (!value.is_nan(), "a number"),
            Need::Gap => (value >= 0.0, "the lower bound first"),
        };
        (!met).then_some(expected)
    }
}

/// A parameter of a [`Part`](super::Part): a function of x.
#[derive(Clone, Debug)]
pub struct Parameter<'r, T: Real> {
    what: String,
    pub(super) of: Var<'r, T>,
    need: Need,
    lengths: Vec<usize>,
}

impl<'r, T: Real> Parameter<'r, T> {
    /// A parameter of this name in messages, what it must be, and how many entries it may have.
    pub fn new(what: impl Into<String>, of: Var<'r, T>, need: Need, lengths: &[usize]) -> Self {
        Parameter {
            what: what.into(),
            of,
            need,
            lengths: lengths.to_vec(),
        }
    }

    /// Whether it has as many entries as it may have.
    pub(super) fn fits(&self) -> bool {
        self.lengths.contains(&self.of.len())
    }
}

/// The parameters of a part, recorded as one function of x.
#[derive(Clone, Debug)]
pub(super) struct Needs<T: Real> {
    pub(super) program: Arc<Program<T>>,
    entries: Vec<(String, Need, Range<usize>)>,
}

impl<T: Real> Needs<T> {
    /// Of a part that has parameters.
    pub(super) fn record(
        map: &dyn ProximalMap<T>,
        dim_x: usize,
        dim_y: usize,
    ) -> Result<Option<Self>, String> {
        let mut entries = Vec::new();
        let mut wrong = None;
        let program = Program::record(&[Shape::vector(dim_x)], |v| {
            let (mut all, mut end) = (Vec::new(), 0);
            for parameter in map.parameters(v[0], dim_y) {
                let len = parameter.of.len();
                if !parameter.fits() && wrong.is_none() {
                    let (what, mut lengths) = (&parameter.what, parameter.lengths.clone());
                    lengths.dedup();
                    let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
                    let expected = lengths.join(" or ");
                    wrong = Some(format!("{what} of {len} entries: expected {expected}"));
                }
                entries.push((parameter.what, parameter.need, end..end + len));
                end += len;
                all.push(parameter.of.reshape(len, 1));
            }
            match &all[..] {
                [] => v[0].scalar(T::zero()),
                [first, rest @ ..] => first.concat(rest),
            }
        });
        match wrong {
            Some(wrong) => Err(wrong),
            None => Ok((!entries.is_empty()).then_some(Needs { program, entries })),
        }
    }

    /// Where the values of parameter `k` stand.
    pub(super) fn place(&self, k: usize) -> Range<usize> {
        self.entries[k].2.clone()
    }

    /// Why the parameters make no part whatever x is, if they are numbers and make none.
    pub(super) fn always(&self) -> Option<String> {
        let x = vec![T::zero(); self.program.input_shape(0).len()];
        let constant = !self.program.reads(0);
        constant.then(|| self.complaint(self.program.point().evaluate(&[&x])))?
    }

    /// Why these values of the parameters make no part, if they make none.
    pub(super) fn complaint(&self, values: &[T]) -> Option<String> {
        self.entries.iter().find_map(|(what, need, range)| {
            let mut values = values[range.clone()].iter().enumerate();
            values.find_map(|(i, value)| {
                let expected = need.unmet(value.f64())?;
                let entry = match range.len() {
                    1 => String::new(),
                    _ => format!(" {i}"),
                };
                Some(format!("{what}{entry} = {value}: expected {expected}"))
            })
        })
    }
}
