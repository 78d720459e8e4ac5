//! The joint sweep: everything at a fresh point, for one direction.

use crate::block::Block;
use crate::inputs::Inputs;
use crate::leaves::Leaves;
use crate::linearised::{Extent, Need};
use crate::operands::{Operation, Targets};
use crate::primitive::Asked;
use crate::program::{Node, Op};
use crate::real::Real;
use crate::rules::bilinear::Bilinear;

use super::primal::Plan;
use super::second::Back;
use super::{Sweep, ahead, leaves, split};

impl<T: Real> Sweep<'_, T> {
    /// [`primal`](Sweep::primal), [`reverse`](Sweep::reverse) and [`second`](Sweep::second) in one,
    /// of a scalar, for a direction that is known beforehand, `None` being zero.
    ///
    /// A [`Primitive`](crate::Primitive) that can evaluate itself along a direction passes over its
    /// data once. The results are bitwise those of the three sweeps, and further second sweeps may
    /// follow. Values that no derivative rule reads are there if it is `whole`.
    ///
    /// # Panics
    /// As [`second`](Sweep::second).
    #[track_caller]
    #[inline(never)]
    pub(crate) fn joint(&mut self, whole: bool, directions: &[Option<&[T]>], wanted: Inputs) {
        let extent = if whole {
            Extent::Whole
        } else {
            Extent::Derivatives
        };
        let block = self.seed(1, directions);
        self.joint_along(extent, T::one(), block, wanted);
    }

    /// [`joint`](Sweep::joint) for a cotangent, along tangents that stand in the workspace.
    pub(super) fn joint_along(
        &mut self,
        extent: Extent,
        cotangent: T,
        block: Block,
        wanted: Inputs,
    ) {
        self.run_along(extent, cotangent, block, Targets::by(wanted));
        self.work.state.reversed(wanted);
        self.pull_tangents(block, wanted, Back::Evaluated);
        self.work.state.moved(wanted, block);
    }

    /// The second sweep's result at a fresh point, and nothing else: values and adjoints that it
    /// does not need are left out, so no second sweep may follow.
    ///
    /// # Panics
    /// As [`joint`](Sweep::joint).
    #[track_caller]
    #[inline(never)]
    pub(crate) fn products(&mut self, directions: &[Option<&[T]>], wanted: Inputs) {
        let block = self.seed(1, directions);
        self.products_along(T::one(), block, wanted);
    }

    /// [`products`](Sweep::products) for a cotangent, along tangents that stand in the workspace.
    pub(super) fn products_along(&mut self, cotangent: T, block: Block, wanted: Inputs) {
        let targets = Targets {
            wanted,
            read_along: Some(block.moving),
        };
        self.run_along(Extent::Products, cotangent, block, targets);
        self.pull_tangents(block, wanted, Back::Evaluated);
        self.work.state.products(wanted, block);
    }

    /// Values, and tangents along a block, on the way forward; adjoints on the way back.
    fn run_along(&mut self, extent: Extent, cotangent: T, block: Block, targets: Targets) {
        let plan = Plan::new(self.work, Need::Curvature, extent);
        let moving = block.moving;
        self.work.make_scratch();
        for node in &self.program.nodes {
            let moves = node.depends.meets(moving);
            if let Op::Bilinear(f) = &node.op
                && moves
                && node.activity.tangent
                && plan.takes(node)
                && self.multiply_along(*f, node, block)
            {
                continue;
            }
            if let Op::Leaves(all) = &node.op {
                self.leaves_along(all, node, plan, block, targets);
                continue;
            }
            let Op::Fused(f) = &node.op else {
                if plan.takes(node) {
                    self.evaluate(node, plan);
                }
                if moves && node.activity.tangent {
                    self.push(node, block);
                }
                continue;
            };
            if !moves {
                if plan.takes(node) {
                    self.evaluate(node, plan);
                }
                continue;
            }
            if f.is_linear() && !plan.takes(node) {
                if node.activity.tangent {
                    self.push(node, block);
                }
                continue;
            }
            let (program, work) = (self.program, &mut *self.work);
            let at = Operation { program, node };
            let (done, out) = split(&mut work.values, node, 1);
            let (moved, out_tangent) = split(&mut work.tangents, node, 1);
            let mut args = node.args.iter();
            let pulled = args.any(|a| targets.of(program, *a).is_some());
            let asked = Asked {
                first: pulled || node.activity.tangent || node.activity.adjoint_moves.meets(moving),
                ..plan.asked(node)
            };
            let out_tangent = node.activity.tangent.then_some(out_tangent);
            let stash = at.stash(&mut work.stash, &mut work.scratch);
            let (a, tangents) = (at.operands(done), at.tangents(moved, block, true));
            f.eval_along(&a, &tangents, asked, out, out_tangent, stash);
        }
        plan.close(self.work);
        self.pull(&[cotangent], targets);
    }

    /// A sum of leaves: each to the end of its own joint sweep, where what stands there is of another
    /// point, and nothing reads the tangent of the sum, which such a sweep leaves out.
    fn leaves_along(
        &mut self,
        all: &Leaves<T>,
        node: &Node<T>,
        plan: Plan,
        block: Block,
        targets: Targets,
    ) {
        let (program, work) = (self.program, &mut *self.work);
        let at = Operation { program, node };
        let moves = node.depends.meets(block.moving);
        ahead::forget(all, at, &mut work.nested);
        let to_the_end = moves && plan.takes(node) && !node.activity.tangent;
        if !to_the_end || all.are_shared() {
            if plan.takes(node) {
                self.evaluate(node, plan);
            }
            if moves && node.activity.tangent {
                self.push(node, block);
            }
            return;
        }
        let (done, out) = split(&mut work.values, node, 1);
        let (a, tangents) = (at.operands(done), at.tangents(&work.tangents, block, false));
        let to = (targets, block.moving);
        ahead::joint(all, at, &mut work.nested, (&a, &tangents), plan, to);
        leaves::value(all, at, &work.nested, plan, out);
    }

    /// The value of a product and its tangents, where a vector moves and a matrix that is read once does
    /// not; else `false`.
    fn multiply_along(&mut self, f: Bilinear, node: &Node<T>, block: Block) -> bool {
        let work = &mut *self.work;
        let at = Operation {
            program: self.program,
            node,
        };
        let (done, out) = split(&mut work.values, node, 1);
        let (moved, out_tangent) = split(&mut work.tangents, node, 1);
        let (a, tangents) = (at.operands(done), at.tangents(moved, block, false));
        let of = |k: usize| (a.get(k), at.shape(k));
        let (left, t, m, v) = match (tangents.get(0), tangents.get(1)) {
            (None, Some(t)) => (false, t, of(0), of(1)),
            (Some(t), None) => (true, t, of(1), of(0)),
            _ => return false,
        };
        f.apply_along(left, m, ([v.0, t], v.1), [out, out_tangent])
    }
}
