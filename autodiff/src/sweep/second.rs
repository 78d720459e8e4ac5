//! The second sweep: forward-over-reverse.

use crate::program::{Inputs, Op, Program};
use crate::rules::elementwise::Side;
use crate::{OperandAdjoints, OperandTangents, Operands, Real, Stash, Workspace};

use super::tangent::{push, seed};
use super::{Targets, concat_start, slot, split};

/// Computes the derivative of the `wanted` inputs' adjoints along the given tangents of the
/// inputs, `None` being zero.
///
/// For a function g(x, y) and tangents (0, v) this is ∇²_xy g·v and ∇²_yy g·v, in one sweep.
/// Needs a primal sweep with [`Need::Curvature`](crate::Need::Curvature) and a reverse sweep of at
/// least the wanted inputs before it; any number of second sweeps may follow one such pair.
///
/// # Panics
/// If the program takes gradients inside (that would need third derivatives), if the sweeps before
/// it were not made, or if a tangent's length is not that of its input.
#[track_caller]
pub fn second<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    directions: &[Option<&[T]>],
    wanted: Inputs,
) {
    check(work, wanted);
    let moving = seed(program, work, directions);
    sweep(program, work, moving, wanted);
}

/// [`second`] along tangents that stand in the workspace already.
pub(super) fn second_along<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    moving: Inputs,
    wanted: Inputs,
) {
    check(work, wanted);
    sweep(program, work, moving, wanted);
}

#[track_caller]
fn check<T: Real>(work: &Workspace<T>, wanted: Inputs) {
    assert!(
        work.reversed.contains(wanted) && work.level == Some(crate::Need::Curvature),
        "a second sweep needs a linearisation with curvature by the same inputs before it"
    );
}

fn sweep<T: Real>(program: &Program<T>, work: &mut Workspace<T>, moving: Inputs, wanted: Inputs) {
    for node in &program.nodes {
        if node.activity.tangent {
            push(program, work, node, moving);
        }
    }
    pull_tangents(program, work, moving, wanted, false);
}

/// The way back of a second sweep. `evaluated` says whether the primitives were evaluated along
/// these tangents.
pub(super) fn pull_tangents<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    moving: Inputs,
    wanted: Inputs,
    evaluated: bool,
) {
    let targets = Targets {
        wanted,
        leaves: true,
    };
    work.make_adjoint_tangents();
    work.adjoint_tangents.fill(T::zero());
    work.sweeps.hvps += 1;
    for node in program.nodes[..=program.output].iter().rev() {
        if matches!(node.op, Op::Input) || !node.depends.meets(wanted) {
            continue;
        }
        let values = &work.values[..];
        let adjoint = &work.adjoints[node.start..][..node.shape.len()];
        let tangents = &work.tangents[..];
        let (before, du) = split(&mut work.adjoint_tangents, node);
        let du = node.activity.adjoint_moves.meets(moving).then_some(&*du);
        let arg = |k: usize| program.value(node.args[k], values);
        let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
        let dot = |k: usize| slot(program, node.args[k], tangents, moving);
        match &node.op {
            Op::Input | Op::Constant => unreachable!("constants have no adjoint"),
            Op::Unary(f, p) => {
                if let Some(out) = targets.of(program, node.args[0], before) {
                    let value = &values[node.start..][..node.shape.len()];
                    if let Some(du) = du {
                        f.first(*p, arg(0), value, du, out);
                    }
                    if let Some(t) = dot(0) {
                        f.second(*p, arg(0), value, t, adjoint, out);
                    }
                }
            }
            Op::Binary(f) => {
                let sides = [Side::Left, Side::Right];
                for (k, by) in sides.into_iter().enumerate() {
                    let Some(out) = targets.of(program, node.args[k], before) else {
                        continue;
                    };
                    let (n, step) = (node.shape.len(), usize::from(out.len() > 1));
                    let (a, b) = (arg(0), arg(1));
                    if let Some(du) = du {
                        f.first(by, a, b, du, n, |i, v| out[i * step] += v);
                    }
                    for (l, along) in sides.into_iter().enumerate() {
                        if let Some(t) = dot(l) {
                            let add = |i: usize, v: T| out[i * step] += v;
                            f.second(by, along, a, b, t, adjoint, n, add);
                        }
                    }
                }
            }
            Op::Bilinear(f) => {
                if let Some(out) = targets.of(program, node.args[0], before) {
                    if let Some(du) = du {
                        f.left_adjoint(du, node.shape, arg(1), shape(1), out);
                    }
                    if let Some(t) = dot(1) {
                        f.left_adjoint(adjoint, node.shape, t, shape(1), out);
                    }
                }
                if let Some(out) = targets.of(program, node.args[1], before) {
                    if let Some(du) = du {
                        f.right_adjoint(du, node.shape, arg(0), shape(0), out);
                    }
                    if let Some(t) = dot(0) {
                        f.right_adjoint(adjoint, node.shape, t, shape(0), out);
                    }
                }
            }
            Op::Linear(f) => {
                let Some(du) = du else { continue };
                for (k, a) in node.args.iter().enumerate() {
                    if let Some(out) = targets.of(program, *a, before) {
                        let start = concat_start(program, node, k);
                        f.adjoint(start, du, node.shape, out, shape(k));
                    }
                }
            }
            Op::Fused(f) => {
                let operands = Operands {
                    program,
                    node,
                    values,
                };
                let tangents = OperandTangents {
                    program,
                    node,
                    tangents,
                    moving,
                    evaluated: evaluated && node.depends.meets(moving),
                };
                let mut adjoints = OperandAdjoints {
                    program,
                    node,
                    adjoints: before,
                    targets,
                };
                let stash = Stash::of(node, &mut work.stash, &mut work.scratch);
                f.vjp_tangent(&operands, &tangents, stash, adjoint, du, &mut adjoints);
            }
            Op::Gradient { .. } => panic!(
                "second derivatives of a program that takes a gradient inside would be third \
                 derivatives of the function within: not supported"
            ),
        }
    }
}

/// Bytes that the first [`second`] sweep makes: the tangents, and those of the adjoints.
pub(crate) fn second_bytes<T: Real>(program: &Program<T>) -> usize {
    2 * program.values_bytes()
}
