//! How far a recorded value may be off by rounding alone: that of the terms it is made of, which is
//! all that is left of it where they cancel.

use crate::operands::Operation;
use crate::program::{Op, Program};
use crate::real::Real;
use crate::rules::elementwise::{Binary, Unary};
use crate::rules::linear::Linear;

/// Units of roundoff of the terms that count as rounding.
const FEW: f64 = 4.0;
/// Operations that are looked through.
const DEPTH: usize = 4;

impl<T: Real> Program<T> {
    /// How far each entry of node `id` may be off, given the values.
    #[inline(never)]
    pub(crate) fn rounding(&self, id: u32, values: &[T]) -> Vec<T> {
        let unit = T::of(FEW * T::EPSILON);
        let terms = self.terms(id, values, DEPTH);
        terms.into_iter().map(|size| unit * size).collect()
    }

    /// At least as much as any entry of [`rounding`](Program::rounding), with nothing allocated.
    #[inline(never)]
    pub(crate) fn rounding_bound(&self, id: u32, values: &[T]) -> T {
        T::of(FEW * T::EPSILON) * self.largest(id, values, DEPTH)
    }

    /// What the terms of each entry add up to in absolute value: what linear and bilinear
    /// operations make of absolute values.
    fn terms(&self, id: u32, values: &[T], depth: usize) -> Vec<T> {
        let node = &self.nodes[id as usize];
        let own = || self.value(id, values).iter().map(|v| v.abs()).collect();
        if depth == 0 {
            return own();
        }
        let of = |k: usize| self.terms(node.args[k], values, depth - 1);
        let at = Operation {
            program: self,
            node,
        };
        let shape = |k: usize| at.shape(k);
        let mut out = vec![T::zero(); node.shape.len()];
        match &node.op {
            Op::Unary(Unary::Neg, _) => return of(0),
            Op::Binary(Binary::Add | Binary::Sub) => Binary::Add.eval(&of(0), &of(1), &mut out),
            Op::Binary(Binary::Mul) => Binary::Mul.eval(&of(0), &of(1), &mut out),
            Op::Bilinear(f) => f.apply(&of(0), shape(0), &of(1), shape(1), &mut out, false),
            Op::Linear(f) => {
                for k in 0..node.args.len() {
                    let (start, terms) = (at.concat_start(k), of(k));
                    f.apply(start, &terms, shape(k), &mut out, node.shape, false);
                    if matches!(f, Linear::Dx | Linear::Dy) {
                        // The operation takes them from their neighbours'.
                        let inside = (0..out.len()).filter(|i| !f.leaves_zero(*i, node.shape));
                        inside.for_each(|i| out[i] += terms[i] + terms[i]);
                    }
                }
            }
            _ => return own(),
        }
        out
    }

    /// At least as much as any entry of [`terms`](Program::terms).
    fn largest(&self, id: u32, values: &[T], depth: usize) -> T {
        let node = &self.nodes[id as usize];
        let own = || {
            let sizes = self.value(id, values).iter().map(|v| v.abs());
            sizes.fold(T::zero(), |m, v| if v > m { v } else { m })
        };
        if depth == 0 {
            return own();
        }
        let of = |k: usize| self.largest(node.args[k], values, depth - 1);
        let len = |k: usize| self.nodes[node.args[k] as usize].shape.len();
        let times = |n: usize| T::of(n as f64);
        match &node.op {
            Op::Unary(Unary::Neg, _) => of(0),
            Op::Binary(Binary::Add | Binary::Sub) => of(0) + of(1),
            Op::Binary(Binary::Mul) => of(0) * of(1),
            Op::Bilinear(_) => times(len(0).min(len(1))) * of(0) * of(1),
            Op::Linear(Linear::Sum | Linear::SumRows | Linear::SumCols | Linear::CumSum) => {
                times(len(0)) * of(0)
            }
            Op::Linear(_) => {
                let all = (0..node.args.len()).map(of);
                // Twice for a difference.
                times(2) * all.fold(T::zero(), |m, v| if v > m { v } else { m })
            }
            _ => own(),
        }
    }

    /// Whether entry `i` of node `id` is 0 whatever the inputs are: at the edge of a difference,
    /// off a diagonal, or times a constant 0. A scalar stands for every entry.
    #[inline(never)]
    pub(crate) fn stays_zero(&self, id: u32, i: usize) -> bool {
        let node = &self.nodes[id as usize];
        let i = if node.shape.is_scalar() { 0 } else { i };
        let of = |a: &u32| self.stays_zero(*a, i);
        match &node.op {
            Op::Constant => self.constants[node.start + i] == T::zero(),
            Op::Unary(Unary::Neg, _) | Op::Binary(Binary::Mul) => node.args.iter().any(of),
            Op::Linear(f) => f.leaves_zero(i, node.shape),
            _ => false,
        }
    }
}
