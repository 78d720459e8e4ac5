//! Products of a matrix with vectors that stand one after the other, many of them in each pass over the
//! matrix: its columns are the samples of [`tiles`].

use pulp::{Simd, WithSimd};
use smallvec::SmallVec;

use super::{Columns, PARTS};
use crate::real::Real;
use crate::simd::dispatch_lines;
use crate::threads::{for_each, worth};
use crate::tiles::{self, Group};

/// At most so many vectors go together.
const MOST: usize = 16;
/// Columns that are added at once, and entries of each: both they and what they are added to are near until
/// all vectors had them.
const ADDED: (usize, usize) = (32, 128);
/// Columns whose products are made at once: those of a tile at least.
const MULTIPLIED: (usize, usize) = (4, 16);
/// Bytes of those columns, while they are no more than a tile, and of the vectors that they are multiplied
/// with, which are read again for each tile.
const NEAR: (usize, usize) = (1 << 18, 1 << 20);

/// The first entry of a part of the results, and that part of each.
type Part<'a, T> = (usize, SmallVec<[&'a mut [T]; MOST]>);

impl<T: Real> Columns<'_, T> {
    /// `A v` of every vector, or `Aᵀ v` if it is to be `across`: each has the bits that it has alone.
    /// The results are overwritten if they are `fresh`, and else added to.
    ///
    /// # Panics
    /// If the matrix is empty.
    pub(crate) fn with_each(self, across: bool, vs: &[T], outs: &mut [T], fresh: bool) {
        let (from, to) = match across {
            false => (self.count, self.rows),
            true => (self.rows, self.count),
        };
        let most = match across {
            false => MOST,
            true => (NEAR.1 / (from * size_of::<T>())).clamp(4, MOST),
        };
        for (vs, outs) in vs.chunks(most * from).zip(outs.chunks_mut(most * to)) {
            if vs.len() == from {
                self.with(across, [vs], [outs], fresh);
                continue;
            }
            let work = vs.len() * to;
            let part = match worth(work).min(PARTS) {
                0 | 1 => to,
                // Whole lines, and whole groups of columns.
                threads => to.div_ceil(threads).next_multiple_of(64),
            };
            let mut outs: SmallVec<[_; MOST]> = outs.chunks_exact_mut(to).collect();
            let firsts = (0..to).step_by(part);
            let mut parts: SmallVec<[Part<'_, T>; PARTS]> = firsts
                .map(|first| {
                    let mine = outs.iter_mut().map(|out| {
                        let mine = out.split_off_mut(..part.min(out.len()));
                        mine.expect("entries of a part")
                    });
                    (first, mine.collect())
                })
                .collect();
            for_each(&mut parts, work, |(first, outs)| {
                let (a, first) = (self, *first);
                match across {
                    false => dispatch_lines(Sums {
                        a,
                        vs,
                        outs,
                        first,
                        fresh,
                    }),
                    true => dispatch_lines(Dots {
                        a,
                        vs,
                        outs,
                        first,
                        fresh,
                    }),
                }
            });
        }
    }

    /// The entry that column k starts at.
    #[inline(always)]
    fn start(&self, k: usize) -> usize {
        self.at.map_or(k, |at| at[k].f64() as usize) * self.stride
    }
}

/// Entries of `A v`, from the first one on.
struct Sums<'p, 'a, T> {
    a: Columns<'p, T>,
    vs: &'p [T],
    outs: &'p mut [&'a mut [T]],
    first: usize,
    fresh: bool,
}

impl<T: Real> WithSimd for Sums<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (a, (columns, entries)) = (self.a, ADDED);
        let rows = self.outs[0].len();
        let mut starts = [0; ADDED.0];
        for from in (0..a.count).step_by(columns) {
            let count = columns.min(a.count - from);
            let z = (&self.vs[from..], a.count);
            for at in (0..rows).step_by(entries) {
                let len = entries.min(rows - at);
                for k in 0..count {
                    starts[k] = a.start(from + k) + self.first + at;
                }
                let group: Group<'_, T, false> = Group {
                    entries: a.entries,
                    starts: &starts[..count],
                    len,
                };
                let outs = self.outs.iter_mut().map(|out| &mut out[at..at + len]);
                tiles::add(simd, &group, z, outs, self.fresh && from == 0);
            }
        }
    }
}

/// Entries of `Aᵀ v`, from the first one on.
struct Dots<'p, 'a, T> {
    a: Columns<'p, T>,
    vs: &'p [T],
    outs: &'p mut [&'a mut [T]],
    first: usize,
    fresh: bool,
}

