//! Which values, tangents and adjoint tangents of a program the derivative sweeps read at all.

use crate::inputs::Inputs;
use crate::program::{Node, Op};
use crate::real::Real;
use crate::rules::elementwise::{Binary, Unary};

/// Finds the activity of every node.
pub(crate) fn analyse<T: Real>(nodes: &mut [Node<T>]) {
    adjoints_read(nodes);
    what_is_read(nodes);
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
        if differentiable && matches!(node.op, Op::Unary(f, _) if f != Unary::Neg) {
            node.activity.value = true;
        }
        // Not `node.depends`, which is empty behind a stopped gradient.
        let args = node.args.iter();
        let all = args.fold(Inputs::NONE, |all, a| {
            all.union(before[*a as usize].depends)
        });
        for k in 0..node.args.len() {
            // What the derivative by operand k depends on, and whether operand k's value is in
            // the derivative by any operand.
            let (moves, read) = match node.op {
                Op::Input | Op::Constant | Op::Linear(_) => (Inputs::NONE, false),
                Op::Unary(Unary::Neg, _) | Op::Binary(Binary::Add | Binary::Sub) => {
                    (Inputs::NONE, false)
                }
                Op::Binary(Binary::Mul) | Op::Bilinear(_) => {
                    let other = before[node.args[1 - k] as usize].depends;
                    (other, other != Inputs::NONE)
                }
                Op::Unary(..)
                | Op::Binary(_)
                | Op::Fused(_)
                | Op::Gradient { .. }
                | Op::Leaves(_) => (all, true),
            };
            let read = read && differentiable;
            let arg = &mut before[node.args[k] as usize].activity;
            arg.value |= read || node.activity.value;
            arg.tangent |= read || node.activity.tangent;
            arg.adjoint_moves = arg
                .adjoint_moves
                .union(node.activity.adjoint_moves)
                .union(moves);
        }
    }
}
