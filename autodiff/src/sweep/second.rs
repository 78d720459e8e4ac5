//! The second sweep: forward-over-reverse.

use crate::block::Block;
use crate::inputs::Inputs;
use crate::operands::{Operation, Targets};
use crate::program::{Op, Program};
use crate::real::Real;
use crate::rules::elementwise::{Binary, Side};

use super::columns::{Pair, binary_first, binary_second, each, unary_first, unary_second};
use super::products::Product;
use super::{Sweep, leaves, split};

impl<T: Real> Sweep<'_, T> {
    /// Computes the derivative of the `wanted` inputs' adjoints along `width` directions of the
    /// inputs at once, `None` being zero: for each input a block of `width` columns of its length,
    /// one after the other, and so is the result.
    ///
    /// For a function g(x, y) and directions (0, v) this is ∇²_xy g·v and ∇²_yy g·v, in one sweep.
    /// Needs a primal sweep for curvature and a reverse sweep of at least the wanted inputs before
    /// it; any number of second sweeps may follow one such pair.
    ///
    /// # Panics
    /// If the program takes gradients inside (that would need third derivatives), if the sweeps
    /// before it were not made, if the block is empty, or if a direction's length differs from its
    /// input's.
    #[track_caller]
    pub(crate) fn second(&mut self, width: usize, directions: &[Option<&[T]>], wanted: Inputs) {
        let block = self.seed(width, directions);
        self.second_along(block, wanted);
    }

    /// [`second`](Sweep::second) along tangents that stand in the workspace.
    #[track_caller]
    pub(super) fn second_along(&mut self, block: Block, wanted: Inputs) {
        self.work.state.begin_second(wanted);
        for node in &self.program.nodes {
            if node.activity.tangent {
                self.push(node, block);
            }
        }
        self.pull_tangents(block, wanted, false);
        self.work.state.moved(wanted, block);
    }

    /// The way back of a second sweep. `evaluated` says whether the primitives were evaluated along
    /// these tangents.
    pub(super) fn pull_tangents(&mut self, block: Block, wanted: Inputs, evaluated: bool) {
        // As in `push`: the same code, with a width that is known.
        match block {
            Block { moving, width: 1 } => {
                self.pull_columns(Block { moving, width: 1 }, wanted, evaluated);
            }
            _ => self.pull_columns(block, wanted, evaluated),
        }
    }

    #[inline(always)]
    fn pull_columns(&mut self, block: Block, wanted: Inputs, evaluated: bool) {
        let (program, work) = (self.program, &mut *self.work);
        let Block { moving, width } = block;
        let targets = Targets::by(wanted);
        work.clear_adjoint_tangents(width);
        work.sweeps.hvps += width;
        for node in program.nodes[..=program.output].iter().rev() {
            if matches!(node.op, Op::Input) || !targets.takes(node) {
                continue;
            }
            let at = Operation { program, node };
            let adjoint = &work.adjoints[node.place()];
            let (before, du) = split(&mut work.adjoint_tangents, node, width);
            let du = node.activity.adjoint_moves.meets(moving).then_some(&*du);
            let evaluated = evaluated && node.depends.meets(moving);
            let a = at.operands(&work.values);
            let tangents = at.tangents(&work.tangents, block, evaluated);
            let mut adjoints = at.adjoints(before, targets, width);
            match &node.op {
                Op::Input | Op::Constant => unreachable!("constants have no adjoint"),
                Op::Unary(f, p) => {
                    if let Some(out) = adjoints.get(0) {
                        let value = &work.values[node.place()];
                        if let Some(du) = du {
                            unary_first(*f, *p, a.get(0), value, du, out);
                        }
                        if let Some(t) = tangents.get(0) {
                            unary_second(*f, *p, a.get(0), value, adjoint, t, out);
                        }
                    }
                }
                Op::Binary(f) => {
                    let pair = Pair::of(&a, node);
                    for (k, by) in Side::BOTH.into_iter().enumerate() {
                        let Some(out) = adjoints.get(k) else {
                            continue;
                        };
                        if let Some(du) = du {
                            binary_first(*f, by, pair, width, du, out);
                        }
                        for (l, along) in Side::BOTH.into_iter().enumerate() {
                            if let Some(t) = tangents.get(l).filter(|_| bends(*f, by, along)) {
                                binary_second(*f, (by, along), pair, adjoint, width, t, out);
                            }
                        }
                    }
                }
                Op::Bilinear(f) => {
                    let product = Product::of(*f, at);
                    if let Some(out) = adjoints.get(0) {
                        if let Some(du) = du {
                            product.left_adjoint(width, du, a.get(1), out);
                        }
                        if let Some(t) = tangents.get(1) {
                            product.left_adjoint_along(width, adjoint, t, out);
                        }
                    }
                    if let Some(out) = adjoints.get(1) {
                        if let Some(du) = du {
                            product.right_adjoint(width, du, a.get(0), out);
                        }
                        if let Some(t) = tangents.get(0) {
                            product.right_adjoint_along(width, adjoint, t, out);
                        }
                    }
                }
                Op::Linear(f) => {
                    let Some(du) = du else { continue };
                    for k in 0..a.len() {
                        if let Some(out) = adjoints.get(k) {
                            let start = at.concat_start(k);
                            each(width, du, out, |du, out| {
                                f.adjoint(start, du, node.shape, out, at.shape(k));
                            });
                        }
                    }
                }
                Op::Fused(f) => {
                    let stash = at.stash(&mut work.stash, &mut work.scratch);
                    let adjoints = &mut adjoints;
                    match width {
                        1 => f.vjp_tangent(&a, &tangents, stash, adjoint, du, adjoints),
                        _ => f.vjp_tangent_block(&a, &tangents, stash, adjoint, du, adjoints),
                    }
                }
                Op::Leaves(all) => {
                    let (nested, own) = (&mut work.nested, (adjoint[0], du));
                    leaves::pull_tangents(all, at, nested, wanted, &tangents, own, &mut adjoints);
                }
                Op::Gradient { .. } => panic!(
                    "second derivatives of a program that takes a gradient inside would be third \
                     derivatives of the function within: not supported"
                ),
            }
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

/// Bytes that the first second sweep along `width` directions makes: the tangents, and those of the
/// adjoints.
pub(crate) fn second_bytes<T: Real>(program: &Program<T>, width: usize) -> usize {
    let leaves = program.nodes.iter().flat_map(|n| n.op.leaves());
    let leaves = leaves.map(|of| second_bytes(of, width));
    2 * width * program.values_bytes() + leaves.sum::<usize>()
}
