//! The immutable result of a recording.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::inputs::Inputs;
use crate::leaves::Leaves;
use crate::linearised::Extent;
use crate::plan::{Piece, Place, Plan};
use crate::primitive::Primitive;
use crate::real::Real;
use crate::rules::bilinear::Bilinear;
use crate::rules::elementwise::{Binary, Unary};
use crate::rules::linear::Linear;
use crate::shape::Shape;
use crate::site::Site;

pub(crate) enum Op<T: Real> {
    Input,
    Constant,
    Unary(Unary, T),
    Binary(Binary),
    Linear(Linear),
    Bilinear(Bilinear),
    Fused(Arc<dyn Primitive<T>>),
    /// The gradient of a scalar function with respect to one of its inputs.
    Gradient {
        of: Arc<Program<T>>,
        wrt: usize,
    },
    /// A sum of functions, each swept in a workspace of its own.
    Leaves(Leaves<T>),
}

impl<T: Real> Op<T> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Op::Input => "input",
            Op::Constant => "constant",
            Op::Unary(Unary::Neg, _) => "neg",
            Op::Unary(f, _) => f.name(),
            Op::Binary(f) => f.name(),
            Op::Linear(f) => f.name(),
            Op::Bilinear(f) => f.name(),
            Op::Fused(f) => f.name(),
            Op::Gradient { .. } => "gradient",
            Op::Leaves(_) => "sum of leaves",
        }
    }

    /// The function this is a gradient of.
    pub(crate) fn gradient_of(&self) -> Option<&Program<T>> {
        match self {
            Op::Gradient { of, .. } => Some(of),
            _ => None,
        }
    }

    /// The functions this is a sum of.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &Program<T>> {
        let leaves = match self {
            Op::Leaves(leaves) => &leaves.all[..],
            _ => &[],
        };
        leaves.iter().map(|leaf| &*leaf.of)
    }

    /// The functions that are swept in workspaces inside this one's.
    pub(crate) fn inner(&self) -> impl Iterator<Item = &Program<T>> {
        self.gradient_of().into_iter().chain(self.leaves())
    }
}

/// What sweeps may leave out at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// The least that sweeps go to for a rule of theirs to read the value, or a value that comes from it.
    pub(crate) value: Extent,
    /// Whether a second sweep reads the tangent, or one that comes from it.
    pub(crate) tangent: bool,
    /// Inputs that the adjoint depends on: along all others its tangent is zero.
    pub(crate) adjoint_moves: Inputs,
    /// Inputs that the derivative of the operation itself depends on.
    pub(crate) bends: Inputs,
    /// Inputs along which a second sweep reads the adjoint, or one that is made of it.
    pub(crate) adjoint_read: Inputs,
    /// Whether marked outputs are made of the value: to a Gauss–Newton product it is linear.
    pub(crate) before_outputs: bool,
}

impl Activity {
    /// Before anything is known: nobody reads anything.
    pub(crate) const NONE: Activity = Activity {
        value: Extent::Whole,
        tangent: false,
        adjoint_moves: Inputs::NONE,
        bends: Inputs::NONE,
        adjoint_read: Inputs::NONE,
        before_outputs: false,
    };
}

#[derive(Clone)]
pub(crate) struct Node<T: Real> {
    pub(crate) op: Op<T>,
    pub(crate) args: SmallVec<[u32; 2]>,
    pub(crate) shape: Shape,
    /// Inputs the value depends on.
    pub(crate) reads: Inputs,
    /// Inputs the value has a derivative by: fewer than `reads` behind a stopped gradient.
    pub(crate) depends: Inputs,
    /// First entry in the workspace's values and in tangents along one direction, or in the program's
    /// constants.
    pub(crate) start: usize,
    /// Whether these entries are its operand's.
    pub(crate) view: bool,
    /// Whether it is an elementwise operation on few entries, as many of each operand.
    pub(crate) few: bool,
    /// Where what comes back to it stands.
    pub(crate) back: Place,
    /// The same in a block of several directions, and where its tangents stand there.
    pub(crate) columns: Place,
    /// The first of the program's pieces that it comes back in, and their number.
    pub(crate) pieces: (u32, u32),
    /// First entry in the workspace's stash, and the number of entries there.
    pub(crate) stash: (usize, usize),
    /// First entry in the workspace's scratch, and the number of entries there.
    pub(crate) scratch: (usize, usize),
    /// What sweeps may leave out here.
    pub(crate) activity: Activity,
    /// The first of its workspaces among the nested ones, if it has functions inside.
    pub(crate) nested: u32,
    /// Where the user recorded it.
    pub(crate) site: Site,
}

