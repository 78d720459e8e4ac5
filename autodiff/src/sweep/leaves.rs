//! The sweeps of a sum of [leaves](crate::leaves): those of each leaf in its own workspace, on several
//! threads, and what they give added in the order of the leaves.
//!
//! Adjoints inside a leaf are those of its weight: the sum's own adjoint u is multiplied with when they
//! are handed on, so that they stay when u moves.

use smallvec::SmallVec;

use crate::block::Block;
use crate::inputs::Inputs;
use crate::kernels::axpy;
use crate::leaves::{Leaf, Leaves};
use crate::linearised::Need;
use crate::operands::{OperandAdjoints, OperandTangents, Operands, Operation};
use crate::program::Node;
use crate::real::Real;
use crate::threads::{for_each, worth};
use crate::workspace::Workspace;

use super::Sweep;
use super::primal::Plan;

/// A leaf with its workspace.
type Part<'a, T> = (&'a Leaf<T>, &'a mut Workspace<T>);

/// Does something for every leaf, side by side.
fn each<T: Real>(
    leaves: &Leaves<T>,
    node: &Node<T>,
    nested: &mut [Workspace<T>],
    width: usize,
    f: impl Fn(&Leaf<T>, &mut Workspace<T>) + Sync + Send,
) {
    let nested = &mut nested[node.nested as usize..][..leaves.all.len()];
    let mut parts: SmallVec<[Part<'_, T>; 64]> = leaves.all.iter().zip(nested).collect();
    for_each(&mut parts, leaves.work * width, |(leaf, work)| {
        f(leaf, work)
    });
}

/// Leaves that go one after the other, so that each finds the buffers of the one before in a cache.
const IN_TURN: usize = 8;

/// [`each`], along `width` directions. Between a leaf and the next one, `hand_on` may give this the
/// buffers of that, if what comes out of it stays.
fn in_turn<T: Real>(
    leaves: &Leaves<T>,
    node: &Node<T>,
    nested: &mut [Workspace<T>],
    width: usize,
    f: impl Fn(&Leaf<T>, &mut Workspace<T>) + Sync + Send,
    hand_on: impl Fn(&Leaf<T>, &mut Workspace<T>, &mut Workspace<T>) + Sync + Send,
) {
    let (count, work) = (leaves.all.len(), leaves.work * width);
    let nested = &mut nested[node.nested as usize..][..count];
    let len = count.div_ceil(worth(work)).min(IN_TURN);
    let chunks = leaves.all.chunks(len).zip(nested.chunks_mut(len));
    let mut chunks: SmallVec<[_; 64]> = chunks.collect();
    for_each(&mut chunks, work, |(leaves, nested)| {
        for (k, leaf) in leaves.iter().enumerate() {
            let (work, next) = nested[k..].split_first_mut().expect("a workspace each");
            f(leaf, work);
            if let Some(next) = next.first_mut() {
                hand_on(leaf, work, next);
            }
        }
    });
}

impl<T: Real> Leaf<T> {
    /// Its inputs among those operands of the sum that some inputs of the program reach.
    fn reached(&self, at: Operation<'_, T>, inputs: Inputs) -> Inputs {
        let operands = self.operands();
        let reached = operands.enumerate().filter(|(_, operand)| {
            let arg = at.node.args[*operand] as usize;
            at.program.nodes[arg].depends.meets(inputs)
        });
        reached.fold(Inputs::NONE, |all, (k, _)| all.union(Inputs::one(k)))
    }
}

/// The value, and what `need` asks for.
pub(super) fn evaluate<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    a: &Operands<'_, T>,
    nested: &mut [Workspace<T>],
    (need, plan): (Need, Plan),
    out: &mut [T],
) {
    let value = plan.asked(at.node).value;
    each(leaves, at.node, nested, 1, |leaf, work| {
        for (k, operand) in leaf.operands().enumerate() {
            let arg = at.node.args[operand] as usize;
            if plan.renews(at.program.nodes[arg].reads, at.node) {
                work.set_input(&leaf.of, k, a.get(operand));
            }
        }
        let mut within = Sweep::of(&leaf.of, work);
        within.run(Plan::new(within.work, need, value));
    });
    if value {
        let nested = &nested[at.node.nested as usize..];
        let terms = leaves.all.iter().zip(nested);
        let terms = terms.map(|(leaf, work)| leaf.weight * work.output(&leaf.of)[0]);
        out[0] = terms.fold(T::zero(), |sum, term| sum + term);
    }
}

