//! What a sweep looks up by an operation: its operands' values, tangents and adjoints, and its stash.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::adjoints::Open;
use crate::block::{Block, Columns};
use crate::inputs::Inputs;
use crate::program::{Node, Program};
use crate::real::Real;
use crate::shape::Shape;

/// Whose adjoints a sweep adds to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Targets {
    /// Nodes that depend on these inputs.
    pub(crate) wanted: Inputs,
    /// `Some(moving)`: only nodes whose adjoints a second sweep along `moving` reads. `None`: all
    /// nodes.
    pub(crate) read_along: Option<Inputs>,
}

impl Targets {
    /// All nodes that depend on these inputs.
    pub(crate) fn by(wanted: Inputs) -> Self {
        Targets {
            wanted,
            read_along: None,
        }
    }

    /// Whether an adjoint is asked for.
    pub(crate) fn takes<T: Real>(self, node: &Node<T>) -> bool {
        let read = |moving| node.activity.adjoint_read.meets(moving);
        node.depends.meets(self.wanted) && self.read_along.is_none_or(read)
    }

    /// Node `id`, if its adjoint is asked for.
    pub(crate) fn of<T: Real>(self, program: &Program<T>, id: u32) -> Option<&Node<T>> {
        let node = &program.nodes[id as usize];
        self.takes(node).then_some(node)
    }
}

/// An operation of a program.
pub(crate) struct Operation<'a, T: Real> {
    pub(crate) program: &'a Program<T>,
    pub(crate) node: &'a Node<T>,
}

impl<T: Real> Clone for Operation<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Real> Copy for Operation<'_, T> {}

impl<'a, T: Real> Operation<'a, T> {
    /// Shape of operand `k`.
    #[inline(always)]
    pub(crate) fn shape(self, k: usize) -> Shape {
        self.program.nodes[self.node.args[k] as usize].shape
    }

    /// Its operands in a buffer of values.
    #[inline(always)]
    pub(crate) fn operands(self, values: &'a [T]) -> Operands<'a, T> {
        Operands { of: self, values }
    }

    /// Its operands in a buffer of tangents; `evaluated` if it was evaluated along them.
    #[inline(always)]
    pub(crate) fn tangents(
        self,
        tangents: &'a [T],
        block: Block,
        evaluated: bool,
    ) -> OperandTangents<'a, T> {
        OperandTangents {
            of: self,
            tangents,
            moving: block.moving,
            columns: Columns::all(block.width),
            evaluated,
        }
    }

    /// Its operands in a buffer of adjoints, or of `width` columns of their tangents.
    #[inline(always)]
    pub(crate) fn adjoints(
        self,
        adjoints: Open<'a, T>,
        targets: Targets,
        width: usize,
    ) -> OperandAdjoints<'a, T> {
        OperandAdjoints {
            of: self,
            adjoints,
            targets,
            columns: Columns::all(width),
        }
    }

    /// Its stash in the buffers of a workspace.
    #[inline(always)]
    pub(crate) fn stash(self, kept: &'a mut [T], scratch: &'a mut [T]) -> Stash<'a, T> {
        self.stash_along(1, kept, scratch)
    }

    /// Its stash in a sweep along `width` directions.
    #[inline(always)]
    pub(crate) fn stash_along(
        self,
        width: usize,
        kept: &'a mut [T],
        scratch: &'a mut [T],
    ) -> Stash<'a, T> {
        let (first, len) = match width {
            1 => self.node.scratch,
            // Nothing is left there from one operation to the next.
            _ => (0, self.program.block_scratch_of(self.node, width)),
        };
        Stash {
            kept: &mut kept[self.node.stash.0..][..self.node.stash.1],
            scratch: &mut scratch[first..][..len],
        }
    }

    /// The entry of a concatenation at which operand `k` starts.
    pub(crate) fn concat_start(self, k: usize) -> usize {
        (0..k).map(|k| self.shape(k).len()).sum()
    }

    /// The operands that some inputs of the program reach, as inputs of the function within.
    pub(crate) fn reached_by(self, inputs: Inputs) -> Inputs {
        let mut reached = Inputs::NONE;
        for (k, a) in self.node.args.iter().enumerate() {
            if self.program.nodes[*a as usize].depends.meets(inputs) {
                reached = reached.union(Inputs::one(k));
            }
        }
        reached
    }
}

impl<T: Real> fmt::Debug for Operation<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, args) = (self.node.op.name(), &self.node.args[..]);
        write!(f, "{name} {args:?}: {}", self.node.shape)
    }
}

/// What a primitive keeps between its rules.
///
/// Dereferences to the entries that [`stash_len`](crate::Primitive::stash_len) asks for. They are kept
/// as long as the linearisation is, once for each step of a taped loop.
#[derive(Debug)]
pub struct Stash<'a, T> {
    kept: &'a mut [T],
    /// The entries that [`scratch_len`](crate::Primitive::scratch_len) asks for, or in the rules for a
    /// block [`block_scratch_len`](crate::Primitive::block_scratch_len), shared by all
    /// linearisations. Nothing in them survives a call, except what
    /// [`eval_along`](crate::Primitive::eval_along) leaves for the
    /// [`vjp_tangent`](crate::Primitive::vjp_tangent) of the same sweep.
    pub scratch: &'a mut [T],
}

impl<T> Deref for Stash<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.kept
    }
}

