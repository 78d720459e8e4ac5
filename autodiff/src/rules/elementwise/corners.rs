//! Where the rows of the tables are not smooth.

use std::f64::consts::PI;

use super::{Binary, Unary};
use crate::real::Real;

/// A place where a function or one of its first two derivatives jumps or has no bound. (Where the
/// value has none, it is not finite, which tells by itself.)
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Corner {
    /// The order of the derivative that jumps: 0 for the value.
    pub(crate) order: usize,
    /// What it is on either side, where there is such a number.
    pub(crate) sides: Option<(f64, f64)>,
}

impl Corner {
    fn jump(order: usize, left: f64, right: f64) -> Option<Self> {
        let sides = Some((left, right));
        (left != right).then_some(Corner { order, sides })
    }

    fn unbounded(order: usize) -> Option<Self> {
        Some(Corner { order, sides: None })
    }

    /// That of `aᵖ` at 0.
    fn of_power(p: f64) -> Option<Self> {
        match p {
            _ if p > 0.0 && p < 1.0 => Corner::unbounded(1),
            _ if p > 1.0 && p < 2.0 => Corner::unbounded(2),
            _ => None,
        }
    }
}

impl Unary {
    /// The operands at which the row has a corner, for the parameter `p`. A new row has to say.
    pub(crate) fn corners(self, p: f64) -> impl Iterator<Item = (f64, Corner)> {
        let at_zero = |corner: Option<Corner>| [corner.map(|c| (0.0, c)), None];
        let corners = match self {
            Unary::Abs => at_zero(Corner::jump(1, -1.0, 1.0)),
            Unary::Relu => at_zero(Corner::jump(1, 0.0, 1.0)),
            Unary::SquaredRelu => at_zero(Corner::jump(2, 0.0, 2.0)),
            Unary::LeakyRelu => at_zero(Corner::jump(1, p, 1.0)),
            Unary::Elu => at_zero(Corner::jump(1, p, 1.0).or(Corner::jump(2, p, 0.0))),
            Unary::SoftSign => at_zero(Corner::jump(2, 2.0, -2.0)),
            Unary::SmoothAbs if p == 0.0 => at_zero(Corner::jump(1, -1.0, 1.0)),
            Unary::Sqrt | Unary::Cbrt | Unary::Xlogx => at_zero(Corner::unbounded(1)),
            Unary::Powf => at_zero(Corner::of_power(p)),
            Unary::Huber if p > 0.0 => [
                Corner::jump(2, 0.0, 1.0).map(|c| (-p, c)),
                Corner::jump(2, 1.0, 0.0).map(|c| (p, c)),
            ],
            Unary::Neg
            | Unary::Exp
            | Unary::Ln
            | Unary::Square
            | Unary::Recip
            | Unary::Sin
            | Unary::Cos
            | Unary::Tanh
            | Unary::Sigmoid
            | Unary::Softplus
            | Unary::SmoothAbs
            | Unary::Powi
            | Unary::Log1p
            | Unary::Expm1
            | Unary::Sinh
            | Unary::Cosh
            | Unary::Asinh
            | Unary::Tan
            | Unary::Atan
            | Unary::Erf
            | Unary::LogSigmoid
            | Unary::LogCosh
            | Unary::Silu
            | Unary::Gelu
            | Unary::Huber => [None, None],
        };
        corners.into_iter().flatten()
    }
}

impl Binary {
    /// Whether the row has a corner anywhere.
    pub(crate) fn has_corners(self) -> bool {
        match self {
            Binary::Max | Binary::Min | Binary::Hypot | Binary::Atan2 | Binary::Pow => true,
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::LogAddExp => false,
        }
    }

    /// The corner at the operands `a` and `b`, each of which is 0 or equal to the other within
    /// these roundings. The sides are those of the derivative by `a`, as `a` grows.
    pub(crate) fn corner<T: Real>(self, [a, b]: [T; 2], rounding: [T; 2]) -> Option<Corner> {
        let equal = a == b || (a - b).abs() <= rounding[0] + rounding[1];
        let flat = a.abs() <= rounding[0];
        let both = flat && b.abs() <= rounding[1];
        match self {
            Binary::Max if equal => Corner::jump(1, 0.0, 1.0),
            Binary::Min if equal => Corner::jump(1, 1.0, 0.0),
            Binary::Hypot if both => Corner::unbounded(1),
            Binary::Atan2 if both => Corner::unbounded(0),
            Binary::Atan2 if flat && b < T::zero() => Corner::jump(0, -PI, PI),
            Binary::Pow if flat => Corner::of_power(b.f64()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Program;
    use crate::shape::Shape;

    /// `f, f′, f″` at `a`.
    fn jet(f: Unary, p: f64, a: f64) -> [f64; 3] {
        let program = Program::<f64>::record(&[Shape::SCALAR], |v| v[0].elementwise(f, p));
        let mut point = program.point();
        let value = point.linearise(&[&[a]]);
        point.second(&[Some(&[1.0])]);
        [value, point.gradient(0)[0], point.product(0)[0]]
    }

    /// The limit of each derivative from one side, NaN where there is none.
    fn limits(f: Unary, p: f64, at: f64, side: f64) -> [f64; 3] {
        let [far, near] = [1e-8, 1e-12].map(|h| jet(f, p, at + side * h));
        std::array::from_fn(|k| match (far[k] - near[k]).abs() < 1e-2 {
            true => near[k],
            false => f64::NAN,
        })
    }

    /// The corner that the sweeps show.
    fn measured(f: Unary, p: f64, at: f64) -> Option<Corner> {
        let (left, right) = (limits(f, p, at, -1.0), limits(f, p, at, 1.0));
        let outside = jet(f, p, at - 1e-8)[0].is_nan();
        (0..3).find_map(|order| {
            let (l, r) = (left[order], right[order]);
            if r.is_nan() {
                return Corner::unbounded(order);
            }
            let jumps = !outside && (l - r).abs() > 0.1;
            jumps.then(|| Corner::jump(order, l, r).expect("two sides"))
        })
    }

    /// All rows, so that a new one cannot forget its corners.
    #[test]
    fn every_corner_of_a_row_is_declared_and_no_other() {
        for f in Unary::ALL.iter().copied() {
            for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0] {
                for at in [0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0] {
                    let declared: Vec<Corner> = f
                        .corners(p)
                        .filter(|(place, _)| *place == at)
                        .map(|(_, corner)| corner)
                        .collect();
                    // Where the value has no bound, it tells by itself; so outside the domain.
                    let seen = measured(f, p, at).filter(|c| c.order > 0);
                    let what = format!("{} with {p} at {at}: {seen:?}", f.name());
                    assert_eq!(declared.len(), usize::from(seen.is_some()), "{what}");
                    let (Some(seen), Some(declared)) = (seen, declared.first()) else {
                        continue;
                    };
                    assert_eq!(declared.order, seen.order, "{what}");
                    let sides = [declared.sides, seen.sides].map(|s| s.unwrap_or((0.0, 0.0)));
                    let off = (sides[0].0 - sides[1].0).abs() + (sides[0].1 - sides[1].1).abs();
                    assert!(off < 1e-2, "{what}: declared {declared:?}");
                }
            }
        }
    }
}
