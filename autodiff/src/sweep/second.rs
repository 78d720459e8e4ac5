//! The second sweep: forward-over-reverse.

use crate::primitive::{Need, OperandAdjoints, OperandTangents, Operands, Stash};
use crate::program::{Inputs, Op, Program};
use crate::real::Real;
use crate::rules::elementwise::{Binary, Side};
use crate::workspace::Workspace;

use super::columns::{
    Block, Columns, Pair, binary_first, binary_second, each, unary_first, unary_second,
};
use super::products::Product;
use super::tangent::{push, seed};
use super::{Targets, concat_start, slot, split_columns};

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
    second_block(program, work, 1, directions, wanted);
}

/// [`second`] along `width` directions at once, and as many Hessian-vector products in
/// [`Sweeps::hvps`](crate::Sweeps::hvps): directions and results are blocks as in
/// [`tangent_block`](super::tangent_block).
///
/// # Panics
/// As [`second`], and if the block is empty.
#[track_caller]
pub fn second_block<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    width: usize,
    directions: &[Option<&[T]>],
    wanted: Inputs,
) {
    check(work, wanted);
    let block = seed(program, work, width, directions);
    sweep(program, work, block, wanted);
}

/// [`second_block`] along tangents that stand in the workspace already.
pub(super) fn second_along<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    block: Block,
    wanted: Inputs,
) {
    check(work, wanted);
    sweep(program, work, block, wanted);
}

#[track_caller]
fn check<T: Real>(work: &Workspace<T>, wanted: Inputs) {
    assert!(
        work.reversed.contains(wanted) && work.level == Some(Need::Curvature),
        "a second sweep needs a linearisation with curvature by the same inputs before it"
    );
}

fn sweep<T: Real>(program: &Program<T>, work: &mut Workspace<T>, block: Block, wanted: Inputs) {
    for node in &program.nodes {
        if node.activity.tangent {
            push(program, work, node, block);
        }
    }
    pull_tangents(program, work, block, wanted, false);
}

/// The way back of a second sweep. `evaluated` says whether the primitives were evaluated along
/// these tangents.
pub(super) fn pull_tangents<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    block: Block,
    wanted: Inputs,
    evaluated: bool,
) {
    // As in `push`: the same code, with a width that is known.
    match block {
        Block { moving, width: 1 } => {
            let block = Block { moving, width: 1 };
            pull_columns(program, work, block, wanted, evaluated);
        }
        _ => pull_columns(program, work, block, wanted, evaluated),
    }
}

#[inline(always)]
fn pull_columns<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    block: Block,
    wanted: Inputs,
    evaluated: bool,
) {
    let Block { moving, width } = block;
    let columns = Columns::all(width);
    let targets = Targets {
        wanted,
        read_along: None,
    };
    work.clear_adjoint_tangents(width);
    work.moved = wanted;
    work.sweeps.hvps += width;
    for node in program.nodes[..=program.output].iter().rev() {
        if matches!(node.op, Op::Input) || !node.depends.meets(wanted) {
            continue;
        }
        let values = &work.values[..];
        let adjoint = &work.adjoints[node.start..][..node.shape.len()];
        let tangents = &work.tangents[..];
        let (before, du) = split_columns(&mut work.adjoint_tangents, node, width);
        let du = node.activity.adjoint_moves.meets(moving).then_some(&*du);
        let arg = |k: usize| program.value(node.args[k], values);
        let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
        let dot = |k: usize| slot(program, node.args[k], tangents, block);
        match &node.op {
            Op::Input | Op::Constant => unreachable!("constants have no adjoint"),
            Op::Unary(f, p) => {
                if let Some(out) = targets.columns_of(program, node.args[0], columns, before) {
                    let value = &values[node.start..][..node.shape.len()];
                    if let Some(du) = du {
                        unary_first(*f, *p, arg(0), value, du, out);
                    }
                    if let Some(t) = dot(0) {
                        unary_second(*f, *p, arg(0), value, adjoint, t, out);
                    }
                }
            }
            Op::Binary(f) => {
                let sides = [Side::Left, Side::Right];
                let pair = Pair {
                    a: arg(0),
                    b: arg(1),
                    len: node.shape.len(),
                };
                for (k, by) in sides.into_iter().enumerate() {
                    let arg = node.args[k];
                    let Some(out) = targets.columns_of(program, arg, columns, before) else {
                        continue;
                    };
                    if let Some(du) = du {
                        binary_first(*f, by, pair, width, du, out);
                    }
                    for (l, along) in sides.into_iter().enumerate() {
                        if let Some(t) = dot(l).filter(|_| bends(*f, by, along)) {
                            binary_second(*f, (by, along), pair, adjoint, width, t, out);
                        }
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
                if let Some(out) = targets.columns_of(program, node.args[0], columns, before) {
                    if let Some(du) = du {
                        product.left_adjoint(width, du, arg(1), out);
                    }
                    if let Some(t) = dot(1) {
                        product.left_adjoint_along(width, adjoint, t, out);
                    }
                }
                if let Some(out) = targets.columns_of(program, node.args[1], columns, before) {
                    if let Some(du) = du {
                        product.right_adjoint(width, du, arg(0), out);
                    }
                    if let Some(t) = dot(0) {
                        product.right_adjoint_along(width, adjoint, t, out);
                    }
                }
            }
            Op::Linear(f) => {
                let Some(du) = du else { continue };
                for (k, a) in node.args.iter().enumerate() {
                    if let Some(out) = targets.columns_of(program, *a, columns, before) {
                        let start = concat_start(program, node, k);
                        each(width, du, out, |du, out| {
                            f.adjoint(start, du, node.shape, out, shape(k));
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
                    tangents,
                    moving,
                    columns,
                    evaluated: evaluated && node.depends.meets(moving),
                };
                let mut adjoints = OperandAdjoints {
                    program,
                    node,
                    adjoints: before,
                    targets,
                    columns,
                };
                let stash = Stash::of(node, &mut work.stash, &mut work.scratch);
                let adjoints = &mut adjoints;
                match width {
                    1 => f.vjp_tangent(&operands, &tangents, stash, adjoint, du, adjoints),
                    _ => f.vjp_tangent_block(&operands, &tangents, stash, adjoint, du, adjoints),
                }
            }
            Op::Gradient { .. } => panic!(
                "second derivatives of a program that takes a gradient inside would be third \
                 derivatives of the function within: not supported"
            ),
        }
    }
}

/// Whether a binary operation has a second derivative by these operands that is not zero.
fn bends(f: Binary, by: Side, along: Side) -> bool {
    match f {
        Binary::Add | Binary::Sub => false,
        Binary::Mul => by != along,
        _ => true,
    }
}

/// Bytes that the first [`second_block`] sweep makes: the tangents, and those of the adjoints.
pub(crate) fn second_bytes<T: Real>(program: &Program<T>, width: usize) -> usize {
    2 * width * program.values_bytes()
}
