//! The tangent sweep: forward mode.

use crate::program::{Inputs, Node, Op, Program};
use crate::rules::elementwise::Side;
use crate::{OperandTangents, Operands, Real, Stash, Workspace};

use super::second::second_along;
use super::{concat_start, second_bytes, slot, split};

/// Computes the tangent of every value along the given tangents of the inputs, `None` being zero,
/// and returns that of the output, or `None` where it is zero.
///
/// Needs a primal sweep with [`Need::Curvature`](crate::Need::Curvature) before it; with gradients
/// inside the program it costs one second sweep of each.
///
/// # Panics
/// If the number of tangents is not that of the inputs, or a length is not that of its input.
#[track_caller]
pub fn tangent<'w, T: Real>(
    program: &Program<T>,
    work: &'w mut Workspace<T>,
    directions: &[Option<&[T]>],
) -> Option<&'w [T]> {
    assert!(
        work.level == Some(crate::Need::Curvature),
        "a tangent sweep needs a primal sweep with curvature before it"
    );
    let moving = seed(program, work, directions);
    for node in &program.nodes {
        push(program, work, node, moving);
    }
    slot(program, program.output as u32, &work.tangents, moving)
}

/// Copies the directions to the inputs' tangents and says which inputs move.
#[track_caller]
pub(super) fn seed<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    directions: &[Option<&[T]>],
) -> Inputs {
    assert_eq!(
        directions.len(),
        program.inputs,
        "one tangent for each input"
    );
    work.make_tangents();
    let mut moving = Inputs::NONE;
    for (k, direction) in directions.iter().enumerate() {
        if let Some(direction) = direction {
            moving = moving.and(seed_one(program, work, k, direction));
        }
    }
    moving
}

/// Copies a direction to the tangent of input `k`, which is the input that moves.
#[track_caller]
pub(super) fn seed_one<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    k: usize,
    direction: &[T],
) -> Inputs {
    work.make_tangents();
    let node = &program.nodes[k];
    assert!(
        direction.len() == node.shape.len(),
        "tangent of input {k} has {} entries: expected {}",
        direction.len(),
        node.shape
    );
    work.tangents[node.start..][..direction.len()].copy_from_slice(direction);
    Inputs::one(k)
}

/// Computes the tangent of one node, if it moves.
pub(super) fn push<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    node: &Node<T>,
    moving: Inputs,
) {
    if matches!(node.op, Op::Input) || !node.depends.meets(moving) {
        return;
    }
    let values = &work.values[..];
    let (done, out) = split(&mut work.tangents, node);
    let done = &*done;
    let arg = |k: usize| program.value(node.args[k], values);
    let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
    let dot = |k: usize| slot(program, node.args[k], done, moving);
    if !matches!(node.op, Op::Fused(_) | Op::Gradient { .. }) {
        out.fill(T::zero());
    }
    match &node.op {
        Op::Input | Op::Constant => unreachable!("constants do not move"),
        Op::Unary(f, p) => {
            if let Some(t) = dot(0) {
                let u = &values[node.start..][..node.shape.len()];
                f.first(*p, arg(0), u, t, out);
            }
        }
        Op::Binary(f) => {
            for (k, side) in [Side::Left, Side::Right].into_iter().enumerate() {
                if let Some(t) = dot(k) {
                    let n = node.shape.len();
                    f.first(side, arg(0), arg(1), t, n, |i, v| out[i] += v);
                }
            }
        }
        Op::Bilinear(f) => {
            if let Some(t) = dot(0) {
                f.apply(t, shape(0), arg(1), shape(1), out);
            }
            if let Some(t) = dot(1) {
                f.apply(arg(0), shape(0), t, shape(1), out);
            }
        }
        Op::Linear(f) => {
            for k in 0..node.args.len() {
                if let Some(t) = dot(k) {
                    let start = concat_start(program, node, k);
                    f.apply(start, t, shape(k), out, node.shape);
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
                tangents: done,
                moving,
                evaluated: false,
            };
            let stash = Stash::of(node, &mut work.stash, &mut work.scratch);
            f.jvp(&operands, &tangents, stash, out);
        }
        Op::Gradient { of, wrt } => {
            let inner = &mut work.nested[node.nested];
            let mut inner_moving = Inputs::NONE;
            for k in 0..node.args.len() {
                if let Some(t) = dot(k) {
                    inner_moving = inner_moving.and(seed_one(of, inner, k, t));
                }
            }
            second_along(of, inner, inner_moving, Inputs::one(*wrt));
            out.copy_from_slice(inner.adjoint_tangent(of, *wrt));
        }
    }
}

/// Bytes that the first [`tangent`] sweep along `moving` inputs makes: the tangents, and what the
/// second sweeps of the gradients inside make.
pub(crate) fn tangent_bytes<T: Real>(program: &Program<T>, moving: Inputs) -> usize {
    let swept = program.nodes.iter().filter(|n| n.depends.meets(moving));
    let inner = swept.filter_map(|n| n.op.gradient_of());
    program.values_bytes() + inner.map(second_bytes).sum::<usize>()
}
