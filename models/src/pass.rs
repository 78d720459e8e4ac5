//! Passes over the samples in fixed blocks, each with a partial sum of its own; the partial sums
//! are added in the order of the blocks. So the bits do not depend on the number of threads.

use std::ops::Range;
use std::sync::Arc;

use autodiff::kernels::add;
use autodiff::rows::{Picked, unpack};
use autodiff::{Operands, Real, index_of};
use smallvec::SmallVec;

/// At most this many blocks, whatever the machine.
const BLOCKS: usize = 16;

/// How `n` samples are cut into blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    /// Samples of every block but the last, a multiple of four.
    pub(crate) len: usize,
    pub(crate) count: usize,
}

impl Blocks {
    pub(crate) fn of(n: usize) -> Self {
        let len = n.div_ceil(BLOCKS).next_multiple_of(4).max(64);
        Blocks {
            len,
            count: n.div_ceil(len).max(1),
        }
    }
}

/// A block of samples with its share of the buffers.
pub(crate) struct Part<'a, T, const S: usize> {
    /// Index of its first sample.
    pub(crate) first: usize,
    /// Its samples, `d` entries each.
    pub(crate) rows: Picked<'a, T>,
    /// Its share of the per-sample buffers.
    pub(crate) samples: [&'a mut [T]; S],
    /// Its partial sum, and what else the block has to itself.
    pub(crate) own: &'a mut [T],
}

/// Cuts samples and buffers into blocks. `samples[k]` holds `widths[k]` entries per sample; `own`
/// the same number of entries for each block.
pub(crate) fn parts<'a, T: Real, const S: usize>(
    rows: Picked<'a, T>,
    d: usize,
    n: usize,
    mut samples: [&'a mut [T]; S],
    widths: [usize; S],
    own: &'a mut [T],
) -> SmallVec<[Part<'a, T, S>; BLOCKS]> {
    let blocks = Blocks::of(n);
    let width = own.len() / blocks.count;
    let mut own = own.chunks_exact_mut(width);
    let mut parts = SmallVec::new();
    for first in (0..n).step_by(blocks.len) {
        let len = blocks.len.min(n - first);
        let share = std::array::from_fn(|k| {
            let (mine, rest) = std::mem::take(&mut samples[k]).split_at_mut(len * widths[k]);
            samples[k] = rest;
            mine
        });
        parts.push(Part {
            first,
            rows: rows.part(first, len, d),
            samples: share,
            own: own.next().expect("a share for each block"),
        });
    }
    parts
}

/// Overwrites `out` with the sum of what stands at `place` in each block's own, packed, added in the
/// order of the blocks.
pub(crate) fn gather<T: Real, const S: usize>(
    parts: &mut [Part<'_, T, S>],
    place: Range<usize>,
    d: usize,
    out: &mut [T],
) {
    let Some((first, others)) = parts.split_first_mut() else {
        return out.fill(T::zero());
    };
    let total = &mut first.own[place.clone()];
    for part in others {
        add(total, &part.own[place.clone()]);
    }
    unpack(total, d, out);
}

/// What a fused loss goes over: the samples of a data set, or those whose indices its last operand
/// holds.
#[derive(Clone, Debug)]
pub(crate) struct Going<T> {
    pub(crate) features: Arc<[T]>,
    /// Entries of a sample.
    pub(crate) d: usize,
    /// The number of samples that it goes over.
    pub(crate) n: usize,
    pub(crate) picks: bool,
}

impl<T: Real> Going<T> {
    /// The indices among the operands.
    pub(crate) fn at<'a>(&self, a: &'a Operands<'_, T>) -> Option<&'a [T]> {
        self.picks.then(|| a.get(a.len() - 1))
    }

    pub(crate) fn rows<'a>(&'a self, at: Option<&'a [T]>) -> Picked<'a, T> {
        let table = &self.features;
        Picked { table, at }
    }

    /// The index in the data set of the sample `i`.
    #[inline(always)]
    pub(crate) fn index(at: Option<&[T]>, i: usize) -> usize {
        at.map_or(i, |at| index_of(at[i]))
    }
}
