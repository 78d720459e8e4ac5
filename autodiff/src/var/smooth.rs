//! Compositions that are smooth though one of their parts is not, recorded as what they are.
//!
//! The derivative of `‖a‖` at 0 is a convention, and that of `‖a‖²`, followed through it, has no
//! curvature there. So the square of a [`Root`] is recorded as a smooth function of the root's
//! operands, and so are its even powers, its product and dot product with itself, and the two
//! halves of a square, `max(a, 0)² + max(−a, 0)²`.

use crate::program::Op;
use crate::real::Real;
use crate::rules::elementwise::{Binary, Unary};
use crate::rules::linear::Linear;
use crate::var::Var;

/// A value with a kink that its square has not, by its operands.
#[derive(Clone, Copy, PartialEq)]
enum Root {
    /// `|a|`.
    Abs(u32),
    /// `max(a, 0)`.
    Relu(u32),
    /// `min(a, 0)`.
    NegativePart(u32),
    /// `√Σ a²`.
    Norm(u32),
    /// `√(a² + b²)`.
    Hypot(u32, u32),
}

/// The exponent, if this operation is an even power from the square on.
fn even_power<T: Real>(f: Unary, p: T) -> Option<i32> {
    let exponent = match f {
        Unary::Square => 2.0,
        Unary::Powi => p.f64().round(),
        Unary::Powf => p.f64(),
        _ => return None,
    };
    let even = exponent >= 2.0 && exponent <= f64::from(i32::MAX) && exponent % 2.0 == 0.0;
    even.then_some(exponent as i32)
}

impl<'r, T: Real> Var<'r, T> {
    /// This operation of the value, where that is an even power of a root.
    #[track_caller]
    pub(super) fn smooth_power(self, f: Unary, p: T) -> Option<Self> {
        let half = even_power(f, p)? / 2;
        let square = self.smooth_product(self)?;
        Some(match half {
            1 => square,
            _ => square.powi(half),
        })
    }

    /// The product with `other`, entry by entry, where both are the same root.
    #[track_caller]
    pub(super) fn smooth_product(self, other: Self) -> Option<Self> {
        let root = self.root()?;
        if self.id != other.id && (self.shape != other.shape || other.root()? != root) {
            return None;
        }
        let of = |id: u32| Var::of(self.recorder, id);
        let square = match root {
            Root::Abs(a) => of(a).square(),
            Root::Relu(a) => of(a).squared_relu(),
            Root::NegativePart(a) => (-of(a)).squared_relu(),
            Root::Norm(a) => of(a).norm_squared(),
            Root::Hypot(a, b) => of(a).square() + of(b).square(),
        };
        self.recorder.supersede(&[self.id, other.id]);
        Some(square)
    }

    /// The sum with `other`, where they are the two halves of a square or the sums of their entries.
    #[track_caller]
    pub(super) fn smooth_sum(self, other: Self) -> Option<Self> {
        let operand = |v: Self, op: fn(&Op<T>) -> bool| {
            let node = self.recorder.node(v.id);
            op(&node.op).then(|| Var::of(self.recorder, node.args[0]))
        };
        let half = |v| operand(v, |op| matches!(op, Op::Unary(Unary::SquaredRelu, _)));
        let minus = |v| operand(v, |op| matches!(op, Op::Unary(Unary::Neg, _)));
        let total = |v| operand(v, |op| matches!(op, Op::Linear(Linear::Sum)));
        let whole = if let (Some(a), Some(b)) = (half(self), half(other)) {
            let base = match (minus(a), minus(b)) {
                (_, Some(of)) if of.id == a.id => a,
                (Some(of), _) if of.id == b.id => b,
                _ => return None,
            };
            self.recorder.supersede(&[a.id, b.id]);
            base.square()
        } else {
            let (a, b) = (total(self)?, total(other)?);
            a.smooth_sum(b)?.sum()
        };
        self.recorder.supersede(&[self.id, other.id]);
        Some(whole)
    }

    /// What root this value is.
    fn root(self) -> Option<Root> {
        let node = self.recorder.node(self.id);
        // The operand that stands beside a 0.
        let part = || {
            let is_part = |(a, b): (usize, usize)| {
                let (v, zero) = (node.args[a], node.args[b]);
                let fits = self.recorder.node(v).shape == self.shape;
                (fits && self.recorder.is_zero(zero)).then_some(v)
            };
            [(0, 1), (1, 0)].into_iter().find_map(is_part)
        };
        match &node.op {
            Op::Unary(Unary::Abs, _) => Some(Root::Abs(node.args[0])),
            Op::Unary(Unary::Relu, _) => Some(Root::Relu(node.args[0])),
            Op::Binary(Binary::Max) => part().map(Root::Relu),
            Op::Binary(Binary::Min) => part().map(Root::NegativePart),
            Op::Binary(Binary::Hypot) => Some(Root::Hypot(node.args[0], node.args[1])),
            Op::Fused(f) if f.is_norm() => Some(Root::Norm(node.args[0])),
            _ => None,
        }
    }
}
