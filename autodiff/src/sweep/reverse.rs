//! The reverse sweep: adjoints, against the order of recording.

use crate::adjoints::Adjoints;
use crate::block::Columns;
use crate::inputs::Inputs;
use crate::kernels::{add, put_multiple_twice};
use crate::operands::{Operation, Targets};
use crate::program::{Op, Program};
use crate::real::Real;
use crate::rules::bilinear::Bilinear;
use crate::rules::elementwise::Side;

use super::columns::{Pair, binary_first};
use super::second::Back;
use super::{Sweep, few, leaves, second_bytes};

impl<T: Real> Sweep<'_, T> {
    /// Computes the adjoints of the `wanted` inputs for a cotangent of the output.
    ///
    /// Needs a primal sweep for a gradient before it, and for curvature where a second sweep
    /// follows.
    ///
    /// # Panics
    /// If that primal sweep was not made, or the lengths of cotangent and output differ.
    #[track_caller]
    #[inline(never)]
    pub(crate) fn reverse(&mut self, cotangent: &[T], wanted: Inputs) {
        let shape = self.program.output_shape();
        assert!(
            cotangent.len() == shape.len(),
            "cotangent with {} entries: expected {shape}",
            cotangent.len()
        );
        self.work.state.begin_reverse();
        self.pull(cotangent, Targets::by(wanted));
        self.work.state.reversed(wanted);
    }

    /// [`reverse`](Sweep::reverse), to some targets.
    pub(super) fn pull(&mut self, cotangent: &[T], targets: Targets) {
        let (program, work) = (self.program, &mut *self.work);
        work.adjoints.begin(program, 1);
        work.sweeps.gradients += 1;
        let output = &program.nodes[program.output];
        if targets.takes(output) {
            let mut adjoints = work.adjoints.open();
            let (entries, _) = adjoints.take(output, Columns::all(1));
            entries.copy_from_slice(cotangent);
        }
        let (values, mut all) = (&*work.values, work.adjoints.open());
        let mut rest = &program.nodes[..=program.output];
        while let Some((node, ahead)) = rest.split_last() {
            if node.few {
                let done = few::pull(program, rest, targets, values, all.reborrow());
                rest = &rest[..rest.len() - done];
                continue;
            }
            rest = ahead;
            if matches!(node.op, Op::Input) || node.back.view || !targets.takes(node) {
                continue;
            }
            if !all.settle(program, node, 1) {
                continue; // nothing came back
            }
            let at = Operation { program, node };
            let (before, u) = all.split(node, 1);
            let u = &*u;
            let a = at.operands(values);
            let mut adjoints = at.adjoints(before, targets, 1);
            match &node.op {
                Op::Input | Op::Constant => unreachable!("constants have no adjoint"),
                Op::Unary(f, p) => {
                    if let Some((out, fresh)) = adjoints.take(0) {
                        f.first(*p, [a.get(0), &values[node.place()], u], out, fresh);
                    }
                }
                Op::Binary(f) => {
                    let pair = Pair::of(&a, node);
                    for (k, side) in Side::BOTH.into_iter().enumerate() {
                        if let Some((out, fresh)) = adjoints.take(k) {
                            binary_first(*f, side, pair, (1, u), out, fresh);
                        }
                    }
                }
                // Of a squared norm both terms in one pass.
                Op::Bilinear(Bilinear::Dot) if node.args[0] == node.args[1] => {
                    if let Some((out, fresh)) = adjoints.take(0) {
                        put_multiple_twice(out, u[0], a.get(0), fresh);
                    }
                }
                Op::Bilinear(f) => {
                    if let Some((out, fresh)) = adjoints.take(0) {
                        f.left_adjoint(u, node.shape, a.get(1), at.shape(1), out, fresh);
                    }
                    if let Some((out, fresh)) = adjoints.take(1) {
                        f.right_adjoint(u, node.shape, a.get(0), at.shape(0), out, fresh);
                    }
                }
                Op::Linear(f) => {
                    for k in 0..a.len() {
                        if let Some((out, fresh)) = adjoints.take(k) {
                            let start = at.concat_start(k);
                            f.adjoint(start, u, node.shape, out, at.shape(k), fresh);
                        }
                    }
                }
                Op::Fused(f) => {
                    if (0..a.len()).any(|k| adjoints.wants(k)) {
                        let stash = at.stash(&mut work.stash, &mut work.scratch);
                        f.vjp(&a, stash, u, &mut adjoints);
                    }
                }
                Op::Leaves(all) => {
                    let nested = &mut work.nested;
                    leaves::pull(all, at, &a, nested, targets.wanted, u[0], &mut adjoints);
                }
                Op::Gradient { of, wrt } => {
                    // The Hessian is symmetric: the pullback of a gradient is its derivative along u.
                    let reached = at.reached_by(targets.wanted);
                    let mut within = Sweep::of(of, &mut work.nested[node.nested as usize]);
                    let block = within.seed_one(1, *wrt, u);
                    // A primal sweep may have left the function to this one.
                    if within.work.state.bends_by(reached) {
                        within.second_along(block, reached, Back::Whole);
                    } else {
                        within.products_along(T::one(), block, reached);
                    }
                    for k in 0..a.len() {
                        if let Some(out) = adjoints.get(k) {
                            add(out, within.work.adjoint_tangent(of, k));
                        }
                    }
                }
            }
        }
        if targets.read_along.is_none() {
            work.adjoints.end(program, 1, targets.wanted);
        }
    }
}

/// Bytes that the first reverse sweep makes: the adjoints, and what the second sweeps of the
/// gradients inside make.
#[inline(never)]
pub(crate) fn reverse_bytes<T: Real>(program: &Program<T>, wanted: Inputs) -> usize {
    let mut bytes = Adjoints::bytes(program, 1);
    if program.nodes[program.output].depends.meets(wanted) {
        let nodes = program.nodes[..=program.output].iter();
        let swept = nodes.filter(|n| n.depends.meets(wanted));
        for node in swept {
            bytes += node.op.gradient_of().map_or(0, |of| second_bytes(of, 1));
            let leaves = node.op.leaves();
            bytes += leaves
                .map(|of| reverse_bytes(of, Inputs::ALL))
                .sum::<usize>();
        }
    }
    bytes
}
