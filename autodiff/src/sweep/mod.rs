//! The four sweeps over a recorded program.
//!
//! * [`primal`](fn@primal): values;
//! * [`tangent`](fn@tangent): forward mode, Jacobian-vector products;
//! * [`reverse`](fn@reverse): reverse mode, vector-Jacobian products;
//! * [`second`](fn@second): forward-over-reverse, Hessian-vector products and cross products.

mod primal;
mod reverse;
mod second;
mod tangent;

pub use primal::primal;
pub use reverse::reverse;
pub use second::second;
pub use tangent::tangent;

// What each makes at its first use stands beside it.
pub(crate) use primal::primal_bytes;
pub(crate) use reverse::reverse_bytes;
pub(crate) use second::second_bytes;
pub(crate) use tangent::tangent_bytes;

use smallvec::SmallVec;

use crate::Real;
use crate::primitive::{OperandAdjoints, OperandTangents, Operands};
use crate::program::{Inputs, Node, Program};

/// The operands' values of a node.
fn operands<'a, T: Real>(
    program: &'a Program<T>,
    node: &Node<T>,
    values: &'a [T],
) -> Operands<'a, T> {
    Operands {
        values: node
            .args
            .iter()
            .map(|a| program.value(*a, values))
            .collect(),
    }
}

/// The operands' tangents of a node, `None` for those that none of the `moving` inputs moves.
fn operand_tangents<'a, T: Real>(
    program: &Program<T>,
    node: &Node<T>,
    tangents: &'a [T],
    moving: Inputs,
) -> OperandTangents<'a, T> {
    OperandTangents {
        values: node
            .args
            .iter()
            .map(|a| slot(program, *a, tangents, moving))
            .collect(),
    }
}

/// The operands' adjoints of a node, `None` for those that no wanted input reaches.
fn operand_adjoints<'a, T: Real>(
    program: &Program<T>,
    node: &Node<T>,
    buffer: &'a mut [T],
    wanted: Inputs,
) -> OperandAdjoints<'a, T> {
    let places: SmallVec<_> = node
        .args
        .iter()
        .map(|a| {
            let arg = &program.nodes[*a as usize];
            arg.depends
                .meets(wanted)
                .then_some((arg.start, arg.shape.len()))
        })
        .collect();
    OperandAdjoints { buffer, places }
}

/// The entries of node `id` in a buffer laid out like the values, if `inputs` reach it.
fn slot<'a, T: Real>(
    program: &Program<T>,
    id: u32,
    buffer: &'a [T],
    inputs: Inputs,
) -> Option<&'a [T]> {
    let node = &program.nodes[id as usize];
    node.depends
        .meets(inputs)
        .then(|| &buffer[node.start..][..node.shape.len()])
}

/// [`slot`], to write to.
fn slot_mut<'a, T: Real>(
    program: &Program<T>,
    id: u32,
    buffer: &'a mut [T],
    inputs: Inputs,
) -> Option<&'a mut [T]> {
    let node = &program.nodes[id as usize];
    node.depends
        .meets(inputs)
        .then(|| &mut buffer[node.start..][..node.shape.len()])
}

/// Splits a buffer before a node: what came before, and the node's own entries.
fn split<'a, T: Real>(buffer: &'a mut [T], node: &Node<T>) -> (&'a mut [T], &'a mut [T]) {
    let (before, rest) = buffer.split_at_mut(node.start);
    (before, &mut rest[..node.shape.len()])
}

/// The entry at which operand `k` of a concatenation starts.
fn concat_start<T: Real>(program: &Program<T>, node: &Node<T>, k: usize) -> usize {
    node.args[..k]
        .iter()
        .map(|a| program.nodes[*a as usize].shape.len())
        .sum()
}

/// Which inputs of a nested function a set of this program's inputs reaches.
fn reaching<T: Real>(program: &Program<T>, node: &Node<T>, inputs: Inputs) -> Inputs {
    let mut reached = Inputs::NONE;
    for (k, a) in node.args.iter().enumerate() {
        if program.nodes[*a as usize].depends.meets(inputs) {
            reached = reached.and(Inputs::one(k));
        }
    }
    reached
}
