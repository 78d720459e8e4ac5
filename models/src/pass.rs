//! One pass over the samples: dots with each sample, a scalar rule, rank-one updates.
//!
//! Samples go in fixed blocks, each with a partial sum of its own; the partial sums are added in
//! the order of the blocks. So the bits depend on the data alone, not on the number of threads.

use autodiff::Real;
use autodiff::kernels::add;
use rayon::prelude::*;
use smallvec::SmallVec;

/// At most this many blocks, whatever the machine.
const BLOCKS: usize = 16;
/// Fewer multiplications than this stay on one thread: waking another costs microseconds.
const PARALLEL_WORK: usize = 1 << 18;

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

/// Runs `f` on every block, on several threads where `work` multiplications are worth it.
pub(crate) fn run<P: Send>(parts: &mut [P], work: usize, f: impl Fn(&mut P) + Sync + Send) {
    if work >= PARALLEL_WORK && rayon::current_num_threads() > 1 {
        parts.par_iter_mut().for_each(f);
    } else {
        parts.iter_mut().for_each(f);
    }
}

/// `out += Σ` of the first `out.len()` entries of each block's own, in order.
pub(crate) fn gather<T: Real, const S: usize>(
    parts: SmallVec<[Part<'_, T, S>; BLOCKS]>,
    out: &mut [T],
) {
    for part in parts {
        add(out, &part.own[..out.len()]);
    }
}

/// For each sample `i` of a block: `z_c = ⟨row_i, w_c⟩` for the `classes` vectors in `w`, then
/// `rule(i, z)` turns `z` into coefficients, then `sum_c += z_c row_i`.
///
/// Four samples go together, so that they are read from memory once. `z` is scratch for
/// `4 · classes` entries; `i` counts from 0 in the block. The bits do not depend on the processor:
/// wider registers hold the same four lanes, and no product is fused with a sum.
pub(crate) fn rows<T: Real>(
    rows: &[T],
    d: usize,
    w: &[T],
    sum: &mut [T],
    z: &mut [T],
    rule: impl FnMut(usize, &mut [T]),
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature that the function is compiled for.
        return unsafe { rows_avx2(rows, d, w, sum, z, rule) };
    }
    rows_portable(rows, d, w, sum, z, rule);
}

/// [`rows_portable`] compiled for wider registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn rows_avx2<T: Real>(
    rows: &[T],
    d: usize,
    w: &[T],
    sum: &mut [T],
    z: &mut [T],
    rule: impl FnMut(usize, &mut [T]),
) {
    rows_portable(rows, d, w, sum, z, rule);
}

#[inline(always)]
fn rows_portable<T: Real>(
    rows: &[T],
    d: usize,
    w: &[T],
    sum: &mut [T],
    z: &mut [T],
    mut rule: impl FnMut(usize, &mut [T]),
) {
    let classes = w.len() / d;
    sum.fill(T::zero());
    let mut quads = rows.chunks_exact(4 * d);
    let mut i = 0;
    for quad in &mut quads {
        let r: [&[T]; 4] = std::array::from_fn(|k| &quad[k * d..(k + 1) * d]);
        for (c, w) in w.chunks_exact(d).enumerate() {
            for (k, dot) in dots(r, w).into_iter().enumerate() {
                z[k * classes + c] = dot;
            }
        }
        for (k, z) in z.chunks_exact_mut(classes).take(4).enumerate() {
            rule(i + k, z);
        }
        for (c, sum) in sum.chunks_exact_mut(d).enumerate() {
            update(sum, r, std::array::from_fn(|k| z[k * classes + c]));
        }
        i += 4;
    }
    for row in quads.remainder().chunks_exact(d) {
        let z = &mut z[..classes];
        for (z, w) in z.iter_mut().zip(w.chunks_exact(d)) {
            [*z] = dots([row], w);
        }
        rule(i, z);
        for (c, sum) in sum.chunks_exact_mut(d).enumerate() {
            update(sum, [row], [z[c]]);
        }
        i += 1;
    }
}

const LANES: usize = 4;

/// The dot of each row with `v`.
#[inline(always)]
fn dots<T: Real, const R: usize>(rows: [&[T]; R], v: &[T]) -> [T; R] {
    let (v_chunks, v_rest) = v.as_chunks::<LANES>();
    let chunks = rows.map(|r| r[..v.len()].as_chunks::<LANES>().0);
    let mut lanes = [[T::zero(); LANES]; R];
    for (j, v) in v_chunks.iter().enumerate() {
        for k in 0..R {
            let row = &chunks[k][j];
            for l in 0..LANES {
                lanes[k][l] += row[l] * v[l];
            }
        }
    }
    let done = v.len() - v_rest.len();
    std::array::from_fn(|k| {
        let [a, b, c, e] = lanes[k];
        let mut sum = (a + c) + (b + e);
        for (j, v) in v_rest.iter().enumerate() {
            sum += rows[k][done + j] * *v;
        }
        sum
    })
}

/// `out += Σ_k scale_k row_k`.
#[inline(always)]
fn update<T: Real, const R: usize>(out: &mut [T], rows: [&[T]; R], scale: [T; R]) {
    let rows = rows.map(|r| &r[..out.len()]);
    for j in 0..out.len() {
        let mut sum = out[j];
        for k in 0..R {
            sum += scale[k] * rows[k][j];
        }
        out[j] = sum;
    }
}
