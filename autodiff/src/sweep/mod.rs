//! The four sweeps over a recorded program.
//!
//! * [`primal`](fn@primal): values;
//! * [`tangent`](fn@tangent): forward mode, Jacobian-vector products;
//! * [`reverse`](fn@reverse): reverse mode, vector-Jacobian products;
//! * [`second`](fn@second): forward-over-reverse, Hessian-vector products and cross products;
//! * [`joint`](fn@joint): all of them for one direction, in one pass over the program's data.
//!
//! [`tangent_block`] and [`second_block`] take several directions at once.

mod columns;
mod joint;
mod primal;
mod products;
mod reverse;
mod second;
mod tangent;

pub use joint::{joint, products};
pub use primal::primal;
pub use reverse::reverse;
pub use second::{second, second_block};
pub use tangent::{tangent, tangent_block};

// What each makes at its first use stands beside it.
pub(crate) use columns::Columns;
pub(crate) use primal::{primal_bytes, primal_for_reverse, scratch_bytes};
pub(crate) use reverse::reverse_bytes;
pub(crate) use second::second_bytes;
pub(crate) use tangent::tangent_bytes;

use std::ops::Range;

use crate::program::{Inputs, Node, Op, Program};
use crate::real::Real;

use columns::Block;

/// Whose adjoints a sweep adds to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets {
    /// Nodes that depend on these inputs:
    pub(crate) wanted: Inputs,
    /// all of them, or those alone whose adjoints a second sweep along some moving inputs reads,
    /// which are the nodes that move but not the inputs.
    pub(crate) read_along: Option<Inputs>,
}

impl Targets {
    /// Whether a node passes adjoints on.
    fn takes<T: Real>(self, node: &Node<T>) -> bool {
        let read = |moving| node.depends.meets(moving);
        node.depends.meets(self.wanted) && self.read_along.is_none_or(read)
    }

    /// The place of node `id` in a buffer of adjoints, if it is a target.
    pub(crate) fn slot<T: Real>(self, program: &Program<T>, id: u32) -> Option<Range<usize>> {
        let node = &program.nodes[id as usize];
        let input = matches!(node.op, Op::Input) && self.read_along.is_some();
        (self.takes(node) && !input).then(|| node.start..node.start + node.shape.len())
    }

    /// The entries of node `id` in a buffer of adjoints, if it is a target.
    fn of<'a, T: Real>(
        self,
        program: &Program<T>,
        id: u32,
        buffer: &'a mut [T],
    ) -> Option<&'a mut [T]> {
        self.slot(program, id).map(|place| &mut buffer[place])
    }

    /// The columns of node `id` in a buffer of adjoints' tangents, if it is a target.
    fn columns_of<'a, T: Real>(
        self,
        program: &Program<T>,
        id: u32,
        columns: Columns,
        buffer: &'a mut [T],
    ) -> Option<&'a mut [T]> {
        let place = self.slot(program, id)?;
        Some(&mut buffer[columns.of(place)])
    }
}

/// The columns of node `id` in a block of tangents, if it moves.
fn slot<'a, T: Real>(
    program: &Program<T>,
    id: u32,
    buffer: &'a [T],
    block: Block,
) -> Option<&'a [T]> {
    let place = program.slot(id, block.moving)?;
    Some(&buffer[Columns::all(block.width).of(place)])
}

/// Splits a buffer before a node: what came before, and the node's own entries.
fn split<'a, T: Real>(buffer: &'a mut [T], node: &Node<T>) -> (&'a mut [T], &'a mut [T]) {
    split_columns(buffer, node, 1)
}

/// [`split`] of a buffer with `width` columns of every node.
fn split_columns<'a, T: Real>(
    buffer: &'a mut [T],
    node: &Node<T>,
    width: usize,
) -> (&'a mut [T], &'a mut [T]) {
    let (before, rest) = buffer.split_at_mut(node.start * width);
    (before, &mut rest[..node.shape.len() * width])
}

/// The entry at which operand `k` of a concatenation starts.
pub(crate) fn concat_start<T: Real>(program: &Program<T>, node: &Node<T>, k: usize) -> usize {
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

#[cfg(test)]
mod work_tests;
