//! Which values, tangents and adjoint tangents of a program the derivative sweeps read at all.

use crate::inputs::Inputs;
use crate::linearised::Extent;
use crate::program::{Node, Op};
use crate::real::Real;
use crate::rules::elementwise::{Binary, Unary};
use crate::rules::linear::Linear;

/// Finds the activity of every node.
pub(crate) fn analyse<T: Real>(nodes: &mut [Node<T>]) {
    adjoints_read(nodes);
    what_is_read(nodes);
    made_outputs(nodes);
}

/// Finds what the marked outputs are made of, consumers first.
fn made_outputs<T: Real>(nodes: &mut [Node<T>]) {
    for id in (0..nodes.len()).rev() {
        let (before, rest) = nodes.split_at_mut(id);
        let node = &rest[0];
        if node.activity.before_outputs || matches!(node.op, Op::Linear(Linear::Outputs)) {
            let args = node.args.iter();
            args.for_each(|a| before[*a as usize].activity.before_outputs = true);
        }
    }
}

/// Finds what each operation's derivative depends on, and along which inputs a second sweep reads each
/// adjoint: operands first.
fn adjoints_read<T: Real>(nodes: &mut [Node<T>]) {
    for id in 0..nodes.len() {
        let (before, rest) = nodes.split_at_mut(id);
        let node = &mut rest[0];
        let of = |k: usize| &before[node.args[k] as usize];
        let bends = match node.op {
            Op::Input | Op::Constant | Op::Linear(_) => Inputs::NONE,
            Op::Unary(Unary::Neg, _) | Op::Binary(Binary::Add | Binary::Sub) => Inputs::NONE,
            Op::Fused(ref f) if f.is_linear() => Inputs::NONE,
            Op::Binary(Binary::Div) if of(1).depends == Inputs::NONE => Inputs::NONE,
            // One operand is a constant factor.
            Op::Binary(Binary::Mul) | Op::Bilinear(_)
                if (0..2).any(|k| of(k).depends == Inputs::NONE) =>
            {
                Inputs::NONE
            }
            _ => node.depends,
        };
        let handed_on = (0..node.args.len()).map(|k| of(k).activity.adjoint_read);
        let read = handed_on.fold(bends, Inputs::union);
        node.activity.bends = bends;
        if node.depends != Inputs::NONE {
            node.activity.adjoint_read = read;
        }
    }
}

/// Finds what is read of every node, consumers first.
fn what_is_read<T: Real>(nodes: &mut [Node<T>]) {
    for j in (0..nodes.len()).rev() {
        let (before, rest) = nodes.split_at_mut(j);
        let node = &mut rest[0];
        let differentiable = node.depends != Inputs::NONE;
        // The rules of a bent function of one operand may read its own value.
        if differentiable
            && let Op::Unary(f, _) = node.op
            && f != Unary::Neg
        {
            let read = match f {
                Unary::Square => Extent::Derivatives,
                _ => Extent::Products,
            };
            node.activity.value = node.activity.value.min(read);
        }
        // Not `node.depends`, which is empty behind a stopped gradient.
        let args = node.args.iter();
        let all = args.fold(Inputs::NONE, |all, a| {
            all.union(before[*a as usize].depends)
        });
        // Whether a sweep for products alone needs the derivative by an operand, for what comes back to
        // it or moves with it; of products and squares the second derivative is one number.
        let by = |operand: &Node<T>| {
            let back = node.activity.adjoint_moves != Inputs::NONE || node.activity.tangent;
            match operand.activity.adjoint_read != Inputs::NONE || back {
                true => Extent::Products,
                false => Extent::Derivatives,
            }
        };
        let divides = matches!(node.op, Op::Binary(Binary::Div));
        let by_fixed = divides && before[node.args[1] as usize].depends == Inputs::NONE;
        for k in 0..node.args.len() {
            let arg = &before[node.args[k] as usize];
            // What the derivative by operand k depends on, and which sweeps read operand k's value in
            // the derivative by any operand.
            let (moves, read) = match node.op {
                Op::Input | Op::Constant | Op::Linear(_) => (Inputs::NONE, Extent::Whole),
                Op::Unary(Unary::Neg, _) | Op::Binary(Binary::Add | Binary::Sub) => {
                    (Inputs::NONE, Extent::Whole)
                }
                Op::Fused(ref f) if f.is_linear() => {
                    let read = match arg.depends == Inputs::NONE {
                        true => Extent::Products,
                        false => Extent::Whole,
                    };
                    (Inputs::NONE, read)
                }
                Op::Binary(Binary::Mul) | Op::Bilinear(_) => {
                    let other = &before[node.args[1 - k] as usize];
                    let read = match other.depends != Inputs::NONE {
                        true => by(other),
                        false => Extent::Whole,
                    };
                    (other.depends, read)
                }
                // What is divided by: as a factor.
                Op::Binary(Binary::Div) if by_fixed => {
                    let other = &before[node.args[1 - k] as usize];
                    let read = if k == 1 { by(other) } else { Extent::Whole };
                    (Inputs::NONE, read)
                }
                Op::Unary(Unary::Square, _) => (all, by(arg)),
                Op::Unary(..)
                | Op::Binary(_)
                | Op::Fused(_)
                | Op::Gradient { .. }
                | Op::Leaves(_) => (all, Extent::Products),
            };
            let read = if differentiable { read } else { Extent::Whole };
            let value = node.activity.value.min(read);
            let (tangent, moved) = (
                read < Extent::Whole || node.activity.tangent,
                node.activity.adjoint_moves.union(moves),
            );
            let arg = &mut before[node.args[k] as usize].activity;
            arg.value = arg.value.min(value);
            arg.tangent |= tangent;
            arg.adjoint_moves = arg.adjoint_moves.union(moved);
        }
    }
}