/// Adds to the adjoints what the sum's own hands on.
pub(super) fn pull<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &mut [Workspace<T>],
    wanted: Inputs,
    u: T,
    adjoints: &mut OperandAdjoints<'_, T>,
) {
    let sweep = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        let wanted = leaf.reached(at, wanted);
        Sweep::of(&leaf.of, work).reverse(&[leaf.weight], wanted);
    };
    in_turn(leaves, at.node, nested, 1, sweep, |leaf, work, next| {
        work.hand_adjoints_on(&leaf.of, next);
    });
    for (leaf, work) in leaves.all.iter().zip(&nested[at.node.nested as usize..]) {
        for (k, operand) in leaf.operands().enumerate() {
            if let Some(out) = adjoints.get(operand) {
                axpy(out, u, work.adjoint(&leaf.of, k));
            }
        }
    }
}

/// Copies the tangents of a leaf's operands to its workspace; what moves there.
fn seed<T: Real>(
    leaf: &Leaf<T>,
    within: &mut Sweep<'_, T>,
    tangents: &OperandTangents<'_, T>,
) -> Block {
    let width = tangents.width();
    let mut moving = Inputs::NONE;
    for (k, operand) in leaf.operands().enumerate() {
        if let Some(t) = tangents.get(operand) {
            moving = moving.union(within.seed_one(width, k, t).moving);
        }
    }
    Block { moving, width }
}

/// Overwrites `out` with the tangents of the sum, a column each.
pub(super) fn push<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &mut [Workspace<T>],
    tangents: &OperandTangents<'_, T>,
    out: &mut [T],
) {
    let width = tangents.width();
    let sweep = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        let mut within = Sweep::of(&leaf.of, work);
        let block = seed(leaf, &mut within, tangents);
        within.push_along(block);
    };
    in_turn(leaves, at.node, nested, width, sweep, |leaf, work, next| {
        work.hand_tangents_on(&leaf.of, width, next);
    });
    out.fill(T::zero());
    for (leaf, work) in leaves.all.iter().zip(&nested[at.node.nested as usize..]) {
        let moving = leaf.moving(tangents);
        if let Some(moved) = work.output_tangent(&leaf.of, moving, out.len()) {
            axpy(out, leaf.weight, moved);
        }
    }
}

impl<T: Real> Leaf<T> {
    fn moving(&self, tangents: &OperandTangents<'_, T>) -> Inputs {
        let operands = self.operands().enumerate();
        let moving = operands.filter(|(_, operand)| tangents.get(*operand).is_some());
        moving.fold(Inputs::NONE, |all, (k, _)| all.union(Inputs::one(k)))
    }
}

/// Adds to the adjoints' tangents what the operands' tangents and that of the sum's own adjoint hand
/// on, in columns.
#[allow(clippy::too_many_arguments)]
pub(super) fn pull_tangents<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &mut [Workspace<T>],
    wanted: Inputs,
    tangents: &OperandTangents<'_, T>,
    (u, du): (T, Option<&[T]>),
    adjoints: &mut OperandAdjoints<'_, T>,
) {
    let width = tangents.width();
    let sweep = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        let mut within = Sweep::of(&leaf.of, work);
        let block = seed(leaf, &mut within, tangents);
        if block.moving != Inputs::NONE {
            within.second_along(block, leaf.reached(at, wanted));
        }
    };
    in_turn(leaves, at.node, nested, width, sweep, |leaf, work, next| {
        work.hand_tangents_on(&leaf.of, width, next);
    });
    for (leaf, work) in leaves.all.iter().zip(&nested[at.node.nested as usize..]) {
        let moves = leaf.moving(tangents) != Inputs::NONE;
        for (k, operand) in leaf.operands().enumerate() {
            let Some(out) = adjoints.get(operand) else {
                continue;
            };
            if moves {
                axpy(out, u, work.adjoint_tangent(&leaf.of, k));
            }
            let Some(du) = du else { continue };
            let adjoint = work.adjoint(&leaf.of, k);
            for (column, du) in out.chunks_exact_mut(adjoint.len()).zip(du) {
                axpy(column, *du, adjoint);
            }
        }
    }
}
