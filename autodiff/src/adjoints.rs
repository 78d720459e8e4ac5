//! Buffers of adjoints, or of their tangents, that are written before they are added to.

use std::ops::Deref;

use crate::block::Columns;
use crate::bytes::{Category, Lines, Meter};
use crate::inputs::Inputs;
use crate::plan::Piece;
use crate::program::{Node, Program};
use crate::real::Real;

/// Entries that are zeroed all at once, which costs less than to look after each.
const FEW: usize = 1 << 14;

/// Adjoints laid out like the values, or columns of their tangents, and which regions of them the
/// sweep wrote: what stands elsewhere is of a sweep before, and means zero.
pub(crate) struct Adjoints<T: Real> {
    entries: Lines<T>,
    written: Box<[bool]>,
    /// Whether the sweep zeroed all entries before.
    zeroed: bool,
}

impl<T: Real> Adjoints<T> {
    /// Marks of a program's regions, and room for nothing.
    pub(crate) fn new(program: &Program<T>, meter: &Meter) -> Self {
        Adjoints {
            entries: Lines::zeros(0, Category::Adjoints, meter),
            written: vec![false; program.nodes.len()].into(),
            zeroed: false,
        }
    }

    /// Bytes that adjoints of a program make at their first use, or `width` columns of their tangents.
    pub(crate) fn bytes(program: &Program<T>, width: usize) -> usize {
        Lines::<T>::bytes(program.back_len(width))
    }

    /// Bytes of the marks, which are there from the start.
    pub(crate) fn marks_bytes(program: &Program<T>) -> usize {
        program.nodes.len()
    }

    /// Makes room for `len` entries; what was made for more stays.
    pub(crate) fn make(&mut self, len: usize) {
        if self.entries.len() < len {
            self.entries.resize(len);
            self.written.fill(false);
        }
    }

    /// Whether others have room for as much.
    pub(crate) fn fits(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len() && self.written.len() == other.written.len()
    }

    /// Takes over a node's entries of others that fit, if they were written.
    pub(crate) fn keep(&mut self, other: &Self, node: &Node<T>, width: usize) {
        let (at, region) = (
            Columns::all(width).back_of(node),
            node.back_in(width).region,
        );
        let written = other.written[region as usize];
        self.written[region as usize] = written;
        if written && let Some(entries) = other.entries.get(at.clone()) {
            self.entries[at].copy_from_slice(entries);
        }
    }

    /// Begins a sweep of `width` columns.
    pub(crate) fn begin(&mut self, program: &Program<T>, width: usize) {
        let len = program.back_len(width);
        self.make(len);
        self.written.fill(program.plan.plain);
        self.zeroed = program.plan.plain || len <= FEW;
        if self.zeroed {
            self.entries[..len].fill(T::zero());
        }
    }

    /// All of it, to hand operands' entries out.
    #[inline(always)]
    pub(crate) fn open(&mut self) -> Open<'_, T> {
        Open {
            entries: &mut self.entries,
            written: &mut self.written,
            zeroed: self.zeroed,
        }
    }

    /// The entries of a node, one column; `None` where they are zero.
    pub(crate) fn of(&self, node: &Node<T>) -> Option<&[T]> {
        let written = self.written.get(node.back.region as usize);
        (written == Some(&true)).then(|| &self.entries[Columns::all(1).back_of(node)])
    }

    /// The entries of an input in some columns, after the end of a sweep, to be written.
    pub(crate) fn of_input_mut(&mut self, node: &Node<T>, width: usize) -> &mut [T] {
        &mut self.entries[Columns::all(width).back_of(node)]
    }

    /// Zeroes the entries of a node to which nothing came, in one column.
    #[inline(always)]
    pub(crate) fn ensure(&mut self, program: &Program<T>, node: &Node<T>) {
        if !self.written[node.back.region as usize] {
            self.open().settle_or_zero(program, node, 1);
        }
    }

    /// Ends a sweep: what it did not write of the `wanted` inputs' entries is zero.
    pub(crate) fn end(&mut self, program: &Program<T>, width: usize, wanted: Inputs) {
        for (k, node) in program.nodes[..program.inputs].iter().enumerate() {
            if wanted.meets(Inputs::one(k)) {
                self.open().settle_or_zero(program, node, width);
            }
        }
    }
}

