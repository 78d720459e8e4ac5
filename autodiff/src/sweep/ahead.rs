//! Leaves that are swept to their end, one after the other.
//!
//! What comes back inside of a leaf does not depend on what comes back to the sum. So where it is known
//! that adjoints or products follow, each leaf makes its own while its values are in a cache; and where
//! nothing more may follow, all its buffers go on to the next leaf, which finds them there.

use crate::inputs::Inputs;
use crate::leaves::{Leaf, Leaves};
use crate::linearised::{Extent, Linearised, Need};
use crate::operands::{OperandTangents, Operands, Operation, Targets};
use crate::real::Real;
use crate::workspace::Workspace;

use super::Sweep;
use super::leaves::{in_turn, seed};
use super::primal::Plan;

/// What a primal sweep of the sum finds in the workspaces of its leaves: those whose buffers are another
/// one's begin anew.
pub(super) fn begin<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &mut [Workspace<T>],
) {
    for work in &mut nested[at.node.nested as usize..][leaves.mine()] {
        if !work.is_here() {
            work.state = Linearised::Not;
            (work.elsewhere, work.passed_on) = (false, false);
        }
        work.ahead = false;
    }
}

/// Sets what changed of a leaf's inputs, or all if nothing is there.
pub(super) fn renew<T: Real>(
    leaf: &Leaf<T>,
    at: Operation<'_, T>,
    a: &Operands<'_, T>,
    work: &mut Workspace<T>,
    plan: Plan,
) {
    let anew = matches!(work.state, Linearised::Not);
    leaf.set(a, work, |operand| anew || changed(at, operand, plan));
}

/// Whether an operand of the sum is another one than at the sweep before.
fn changed<T: Real>(at: Operation<'_, T>, operand: usize, plan: Plan) -> bool {
    let arg = at.node.args[operand] as usize;
    plan.renews(at.program.nodes[arg].reads, at.node)
}

/// Whether a leaf that was swept to its end may hand all its buffers on: where the next sweep computes
/// most of it again whatever is there.
fn passes_on<T: Real>(leaf: &Leaf<T>, at: Operation<'_, T>, plan: Plan) -> bool {
    let operands = leaf.operands().enumerate();
    let renewed = operands.filter(|(_, operand)| changed(at, *operand, plan));
    let kept = renewed.map(|(k, _)| leaf.work_without[k]).min();
    kept.is_some_and(|kept| KEPT * kept <= leaf.work)
}

/// A leaf whose values are handed on loses those that did not change. They are one part in so many of its
/// work at most: less than the fifth that was gained where it was measured (the guide's page `measuring`).
const KEPT: usize = 8;

/// Values and adjoints of every leaf, each to its end.
pub(super) fn differentiate<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    a: &Operands<'_, T>,
    nested: &mut [Workspace<T>],
    plan: Plan,
    extent: Extent,
) {
    let sweep = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        renew(leaf, at, a, work, plan);
        let wanted = leaf.reached(at, plan.ahead);
        let mut within = Sweep::of(&leaf.of, work);
        within.differentiate((plan.need, extent), &[leaf.weight], wanted);
    };
    in_turn(leaves, at.node, nested, 1, sweep, |leaf, work, next| {
        // No second sweep may follow.
        if plan.need == Need::Gradient && passes_on(leaf, at, plan) {
            work.hand_all_on(&leaf.of, next);
        }
    });
}

/// The joint sweep of every leaf: what it leaves stands for the sweeps of the sum that are made after it.
pub(super) fn joint<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &mut [Workspace<T>],
    (a, tangents): (&Operands<'_, T>, &OperandTangents<'_, T>),
    plan: Plan,
    (targets, moving): (Targets, Inputs),
) {
    let pulled = |arg: &u32| targets.of(at.program, *arg).is_some();
    let back = at.node.activity.adjoint_moves.meets(moving) || at.node.args.iter().any(pulled);
    let extent = match (plan.asked(at.node).value, back) {
        (true, _) => Extent::Whole,
        (false, true) => Extent::Derivatives,
        (false, false) => Extent::Products,
    };
    begin(leaves, at, nested);
    let sweep = |leaf: &Leaf<T>, work: &mut Workspace<T>| {
        renew(leaf, at, a, work, plan);
        let wanted = leaf.reached(at, targets.wanted);
        let mut within = Sweep::of(&leaf.of, work);
        let block = seed(leaf, &mut within, tangents);
        match extent {
            Extent::Products => within.products_along(leaf.weight, block, wanted),
            _ => within.joint_along(extent, leaf.weight, block, wanted),
        }
        within.work.ahead = true;
    };
    in_turn(leaves, at.node, nested, 1, sweep, |leaf, work, next| {
        if targets.read_along.is_some() && passes_on(leaf, at, plan) {
            work.hand_all_on(&leaf.of, next);
        } else {
            work.hand_tangents_on(&leaf.of, 1, next);
        }
    });
}

/// Forgets that joint sweeps were made.
pub(super) fn forget<T: Real>(
    leaves: &Leaves<T>,
    at: Operation<'_, T>,
    nested: &mut [Workspace<T>],
) {
    for work in &mut nested[at.node.nested as usize..][leaves.mine()] {
        work.ahead = false;
    }
}
