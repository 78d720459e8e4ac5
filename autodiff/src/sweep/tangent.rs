//! The tangent sweep: forward mode.

use std::mem::take;

use crate::block::{Block, Columns};
use crate::bytes::Lines;
use crate::inputs::Inputs;
use crate::operands::Operation;
use crate::program::{Node, Op, Program};
use crate::real::Real;

use super::columns::{Pair, binary_along, each, unary_first};
use super::products::Product;
use super::second::Back;
use super::{Sweep, leaves, second_bytes, split};

impl<'a, T: Real> Sweep<'a, T> {
    /// Computes the tangent of every value along `width` directions of the inputs at once, `None`
    /// being zero, and returns that of the output, or `None` where it is zero: for each a block of
    /// `width` columns of its length, one after the other.
    ///
    /// Products with a matrix become products of matrices, and a [`Primitive`](crate::Primitive) may
    /// pass over its data once for several columns; each column is the same as in a sweep of its
    /// own, except for the order in which a product of matrices sums.
    ///
    /// Needs a primal sweep for curvature before it; with gradients inside the program it costs one
    /// second sweep of each.
    ///
    /// # Panics
    /// If that primal sweep was not made, if the block is empty, or if the number of directions or a
    /// length differs from the inputs'.
    #[track_caller]
    #[inline(never)]
    pub(crate) fn tangent(mut self, width: usize, directions: &[Option<&[T]>]) -> Option<&'a [T]> {
        assert!(
            self.work.state.bends(),
            "a tangent sweep needs a primal sweep with curvature before it"
        );
        let block = self.seed(width, directions);
        self.push_along(block);
        let (work, program) = (self.work, self.program);
        work.output_tangent(program, block.moving, width)
    }

    /// The tangents of all nodes along those of the inputs.
    pub(super) fn push_along(&mut self, block: Block) {
        for node in &self.program.nodes {
            self.push(node, block);
        }
    }

    /// Copies a block of directions to the inputs' tangents and says what moves.
    #[track_caller]
    pub(super) fn seed(&mut self, width: usize, directions: &[Option<&[T]>]) -> Block {
        assert!(width > 0, "a block has at least one direction");
        assert_eq!(
            directions.len() + self.work.held,
            self.program.inputs,
            "one tangent for each input"
        );
        self.work.make_tangents(self.program, width);
        let mut moving = Inputs::NONE;
        for (k, direction) in directions.iter().enumerate() {
            if let Some(direction) = direction {
                moving = moving.union(self.seed_one(width, k, direction).moving);
            }
        }
        Block { moving, width }
    }

    /// Copies directions to the tangent of input `k`, which is the input that moves.
    #[track_caller]
    pub(super) fn seed_one(&mut self, width: usize, k: usize, direction: &[T]) -> Block {
        self.work.make_tangents(self.program, width);
        let node = &self.program.nodes[k];
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
        self.work.tangents[Columns::all(width).of(node)].copy_from_slice(direction);
        Block {
            moving: Inputs::one(k),
            width,
        }
    }

    /// Computes the tangents of one node, if it moves.
    pub(super) fn push(&mut self, node: &Node<T>, block: Block) {
        // The same code twice: where the width is known, nothing is multiplied by it.
        match block {
            Block { moving, width: 1 } => self.push_columns(node, Block { moving, width: 1 }),
            _ => self.push_columns(node, block),
        }
    }

    #[inline(always)]
    fn push_columns(&mut self, node: &Node<T>, block: Block) {
        let (program, work) = (self.program, &mut *self.work);
        let Block { moving, width } = block;
        let given = matches!(node.op, Op::Input) || node.moves_as_view(width);
        if given || !node.depends.meets(moving) {
            return;
        }
        let at = Operation { program, node };
        let (done, out) = split(&mut work.tangents, node, width);
        let (a, tangents) = (at.operands(&work.values), at.tangents(done, block, false));
        // The first term of the sum takes the place of what stood there.
        let mut fresh = true;
        match &node.op {
            Op::Input | Op::Constant => unreachable!("constants do not move"),
            Op::Unary(f, p) => {
                if let Some(t) = tangents.get(0) {
                    let factors = [a.get(0), &work.values[node.place()]];
                    unary_first(*f, *p, factors, t, out, fresh);
                }
            }
            Op::Binary(f) => {
                let moves = [tangents.get(0), tangents.get(1)];
                binary_along(*f, Pair::of(&a, node), (width, moves), out);
            }
            Op::Bilinear(f) => {
                let product = Product::of(*f, at);
                if let Some(t) = tangents.get(0) {
                    product.along_left(width, t, a.get(1), out, take(&mut fresh));
                }
                if let Some(t) = tangents.get(1) {
                    product.along_right(width, a.get(0), t, out, take(&mut fresh));
                }
            }
            Op::Linear(f) => {
                let several = a.len() > 1;
                if several {
                    out.fill(T::zero());
                }
                for k in 0..a.len() {
                    if let Some(t) = tangents.get(k) {
                        let start = at.concat_start(k);
                        each(width, t, out, |t, out| {
                            f.apply(start, t, at.shape(k), out, node.shape, !several);
                        });
                    }
                }
            }
            Op::Fused(f) => {
                let stash = at.stash_along(width, &mut work.stash, &mut work.scratch);
                match width {
                    1 => f.jvp(&a, &tangents, stash, out),
                    _ => f.jvp_block(&a, &tangents, stash, out),
                }
            }
            Op::Leaves(all) => leaves::push(all, at, &mut work.nested, &tangents, out),
            Op::Gradient { of, wrt } => {
                let mut within = Sweep::of(of, &mut work.nested[node.nested as usize]);
                let mut moving = Inputs::NONE;
                for k in 0..a.len() {
                    if let Some(t) = tangents.get(k) {
                        moving = moving.union(within.seed_one(width, k, t).moving);
                    }
                }
                let block = Block { moving, width };
                within.second_along(block, Inputs::one(*wrt), Back::Whole);
                out.copy_from_slice(within.work.adjoint_tangent(of, *wrt));
            }
        }
    }
}

/// Bytes that the first tangent sweep along `width` directions of `moving` inputs makes: the
/// tangents, and what the second sweeps of the gradients inside make.
#[inline(never)]
pub(crate) fn tangent_bytes<T: Real>(program: &Program<T>, moving: Inputs, width: usize) -> usize {
    let swept = program.nodes.iter().filter(|n| n.depends.meets(moving));
    let inner = swept.map(|n| {
        let leaves =
            n.op.leaves()
                .map(|of| tangent_bytes(of, Inputs::ALL, width));
        let gradient = n.op.gradient_of().map_or(0, |of| second_bytes(of, width));
        gradient + leaves.sum::<usize>()
    });
    moved_bytes(program, width) + inner.sum::<usize>()
}

/// Bytes of the tangents along `width` directions, and of what a block of them has more scratch than a
/// primal sweep makes.
pub(super) fn moved_bytes<T: Real>(program: &Program<T>, width: usize) -> usize {
    let more = program.scratch_len(width) - program.scratch_len(1);
    Lines::<T>::bytes(program.tangents_len(width)) + more * size_of::<T>()
}