impl<T: Real> Node<T> {
    /// Its entries in a buffer laid out like the values.
    #[inline]
    pub(crate) fn place(&self) -> Range<usize> {
        self.start..self.start + self.shape.len()
    }

    /// Its place in a buffer of what comes back, of `width` columns.
    #[inline]
    pub(crate) fn back_in(&self, width: usize) -> Place {
        match width {
            1 => self.back,
            _ => self.columns,
        }
    }

    /// Whether its tangents along `width` directions are its operand's.
    #[inline]
    pub(crate) fn moves_as_view(&self, width: usize) -> bool {
        match width {
            1 => self.view,
            _ => self.columns.view,
        }
    }
}

impl<T: Real> Clone for Op<T> {
    fn clone(&self) -> Self {
        match self {
            Op::Input => Op::Input,
            Op::Constant => Op::Constant,
            Op::Unary(f, p) => Op::Unary(*f, *p),
            Op::Binary(f) => Op::Binary(*f),
            Op::Linear(f) => Op::Linear(f.clone()),
            Op::Bilinear(f) => Op::Bilinear(*f),
            Op::Fused(f) => Op::Fused(f.clone()),
            Op::Leaves(leaves) => Op::Leaves(leaves.clone()),
            Op::Gradient { of, wrt } => Op::Gradient {
                of: of.clone(),
                wrt: *wrt,
            },
        }
    }
}

/// A recorded function of one or more inputs: immutable, shared freely between threads.
///
/// Made once by [`Program::record`], and used many times through a [`Point`](crate::Point).
///
/// # Example
/// ```
/// use autodiff::{Program, Shape};
///
/// let program = Program::<f64>::record(&[Shape::vector(3)], |v| v[0].exp().dot(v[0]));
/// let mut point = program.point();
/// assert_eq!(point.linearise(&[&[0.0, 0.0, 1.0]]), 1f64.exp());
/// ```
pub struct Program<T: Real> {
    pub(crate) nodes: Vec<Node<T>>,
    pub(crate) constants: Arc<Vec<T>>,
    pub(crate) inputs: usize,
    pub(crate) output: usize,
    pub(crate) stash_len: usize,
    pub(crate) scratch_len: usize,
    pub(crate) plan: Plan,
}

impl<T: Real> Program<T> {
    /// Number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Shape of input `k`.
    #[track_caller]
    pub fn input_shape(&self, k: usize) -> Shape {
        assert!(k < self.inputs, "input {k} of {}", self.inputs);
        self.nodes[k].shape
    }

    /// Shape of the output.
    pub fn output_shape(&self) -> Shape {
        self.nodes[self.output].shape
    }

