//! The memory of a recording while its closure runs.

use std::panic::Location;
use std::sync::Arc;

use smallvec::SmallVec;
use typed_arena::Arena;

use crate::activity::{Activity, analyse};
use crate::program::{Inputs, Node, Op, Program};
use crate::rules::linear::Linear;
use crate::{Real, Shape, Var};

/// Nodes and constants, appended through `&self` while closures hold `Copy` handles to them.
pub(crate) struct Recorder<T: Real> {
    nodes: Arena<Node<T>>,
    constants: Arena<T>,
}

impl<T: Real> Recorder<T> {
    pub(crate) fn new() -> Self {
        Recorder {
            nodes: Arena::new(),
            constants: Arena::new(),
        }
    }

    /// Appends an input; all inputs come before any other node.
    #[track_caller]
    pub(crate) fn input(&self, shape: Shape) -> Var<'_, T> {
        let own = Inputs::one(self.nodes.len());
        self.push(Op::Input, SmallVec::new(), shape, own, own, 0)
    }

    #[track_caller]
    pub(crate) fn constant(&self, shape: Shape, data: impl Iterator<Item = T>) -> Var<'_, T> {
        let start = self.constants.len();
        self.constants.alloc_extend(data);
        let none = Inputs::NONE;
        self.push(Op::Constant, SmallVec::new(), shape, none, none, start)
    }

    /// Appends an operation on recorded operands.
    #[track_caller]
    pub(crate) fn operation(&self, op: Op<T>, operands: &[Var<'_, T>], shape: Shape) -> Var<'_, T> {
        let (mut reads, mut depends) = (Inputs::NONE, Inputs::NONE);
        for v in operands {
            reads = reads.and(v.reads());
            depends = depends.and(v.depends());
        }
        if matches!(op, Op::Linear(Linear::StopGradient)) {
            depends = Inputs::NONE;
        }
        let args = operands.iter().map(|v| v.id()).collect();
        self.push(op, args, shape, reads, depends, 0)
    }

    #[track_caller]
    fn push(
        &self,
        op: Op<T>,
        args: SmallVec<[u32; 2]>,
        shape: Shape,
        reads: Inputs,
        depends: Inputs,
        start: usize,
    ) -> Var<'_, T> {
        let id = u32::try_from(self.nodes.len()).expect("a program has fewer than 2³² operations");
        self.nodes.alloc(Node {
            op,
            args,
            shape,
            reads,
            depends,
            start,
            stash: (0, 0),
            scratch: (0, 0),
            activity: Activity::NONE,
            nested: 0,
            site: Location::caller(),
        });
        Var::new(self, id, shape, reads, depends)
    }

    /// Lays out the values, the stash and the nested workspaces.
    pub(crate) fn finish(self, inputs: usize, output: u32) -> Program<T> {
        let mut nodes = self.nodes.into_vec();
        let shapes: Vec<Shape> = nodes.iter().map(|n| n.shape).collect();
        let (mut values_len, mut stash_len, mut scratch_len, mut nested) = (0, 0, 0, 0);
        for node in &mut nodes {
            if !matches!(node.op, Op::Constant) {
                node.start = values_len;
                values_len += node.shape.len();
            }
            match &node.op {
                Op::Fused(primitive) => {
                    let operands: SmallVec<[Shape; 4]> =
                        node.args.iter().map(|a| shapes[*a as usize]).collect();
                    node.stash = (stash_len, primitive.stash_len(&operands));
                    stash_len += node.stash.1;
                    node.scratch = (scratch_len, primitive.scratch_len(&operands));
                    scratch_len += node.scratch.1;
                }
                Op::Gradient { .. } => {
                    node.nested = nested;
                    nested += 1;
                }
                _ => {}
            }
        }
        analyse(&mut nodes);
        nodes.shrink_to_fit();
        let mut constants = self.constants.into_vec();
        constants.shrink_to_fit();
        Program {
            nodes,
            constants,
            inputs,
            output: output as usize,
            values_len,
            stash_len,
            scratch_len,
        }
    }
}

/// What a gradient node is of.
pub(crate) fn gradient<T: Real>(of: &Arc<Program<T>>, wrt: usize) -> Op<T> {
    Op::Gradient {
        of: of.clone(),
        wrt,
    }
}
