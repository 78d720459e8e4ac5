//! The reverse sweep: adjoints, against the order of recording.

use crate::primitive::{Need, OperandAdjoints, Operands, Stash};
use crate::program::{Inputs, Op, Program};
use crate::real::Real;
use crate::rules::elementwise::Side;
use crate::workspace::Workspace;

use super::columns::{Columns, Pair, binary_first};
use super::joint::joint_along;
use super::second::second_along;
use super::tangent::seed_one;
use super::{Targets, concat_start, reaching, second_bytes, split};

/// Computes the adjoints of the `wanted` inputs for a cotangent of the output.
///
/// Needs a primal sweep with at least [`Need::Gradient`](crate::Need::Gradient) before it, and
/// [`Need::Curvature`](crate::Need::Curvature) where a second sweep follows.
///
/// # Panics
/// If that primal sweep was not made, or the cotangent's length is not that of the output.
#[track_caller]
pub fn reverse<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    cotangent: &[T],
    wanted: Inputs,
) {
    assert!(
        work.level >= Some(Need::Gradient),
        "a reverse sweep needs a primal sweep for a gradient before it"
    );
    work.forget_derivatives();
    let targets = Targets {
        wanted,
        read_along: None,
    };
    pull(program, work, cotangent, targets);
    work.reversed = wanted;
}

/// [`reverse`], to some targets.
#[track_caller]
pub(super) fn pull<T: Real>(
    program: &Program<T>,
    work: &mut Workspace<T>,
    cotangent: &[T],
    targets: Targets,
) {
    work.make_adjoints();
    work.adjoints.fill(T::zero());
    work.sweeps.gradients += 1;
    let output = &program.nodes[program.output];
    assert_eq!(
        cotangent.len(),
        output.shape.len(),
        "length of the cotangent"
    );
    if !output.depends.meets(targets.wanted) {
        return;
    }
    work.adjoints[output.start..][..cotangent.len()].copy_from_slice(cotangent);
    for node in program.nodes[..=program.output].iter().rev() {
        if matches!(node.op, Op::Input) || !targets.takes(node) {
            continue;
        }
        let values = &work.values[..];
        let (before, u) = split(&mut work.adjoints, node);
        let u = &*u;
        let arg = |k: usize| program.value(node.args[k], values);
        let shape = |k: usize| program.nodes[node.args[k] as usize].shape;
        match &node.op {
            Op::Input | Op::Constant => unreachable!("constants have no adjoint"),
            Op::Unary(f, p) => {
                if let Some(out) = targets.of(program, node.args[0], before) {
                    let value = &values[node.start..][..node.shape.len()];
                    f.first(*p, arg(0), value, u, out);
                }
            }
            Op::Binary(f) => {
                let pair = Pair {
                    a: arg(0),
                    b: arg(1),
                    len: node.shape.len(),
                };
                for (k, side) in [Side::Left, Side::Right].into_iter().enumerate() {
                    if let Some(out) = targets.of(program, node.args[k], before) {
                        binary_first(*f, side, pair, 1, u, out);
                    }
                }
            }
            Op::Bilinear(f) => {
                if let Some(out) = targets.of(program, node.args[0], before) {
                    f.left_adjoint(u, node.shape, arg(1), shape(1), out);
                }
                if let Some(out) = targets.of(program, node.args[1], before) {
                    f.right_adjoint(u, node.shape, arg(0), shape(0), out);
                }
            }
            Op::Linear(f) => {
                for (k, a) in node.args.iter().enumerate() {
                    if let Some(out) = targets.of(program, *a, before) {
                        let start = concat_start(program, node, k);
                        f.adjoint(start, u, node.shape, out, shape(k));
                    }
                }
            }
            Op::Fused(f) => {
                let operands = Operands {
                    program,
                    node,
                    values,
                };
                let mut adjoints = OperandAdjoints {
                    program,
                    node,
                    adjoints: before,
                    targets,
                    columns: Columns::ONE,
                };
                let anything = (0..node.args.len()).any(|k| adjoints.wants(k));
                if anything {
                    let stash = Stash::of(node, &mut work.stash, &mut work.scratch);
                    f.vjp(&operands, stash, u, &mut adjoints);
                }
            }
            Op::Gradient { of, wrt } => {
                // The Hessian is symmetric: the pullback of a gradient is its derivative along u.
                let inner = &mut work.nested[node.nested];
                let block = seed_one(of, inner, 1, *wrt, u);
                let reached = reaching(program, node, targets.wanted);
                if inner.deferred {
                    joint_along(of, inner, block, reached);
                } else {
                    second_along(of, inner, block, reached);
                }
                for (k, a) in node.args.iter().enumerate() {
                    if let Some(out) = targets.of(program, *a, before) {
                        crate::kernels::add(out, inner.adjoint_tangent(of, k));
                    }
                }
            }
        }
    }
}

/// Bytes that the first [`reverse`] sweep makes: the adjoints, and what the second sweeps of the
/// gradients inside make.
pub(crate) fn reverse_bytes<T: Real>(program: &Program<T>, wanted: Inputs) -> usize {
    let mut bytes = program.values_bytes();
    if program.nodes[program.output].depends.meets(wanted) {
        let nodes = program.nodes[..=program.output].iter();
        let swept = nodes.filter(|n| n.depends.meets(wanted));
        bytes += swept
            .filter_map(|n| n.op.gradient_of())
            .map(|of| second_bytes(of, 1))
            .sum::<usize>();
    }
    bytes
}