impl<T: Real> WithSimd for Dots<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let a = self.a;
        let mine = self.outs[0].len();
        let vs: SmallVec<[&[T]; MOST]> = self.vs.chunks_exact(a.rows).collect();
        let (least, most) = MULTIPLIED;
        let columns = (NEAR.0 / (a.rows * size_of::<T>())).clamp(least, most);
        let mut starts = [0; MULTIPLIED.1];
        let mut z = [T::zero(); MULTIPLIED.1 * MOST];
        // From the last column on, as those are still near that sums read last.
        let mut end = mine;
        while end > 0 {
            let count = columns.min(end);
            let at = end - count;
            for k in 0..count {
                starts[k] = a.start(self.first + at + k);
            }
            let group: Group<'_, T, false> = Group {
                entries: a.entries,
                starts: &starts[..count],
                len: a.rows,
            };
            tiles::products(simd, &group, &vs, &mut z, columns);
            for (out, z) in self.outs.iter_mut().zip(z.chunks_exact(columns)) {
                for (out, z) in out[at..end].iter_mut().zip(z) {
                    *out = if self.fresh { *z } else { *out + *z };
                }
            }
            end = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Width, limit_width};

    /// Rows, columns and vectors: more of each than go together, and lines that are no whole ones.
    const SIZES: [(usize, usize, usize); 8] = [
        (1, 1, 2),
        (7, 3, 3),
        (64, 33, 4),
        (129, 17, 5),
        (300, 40, 16),
        (131, 70, 33),
        (2100, 9, 18),
        // Long columns: fewer go together, and fewer vectors.
        (40_001, 5, 7),
    ];

    fn numbers<T: Real>(n: usize, step: f64) -> Vec<T> {
        (0..n).map(|i| T::of((i as f64 * step).sin())).collect()
    }

    fn bits<T: Real>(of: &[T]) -> Vec<u64> {
        of.iter().map(|v| v.f64().to_bits()).collect()
    }

    fn check<T: Real>() {
        for (rows, count, width) in SIZES {
            let stride = rows + 3;
            // What stands behind a column is nobody's, were it no number.
            let mut entries: Vec<T> = numbers(stride * count, 0.7);
            entries.iter_mut().enumerate().for_each(|(i, entry)| {
                if i % stride >= rows {
                    *entry = T::of(f64::NAN);
                }
            });
            let picked: Vec<T> = (0..count).map(|k| T::of((k * 5 % count) as f64)).collect();
            for at in [None, Some(&picked[..])] {
                let a = Columns {
                    entries: &entries,
                    rows,
                    count,
                    stride,
                    at,
                };
                for (across, fresh) in (0..4).map(|i| (i & 1 == 1, i & 2 == 2)) {
                    let (from, to) = if across { (rows, count) } else { (count, rows) };
                    let vs: Vec<T> = numbers(from * width, 1.3);
                    let mut all: Vec<T> = numbers(to * width, 0.3);
                    let mut each = all.clone();
                    a.with_each(across, &vs, &mut all, fresh);
                    for (v, out) in vs.chunks(from).zip(each.chunks_mut(to)) {
                        a.with(across, [v], [out], fresh);
                    }
                    let of = format!("{rows}×{count}, {width} vectors, {across}, {fresh}");
                    assert_eq!(bits(&all), bits(&each), "{of}");
                }
            }
        }
    }

    #[test]
    fn each_vector_of_a_block_has_the_bits_that_it_has_alone_at_any_width() {
        for most in [Width::Scalar, Width::Narrow, Width::Wide] {
            limit_width(most);
            check::<f64>();
            check::<f32>();
        }
    }

    #[test]
    fn and_on_any_number_of_threads() {
        let (rows, count, width) = (700, 300, 18);
        let entries: Vec<f64> = numbers(rows * count, 0.7);
        let a = Columns {
            entries: &entries,
            rows,
            count,
            stride: rows,
            at: None,
        };
        for across in [false, true] {
            let (from, to) = if across { (rows, count) } else { (count, rows) };
            let vs: Vec<f64> = numbers(from * width, 1.3);
            let with = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let mut outs = vec![0.0; to * width];
                let pool = pool.build().expect("a pool");
                pool.install(|| a.with_each(across, &vs, &mut outs, true));
                bits(&outs)
            };
            let one = with(1);
            assert_eq!(one, with(2));
            assert_eq!(one, with(3));
        }
    }
}