    /// Number of recorded operations, inputs and constants included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was recorded; never true of a recorded program.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The recorded operations' names, in order; inputs and constants are `input` and `constant`.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|n| n.op.name())
    }

    /// The places of all inputs' entries in a buffer laid out like the values.
    pub(crate) fn input_places(&self) -> impl Iterator<Item = usize> {
        self.nodes[..self.inputs].iter().flat_map(Node::place)
    }

    /// Entries of the tangents along `width` directions.
    pub(crate) fn tangents_len(&self, width: usize) -> usize {
        match width {
            1 => self.plan.values_len,
            _ => self.plan.columns_len * width,
        }
    }

    /// Entries of what comes back, in `width` columns.
    pub(crate) fn back_len(&self, width: usize) -> usize {
        match width {
            1 => self.plan.back_len,
            _ => self.plan.columns_len * width,
        }
    }

    /// Entries of the scratch that sweeps along `width` directions share.
    pub(crate) fn scratch_len(&self, width: usize) -> usize {
        match width {
            1 => self.scratch_len,
            _ => {
                let of = |node| self.block_scratch_of(node, width);
                self.nodes.iter().map(of).fold(self.scratch_len, usize::max)
            }
        }
    }

    /// Entries of an operation's scratch in a block of `width` directions.
    pub(crate) fn block_scratch_of(&self, node: &Node<T>, width: usize) -> usize {
        let Op::Fused(f) = &node.op else { return 0 };
        let shapes = node.args.iter().map(|a| self.nodes[*a as usize].shape);
        f.block_scratch_len(&shapes.collect::<SmallVec<[Shape; 16]>>(), width)
    }

    /// The pieces that a node comes back in, if it does in slices alone.
    pub(crate) fn pieces(&self, node: &Node<T>) -> &[Piece] {
        &self.plan.pieces[node.pieces.0 as usize..][..node.pieces.1 as usize]
    }

    /// Whether the output's value depends on input `k`.
    pub fn reads(&self, k: usize) -> bool {
        self.nodes[self.output].reads.meets(Inputs::one(k))
    }

    /// Whether [`Point::hessian_among`](crate::Point::hessian_among) gives blocks of the Hessian by
    /// input `k`: whether the program is one fused loss of that input, which knows them.
    pub fn knows_hessian(&self, k: usize) -> bool {
        self.hessian_node(k).is_some()
    }

    pub(crate) fn hessian_node(&self, k: usize) -> Option<(&Node<T>, &dyn Primitive<T>)> {
        let node = &self.nodes[self.output];
        match &node.op {
            Op::Fused(f)
                if node.args[0] as usize == k
                    && k < self.inputs
                    && node.shape.is_scalar()
                    && node.depends == Inputs::one(k)
                    && f.knows_hessian() =>
            {
                Some((node, &**f))
            }
            _ => None,
        }
    }

    /// Whether the program takes a gradient inside, so that it cannot be differentiated twice.
    pub fn has_gradients(&self) -> bool {
        self.nodes
            .iter()
            .any(|n| matches!(n.op, Op::Gradient { .. }))
    }

    /// The program in one line.
    pub(crate) fn summary(&self) -> String {
        format!("Program<{}> of {} operations", T::NAME, self.len())
    }

    /// The value of node `id`, given the values of the nodes before some later one.
    #[inline]
    pub(crate) fn value<'a>(&'a self, id: u32, done: &'a [T]) -> &'a [T] {
        let node = &self.nodes[id as usize];
        let all = match node.op {
            Op::Constant => &self.constants[..],
            _ => done,
        };
        &all[node.place()]
    }

    /// Node `id`, if `inputs` reach it.
    pub(crate) fn reached(&self, id: u32, inputs: Inputs) -> Option<&Node<T>> {
        let node = &self.nodes[id as usize];
        node.depends.meets(inputs).then_some(node)
    }

    /// The place of node `id` in a buffer laid out like the values, if `inputs` reach it.
    pub(crate) fn slot(&self, id: u32, inputs: Inputs) -> Option<Range<usize>> {
        self.reached(id, inputs).map(Node::place)
    }
}

impl<T: Real> fmt::Debug for Program<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Program<{}> {{", T::NAME)?;
        for (i, node) in self.nodes.iter().enumerate() {
            let (name, args, shape) = (node.op.name(), &node.args[..], node.shape);
            writeln!(f, "  %{i} = {name} {args:?}: {shape}  // {}", node.site)?;
        }
        write!(f, "  output %{} }}", self.output)
    }
}
