//! The tangent sweep: forward mode.

use crate::primitive::{Need, OperandTangents, Operands, Stash};
use crate::program::{Inputs, Node, Op, Program};
use crate::real::Real;
use crate::rules::elementwise::Side;
use crate::workspace::Workspace;

use super::columns::{Block, Columns, Pair, binary_first, each, unary_first};
use super::products::Product;
use super::second::second_along;
use super::{concat_start, second_bytes, slot, split_columns};

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
    tangent_block(program, work, 1, directions)
}

/// [`tangent`] along `width` directions at once: a direction of an input is a block of `width`
/// columns of its length, one after the other, and so is the result.
///
/// Products with a matrix become products of matrices, and a [`Primitive`](crate::Primitive) may
/// pass over its data once for several columns; each column is the same as in a sweep of its own,
/// but for the order in which a product of matrices sums.
///
/// # Panics
/// As [`tangent`], and if the block is empty.
#[track_caller]
pub fn tangent_block<'w, T: Real>(
    program: &Program<T>,
    work: &'w mut Workspace<T>,
    width: usize,
    directions: &[Option<&[T]>],
) -> Option<&'w [T]> {
    assert!(
        work.level == Some(Need::Curvature),
        "a tangent sweep needs a primal sweep with curvature before it"
    );
    let block = seed(program, work, width, directions);
    for node in &program.nodes {
        push(program, work, node, block);
    }
    slot(program, program.output as u32, &work.tangents, block)
}

/// Copies a block of directions to the inputs' tangents and says what moves.
#[track_caller]
pub(super) fn seed<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    width: usize,
    directions: &[Option<&[T]>],
) -> Block {
    assert!(width > 0, "a block has at least one direction");
    assert_eq!(
        directions.len(),
        program.inputs,
        "one tangent for each input"
    );
    work.make_tangents(width);
    let mut moving = Inputs::NONE;
    for (k, direction) in directions.iter().enumerate() {
        if let Some(direction) = direction {
            moving = moving.and(seed_one(program, work, width, k, direction).moving);
        }
    }
    Block { moving, width }
}

/// Copies directions to the tangent of input `k`, which is the input that moves.
#[track_caller]
pub(super) fn seed_one<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    width: usize,
    k: usize,
    direction: &[T],
) -> Block {
    work.make_tangents(width);
    let node = &program.nodes[k];
    assert!(
        direction.len() == node.shape.len() * width,
        "tangent of input {k} has {} entries: expected {}{}",
        direction.len(),
        node.shape,
        match width {
            1 => String::new(),
            _ => format!(", {width} times"),
        }
    );
    work.tangents[node.start * width..][..direction.len()].copy_from_slice(direction);
    Block {
        moving: Inputs::one(k),
        width,
    }
}

/// Computes the tangents of one node, if it moves.
pub(super) fn push<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    node: &Node<T>,
    block: Block,
) {
    // The same code twice: where the width is known, nothing is multiplied by it.
    match block {
        Block { moving, width: 1 } => push_columns(program, work, node, Block { moving, width: 1 }),
        _ => push_columns(program, work, node, block),
    }
}

#[inline(always)]
fn push_columns<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    node: &Node<T>,
    block: Block,
) {
    let Block { moving, width } = block;
    if matches!(node.op, Op::Input) || !node.depends.meets(moving) {
        return;
    }
    let values = &work.values[..];
    let (done, out) = split_columns(&mut work.tangents, node, width);
    let done = &*done;
    let arg = |k: usize| program.value(node.args[k], values);
    let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
    let dot = |k: usize| slot(program, node.args[k], done, block);
    if !matches!(node.op, Op::Fused(_) | Op::Gradient { .. }) {
        out.fill(T::zero());
    }
    match &node.op {
        Op::Input | Op::Constant => unreachable!("constants do not move"),
        Op::Unary(f, p) => {
            if let Some(t) = dot(0) {
                let u = &values[node.start..][..node.shape.len()];
                unary_first(*f, *p, arg(0), u, t, out);
            }
        }
        Op::Binary(f) => {
            let pair = Pair {
                a: arg(0),
                b: arg(1),
                len: node.shape.len(),
            };
            for (k, side) in [Side::Left, Side::Right].into_iter().enumerate() {
                if let Some(t) = dot(k) {
                    binary_first(*f, side, pair, width, t, out);
                }
            }
        }
        Op::Bilinear(f) => {
            let product = Product {
                f: *f,
                left: shape(0),
                right: shape(1),
                out: node.shape,
            };
            if let Some(t) = dot(0) {
                product.along_left(width, t, arg(1), out);
            }
            if let Some(t) = dot(1) {
                product.along_right(width, arg(0), t, out);
            }
        }
        Op::Linear(f) => {
            for k in 0..node.args.len() {
                if let Some(t) = dot(k) {
                    let start = concat_start(program, node, k);
                    each(width, t, out, |t, out| {
                        f.apply(start, t, shape(k), out, node.shape);
                    });
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
                columns: Columns::all(width),
                evaluated: false,
            };
            let stash = Stash::of(node, &mut work.stash, &mut work.scratch);
            match width {
                1 => f.jvp(&operands, &tangents, stash, out),
                _ => f.jvp_block(&operands, &tangents, stash, out),
            }
        }
        Op::Gradient { of, wrt } => {
            let inner = &mut work.nested[node.nested];
            let mut moving = Inputs::NONE;
            for k in 0..node.args.len() {
                if let Some(t) = dot(k) {
                    moving = moving.and(seed_one(of, inner, width, k, t).moving);
                }
            }
            second_along(of, inner, Block { moving, width }, Inputs::one(*wrt));
            out.copy_from_slice(inner.adjoint_tangent(of, *wrt));
        }
    }
}

/// Bytes that the first [`tangent_block`] sweep along `moving` inputs makes: the tangents, and what
/// the second sweeps of the gradients inside make.
pub(crate) fn tangent_bytes<T: Real>(program: &Program<T>, moving: Inputs, width: usize) -> usize {
    let swept = program.nodes.iter().filter(|n| n.depends.meets(moving));
    let inner = swept.filter_map(|n| n.op.gradient_of());
    let inner = inner.map(|of| second_bytes(of, width));
    width * program.values_bytes() + inner.sum::<usize>()
}
