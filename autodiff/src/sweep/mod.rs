//! The four sweeps over a recorded program.
//!
//! * [`primal`](Sweep::primal): values;
//! * [`tangent`](Sweep::tangent): forward mode, Jacobian-vector products;
//! * [`reverse`](Sweep::reverse): reverse mode, vector-Jacobian products;
//! * [`second`](Sweep::second): forward-over-reverse, Hessian-vector products and cross products;
//! * [`joint`](Sweep::joint): all of them for one direction, in one pass over the program's data.

mod ahead;
mod columns;
mod few;
mod joint;
mod leaves;
mod primal;
mod products;
mod reverse;
mod second;
mod tangent;

// What each makes at its first use stands beside it.
pub(crate) use few::is_few;
pub(crate) use primal::{primal_bytes, scratch_bytes};
pub(crate) use reverse::reverse_bytes;
pub(crate) use second::second_bytes;
pub(crate) use tangent::tangent_bytes;

use crate::block::Columns;
use crate::program::{Node, Program};
use crate::real::Real;
use crate::workspace::Workspace;

/// A program and the workspace that it is swept in.
pub(crate) struct Sweep<'a, T: Real> {
    program: &'a Program<T>,
    work: &'a mut Workspace<T>,
}

impl<'a, T: Real> Sweep<'a, T> {
    /// A sweep of `program`, whose workspace `work` is. This is the one place that looks whether it was
    /// interrupted: before anything is written.
    #[inline]
    pub(crate) fn of(program: &'a Program<T>, work: &'a mut Workspace<T>) -> Self {
        work.stop_if_interrupted();
        Sweep { program, work }
    }
}

/// Splits a buffer with `width` columns of every node before one that is no view: what came before,
/// and the node's own entries.
fn split<'a, T: Real>(
    buffer: &'a mut [T],
    node: &Node<T>,
    width: usize,
) -> (&'a mut [T], &'a mut [T]) {
    let (before, rest) = buffer.split_at_mut(Columns::all(width).of(node).start);
    (before, &mut rest[..node.shape.len() * width])
}

#[cfg(test)]
mod work_tests;