impl<T> DerefMut for Stash<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.kept
    }
}

impl<T> Stash<'_, T> {
    /// The same stash, for a call within a rule.
    pub fn reborrow(&mut self) -> Stash<'_, T> {
        Stash {
            kept: self.kept,
            scratch: self.scratch,
        }
    }

    /// What is kept, and the scratch, to be borrowed side by side.
    pub fn split(&mut self) -> (&mut [T], &mut [T]) {
        (self.kept, self.scratch)
    }
}

/// The values of a primitive's operands.
///
/// Operands are looked up when they are asked for: any number of them, and nothing allocated.
#[derive(Debug)]
pub struct Operands<'a, T: Real> {
    pub(crate) of: Operation<'a, T>,
    values: &'a [T],
}

#[allow(clippy::len_without_is_empty)] // an operation has at least one operand
impl<T: Real> Operands<'_, T> {
    /// Number of operands.
    pub fn len(&self) -> usize {
        self.of.node.args.len()
    }

    /// The entries of operand `k`, in column-major order.
    #[inline(always)]
    pub fn get(&self, k: usize) -> &[T] {
        self.of.program.value(self.of.node.args[k], self.values)
    }

    /// How far each entry of operand `k` may be off by rounding alone, where it is the sum,
    /// difference or product of earlier values. Where terms cancel, this may be all that is left.
    pub fn rounding(&self, k: usize) -> Vec<T> {
        self.of.program.rounding(self.of.node.args[k], self.values)
    }

    /// An upper bound on the entries of [`rounding`](Operands::rounding) that allocates nothing: a
    /// first look tells that no entry is near a kink, which is the usual case.
    pub fn rounding_bound(&self, k: usize) -> T {
        self.of
            .program
            .rounding_bound(self.of.node.args[k], self.values)
    }
}

/// The tangents of a primitive's operands; an operand that does not move has none.
///
/// The rules for a block of directions get several columns.
#[derive(Debug)]
pub struct OperandTangents<'a, T: Real> {
    pub(crate) of: Operation<'a, T>,
    tangents: &'a [T],
    moving: Inputs,
    columns: Columns,
    evaluated: bool,
}

#[allow(clippy::len_without_is_empty)]
impl<T: Real> OperandTangents<'_, T> {
    /// Number of operands.
    pub fn len(&self) -> usize {
        self.of.node.args.len()
    }

    /// The tangent of operand `k`, or `None` where it is zero: [`width`](OperandTangents::width)
    /// columns of the operand's length, one after the other.
    #[inline(always)]
    pub fn get(&self, k: usize) -> Option<&[T]> {
        let node = self.of.program.reached(self.of.node.args[k], self.moving)?;
        Some(&self.tangents[self.columns.of(node)])
    }

    /// Number of directions: 1 except in the rules for a block.
    pub fn width(&self) -> usize {
        self.columns.count()
    }

    /// The tangents along direction `c` of the block alone.
    ///
    /// # Panics
    /// If the block has no more than `c` directions.
    #[track_caller]
    pub fn column(&self, c: usize) -> OperandTangents<'_, T> {
        OperandTangents {
            columns: self.columns.one(c),
            ..*self
        }
    }

    /// Whether [`eval_along`](crate::Primitive::eval_along) was called along these tangents just
    /// before: what it left in the stash then belongs to them.
    pub fn evaluated(&self) -> bool {
        self.evaluated
    }
}

/// The adjoints of a primitive's operands, to be **added to**.
#[derive(Debug)]
pub struct OperandAdjoints<'a, T: Real> {
    pub(crate) of: Operation<'a, T>,
    adjoints: Open<'a, T>,
    targets: Targets,
    columns: Columns,
}

#[allow(clippy::len_without_is_empty)]
impl<T: Real> OperandAdjoints<'_, T> {
    /// Number of operands.
    pub fn len(&self) -> usize {
        self.of.node.args.len()
    }

    /// The adjoint of operand `k`, or `None` where it is not asked for. In a block it has one column
    /// of the operand's length for each direction.
    #[inline(always)]
    pub fn get(&mut self, k: usize) -> Option<&mut [T]> {
        let (entries, first) = self.take(k)?;
        if first {
            entries.fill(T::zero());
        }
        Some(entries)
    }

    /// [`get`](OperandAdjoints::get); if `true` comes with them, these entries are the first and to be
    /// overwritten.
    #[inline(always)]
    pub(crate) fn take(&mut self, k: usize) -> Option<(&mut [T], bool)> {
        let program = self.of.program;
        let node = self.targets.of(program, self.of.node.args[k])?;
        if node.back_in(self.columns.width()).carried {
            return None; // what came to this operation is there
        }
        Some(self.adjoints.take(node, self.columns))
    }

    /// The adjoints of direction `c` of the block alone.
    ///
    /// # Panics
    /// If the block has no more than `c` directions.
    #[track_caller]
    pub fn column(&mut self, c: usize) -> OperandAdjoints<'_, T> {
        OperandAdjoints {
            of: self.of,
            adjoints: self.adjoints.reborrow(),
            targets: self.targets,
            columns: self.columns.one(c),
        }
    }

    /// Whether the adjoint of operand `k` is asked for.
    pub fn wants(&self, k: usize) -> bool {
        let id = self.of.node.args[k];
        self.targets.of(self.of.program, id).is_some()
    }
}
