//! The second sweep: forward-over-reverse.

use crate::adjoints::Adjoints;
use crate::block::{Block, Columns};
use crate::inputs::Inputs;
use crate::kernels::put_multiple_twice;
use crate::operands::{Operation, Targets};
use crate::program::{Op, Program};
use crate::real::Real;
use crate::rules::bilinear::Bilinear;
use crate::rules::elementwise::Side;

use super::Sweep;
use super::columns::{Pair, binary_first, binary_second, each, unary_both};
use super::leaves;
use super::products::Product;
use super::tangent::moved_bytes;

/// What the way back of a second sweep is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// The whole derivative.
    Whole,
    /// The same, after primitives were evaluated along these tangents.
    Evaluated,
    /// What is left where all that the marked outputs are made of is linear.
    GaussNewton,
}

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
    #[inline(never)]
    pub(crate) fn second(&mut self, width: usize, directions: &[Option<&[T]>], wanted: Inputs) {
        let block = self.seed(width, directions);
        self.second_along(block, wanted, Back::Whole);
    }

    /// [`second`](Sweep::second) without the second derivatives of what the marked outputs are made of.
    ///
    /// # Panics
    /// As [`second`](Sweep::second).
    #[track_caller]
    #[inline(never)]
    pub(crate) fn gauss_newton(
        &mut self,
        width: usize,
        directions: &[Option<&[T]>],
        wanted: Inputs,
    ) {
        let block = self.seed(width, directions);
        self.second_along(block, wanted, Back::GaussNewton);
    }

    /// [`second`](Sweep::second) along tangents that stand in the workspace.
    #[track_caller]
    pub(super) fn second_along(&mut self, block: Block, wanted: Inputs, back: Back) {
        self.work.state.begin_second(wanted);
        for node in &self.program.nodes {
            if node.activity.tangent {
                self.push(node, block);
            }
        }
        self.pull_tangents(block, wanted, back);
        self.work.state.moved(wanted, block);
    }

    /// The way back of a second sweep.
    pub(super) fn pull_tangents(&mut self, block: Block, wanted: Inputs, way: Back) {
        // As in `push`: the same code, with a width that is known.
        match block {
            Block { moving, width: 1 } => {
                self.pull_columns(Block { moving, width: 1 }, wanted, way);
            }
            _ => self.pull_columns(block, wanted, way),
        }
    }

    #[inline(always)]
    fn pull_columns(&mut self, block: Block, wanted: Inputs, way: Back) {
        let (program, work) = (self.program, &mut *self.work);
        let Block { moving, width } = block;
        let targets = Targets::by(wanted);
        work.adjoint_tangents.begin(program, width);
        work.sweeps.hvps += width;
        let (values, moved) = (&*work.values, &*work.tangents);
        let mut all = work.adjoint_tangents.open();
        for node in program.nodes[..=program.output].iter().rev() {
            if matches!(node.op, Op::Input) || node.back_in(width).view || !targets.takes(node) {
                continue;
            }
            let moves = node.activity.adjoint_moves.meets(moving);
            let came = moves && all.settle(program, node, width);
            // A linear operation is as if its operands did not move.
            let is_linear = way == Back::GaussNewton && node.activity.before_outputs;
            let along = match is_linear {
                true => Inputs::NONE,
                false => moving,
            };
            let bends = node.activity.bends.meets(along);
            if !came && !bends {
                continue;
            }
            if bends {
                // Nothing came back to what the output does not depend on.
                work.adjoints.ensure(program, node);
            }
            let at = Operation { program, node };
            let adjoint = &work.adjoints[Columns::all(1).back_of(node)];
            let (before, du) = all.split(node, width);
            let du = came.then_some(&*du);
            let evaluated = way == Back::Evaluated && node.depends.meets(moving);
            let a = at.operands(values);
            let block = Block {
                moving: along,
                width,
            };
            let tangents = at.tangents(moved, block, evaluated);
            let mut adjoints = at.adjoints(before, targets, width);
            match &node.op {
                Op::Input | Op::Constant => unreachable!("constants have no adjoint"),
                Op::Unary(f, p) => {
                    let factors = [a.get(0), &values[node.place()]];
                    let t = tangents.get(0).filter(|_| bends);
                    if (du.is_some() || t.is_some())
                        && let Some((out, fresh)) = adjoints.take(0)
                    {
                        unary_both(*f, *p, factors, (du, adjoint, t), out, fresh);
                    }
                }
                Op::Binary(f) => {
                    let pair = Pair::of(&a, node);
                    for (k, by) in Side::BOTH.into_iter().enumerate() {
                        if let Some(du) = du
                            && let Some((out, fresh)) = adjoints.take(k)
                        {
                            binary_first(*f, by, pair, (width, du), out, fresh);
                        }
                        for (l, along) in Side::BOTH.into_iter().enumerate() {
                            if f.bends(by, along)
                                && let Some(t) = tangents.get(l)
                                && let Some((out, fresh)) = adjoints.take(k)
                            {
                                let by = (by, along);
                                binary_second(*f, by, pair, adjoint, (width, t), out, fresh);
                            }
                        }
                    }
                }
                // Of a squared norm whose own adjoint stays, as in a reverse sweep.
                Op::Bilinear(Bilinear::Dot)
                    if width == 1 && du.is_none() && node.args[0] == node.args[1] =>
                {
                    if let Some(t) = tangents.get(0)
                        && let Some((out, fresh)) = adjoints.take(0)
                    {
                        put_multiple_twice(out, adjoint[0], t, fresh);
                    }
                }
                Op::Bilinear(f) => {
                    let product = Product::of(*f, at);
                    let (left, right) = (tangents.get(0), tangents.get(1));
                    if let Some(du) = du
                        && let Some((out, fresh)) = adjoints.take(0)
                    {
                        product.left_adjoint(width, du, a.get(1), out, fresh);
                    }
                    if let Some(t) = right
                        && let Some((out, fresh)) = adjoints.take(0)
                    {
                        product.left_adjoint_along(width, adjoint, t, out, fresh);
                    }
                    if let Some(du) = du
                        && let Some((out, fresh)) = adjoints.take(1)
                    {
                        product.right_adjoint(width, du, a.get(0), out, fresh);
                    }
                    if let Some(t) = left
                        && let Some((out, fresh)) = adjoints.take(1)
                    {
                        product.right_adjoint_along(width, adjoint, t, out, fresh);
                    }
                }
                Op::Linear(f) => {
                    let Some(du) = du else { continue };
                    for k in 0..a.len() {
                        if let Some((out, fresh)) = adjoints.take(k) {
                            let start = at.concat_start(k);
                            each(width, du, out, |du, out| {
                                f.adjoint(start, du, node.shape, out, at.shape(k), fresh);
                            });
                        }
                    }
                }
                Op::Fused(f) => {
                    let stash = at.stash_along(width, &mut work.stash, &mut work.scratch);
                    let adjoints = &mut adjoints;
                    match width {
                        1 => f.vjp_tangent(&a, &tangents, stash, adjoint, du, adjoints),
                        _ => f.vjp_tangent_block(&a, &tangents, stash, adjoint, du, adjoints),
                    }
                }
                Op::Leaves(all) => {
                    let (nested, own) = (&mut work.nested, (adjoint[0], du));
                    let of = (wanted, way);
                    leaves::pull_tangents(all, at, nested, of, &tangents, own, &mut adjoints);
                }
                Op::Gradient { .. } => panic!(
                    "second derivatives of a program that takes a gradient inside would be third \
                     derivatives of the function within: not supported"
                ),
            }
        }
        work.adjoint_tangents.end(program, width, wanted);
    }
}

/// Bytes that the first second sweep along `width` directions makes: the tangents, and those of the
/// adjoints.
#[inline(never)]
pub(crate) fn second_bytes<T: Real>(program: &Program<T>, width: usize) -> usize {
    let leaves = program.nodes.iter().flat_map(|n| n.op.leaves());
    let leaves: usize = leaves.map(|of| second_bytes(of, width)).sum();
    moved_bytes(program, width) + Adjoints::bytes(program, width) + leaves
}