impl<T: Real> Deref for Adjoints<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.entries
    }
}

/// [`Adjoints`] in the midst of a sweep.
#[derive(Debug)]
pub(crate) struct Open<'a, T> {
    pub(crate) entries: &'a mut [T],
    /// By region; `None` if all entries are there to be added to.
    written: &'a mut [bool],
    /// Whether what is not written is zero all the same.
    zeroed: bool,
}

impl<'a, T: Real> Open<'a, T> {
    /// Entries laid out like the values, all there to be added to.
    pub(crate) fn of_sums(entries: &'a mut [T]) -> Self {
        Open {
            entries,
            written: &mut [],
            zeroed: true,
        }
    }

    /// The same, for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Open<'_, T> {
        Open {
            entries: self.entries,
            written: self.written,
            zeroed: self.zeroed,
        }
    }

    /// The entries of `node` in some columns, to be added to; or, if `true` comes with them, to be
    /// overwritten.
    #[inline(always)]
    pub(crate) fn take(&mut self, node: &Node<T>, columns: Columns) -> (&mut [T], bool) {
        if self.written.is_empty() {
            return (&mut self.entries[columns.of(node)], false);
        }
        let first = self.is_first(node, columns.width());
        if first && !columns.is_all() {
            let all = Columns::all(columns.width()).back_of(node);
            self.entries[all].fill(T::zero());
        }
        let entries = &mut self.entries[columns.back_of(node)];
        (entries, first && columns.is_all())
    }

    /// Marks a node's entries as written, and whether these are the first and what stands there is to be
    /// overwritten.
    #[inline(always)]
    pub(crate) fn is_first(&mut self, node: &Node<T>, width: usize) -> bool {
        let written = &mut self.written[node.back_in(width).region as usize];
        !std::mem::replace(written, true) && !self.zeroed
    }

    #[inline(always)]
    fn written_of(&mut self, node: &Node<T>, width: usize) -> Option<&mut bool> {
        self.written.get_mut(node.back_in(width).region as usize)
    }

    /// Whether anything came back to a node: if to some slices of it alone, the others are zeroed.
    #[inline(always)]
    pub(crate) fn settle(&mut self, program: &Program<T>, node: &Node<T>, width: usize) -> bool {
        let written = self.written_of(node, width).is_none_or(|w| *w);
        written || (width == 1 && node.pieces.1 > 0 && self.settle_pieces(program, node))
    }

    #[inline(never)]
    fn settle_pieces(&mut self, program: &Program<T>, node: &Node<T>) -> bool {
        let slice = |piece: &Piece| piece.slice.map(|id| &program.nodes[id as usize]);
        let pieces = program.pieces(node);
        let mut any = false;
        for slice in pieces.iter().filter_map(slice) {
            any |= self.settle(program, slice, 1);
        }
        if !any {
            return false;
        }
        for piece in pieces {
            match slice(piece) {
                Some(slice) => self.settle_or_zero(program, slice, 1),
                None => self.entries[piece.start..][..piece.len].fill(T::zero()),
            }
        }
        self.mark(node, 1);
        true
    }

    /// [`settle`](Open::settle), with zeros where nothing came.
    pub(crate) fn settle_or_zero(&mut self, program: &Program<T>, node: &Node<T>, width: usize) {
        if !self.settle(program, node, width) {
            self.entries[Columns::all(width).back_of(node)].fill(T::zero());
            self.mark(node, width);
        }
    }

    fn mark(&mut self, node: &Node<T>, width: usize) {
        if let Some(written) = self.written_of(node, width) {
            *written = true;
        }
    }

    /// What came back before `node`, as the operands see it, and to the node itself.
    #[inline(always)]
    pub(crate) fn split(&mut self, node: &Node<T>, width: usize) -> (Open<'_, T>, &mut [T]) {
        let start = node.back_in(width).start * width;
        let (before, rest) = self.entries.split_at_mut(start);
        let before = Open {
            entries: before,
            written: self.written,
            zeroed: self.zeroed,
        };
        (before, &mut rest[..node.shape.len() * width])
    }
}
