//! Passes over the samples in fixed blocks, each with a partial sum of its own; the partial sums
//! are added in the order of the blocks. So the bits do not depend on the number of threads.

use std::ops::Range;

use autodiff::Real;
use autodiff::kernels::add;
use autodiff::rows::unpack;
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
    pub(crate) rows: &'a [T],
    /// Its share of the per-sample buffers.
    pub(crate) samples: [&'a mut [T]; S],
    /// Its partial sum, and what else the block has to itself.
    pub(crate) own: &'a mut [T],
}

/// Cuts samples and buffers into blocks. `samples[k]` holds `widths[k]` entries per sample; `own`
/// the same number of entries for each block.
pub(crate) fn parts<'a, T: Real, const S: usize>(
    rows: &'a [T],
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
            rows: &rows[first * d..(first + len) * d],
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
