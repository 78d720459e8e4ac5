//! The joint sweep: everything at a fresh point, for one direction.

use crate::primitive::{Asked, Need, OperandTangents, Operands, Stash};
use crate::program::{Inputs, Op, Program};
use crate::real::Real;
use crate::workspace::Workspace;

use super::columns::{Block, Columns};
use super::primal::{Plan, evaluate};
use super::reverse::pull;
use super::second::pull_tangents;
use super::tangent::{push, seed};
use super::{Targets, split};

/// [`primal`](super::primal()), [`reverse`](super::reverse()) and [`second`](super::second()) in
/// one, for a direction that is known beforehand, `None` being zero.
///
/// A [`Primitive`](crate::Primitive) that can evaluate itself along a direction passes over its
/// data once. The results are bitwise those of the three sweeps, and further second sweeps may
/// follow.
///
/// # Panics
/// As [`second`](super::second()), and if the program's value is not a scalar.
#[track_caller]
pub fn joint<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    changed: Inputs,
    directions: &[Option<&[T]>],
    wanted: Inputs,
) {
    let block = seed(program, work, 1, directions);
    let plan = Plan::new(work, changed, Need::Curvature, true);
    run(program, work, plan, block, wanted, true);
    work.reversed = wanted;
}

/// The second sweep's result at a fresh point, and nothing else: values and adjoints that it does
/// not need are left out, so no second sweep may follow.
///
/// # Panics
/// As [`joint`].
#[track_caller]
pub fn products<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    changed: Inputs,
    directions: &[Option<&[T]>],
    wanted: Inputs,
) {
    let block = seed(program, work, 1, directions);
    work.pending = changed;
    joint_along(program, work, block, wanted);
}

/// The products alone, along tangents that stand in the workspace, of a gradient that a primal
/// sweep left to the reverse sweep: the inputs are set, the value and the gradient are read by
/// nobody.
pub(super) fn joint_along<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    block: Block,
    wanted: Inputs,
) {
    let changed = std::mem::replace(&mut work.pending, Inputs::NONE);
    let plan = Plan::new(work, changed, Need::Curvature, false);
    run(program, work, plan, block, wanted, false);
    // The stashes lack what only a gradient reads.
    work.level = Some(Need::Value);
}

fn run<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    plan: Plan,
    block: Block,
    wanted: Inputs,
    gradients: bool,
) {
    let moving = block.moving;
    let targets = Targets {
        wanted,
        read_along: (!gradients).then_some(moving),
    };
    work.make_scratch();
    for node in &program.nodes {
        let moves = node.depends.meets(moving);
        let Op::Fused(f) = &node.op else {
            if plan.takes(node) {
                evaluate(program, work, node, plan);
            }
            if moves && node.activity.tangent {
                push(program, work, node, block);
            }
            continue;
        };
        if !moves {
            if plan.takes(node) {
                evaluate(program, work, node, plan);
            }
            continue;
        }
        let (done, out) = split(&mut work.values, node);
        let (moved, out_tangent) = split(&mut work.tangents, node);
        let operands = Operands {
            program,
            node,
            values: done,
        };
        let tangents = OperandTangents {
            program,
            node,
            tangents: moved,
            moving,
            columns: Columns::ONE,
            evaluated: true,
        };
        let pulled = node
            .args
            .iter()
            .any(|a| targets.slot(program, *a).is_some());
        let asked = Asked {
            first: pulled || node.activity.tangent || node.activity.adjoint_moves.meets(moving),
            ..plan.asked(node)
        };
        let out_tangent = node.activity.tangent.then_some(out_tangent);
        let stash = Stash::of(node, &mut work.stash, &mut work.scratch);
        f.eval_along(&operands, &tangents, asked, out, out_tangent, stash);
    }
    plan.close(work);
    pull(program, work, &[T::one()], targets);
    pull_tangents(program, work, block, wanted, true);
}
