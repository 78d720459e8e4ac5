//! The pass over samples that fused losses are made of, in vector instructions.

mod tree;

pub use pulp::Simd;
use pulp::WithSimd;
pub use tree::tree_sum;
pub(crate) use tree::{subtrees, sum_of_subtrees};

use crate::batch::Places;
use crate::real::Real;
use crate::simd::{LINE, dispatch_lines, line};
use crate::table::Table;
use crate::tiles::{self, Group};
use crate::vector::Head;

/// The samples that a [`RowPass`] goes over.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a, T: Real> {
    table: &'a Table<T>,
    at: Places<'a, T>,
    len: usize,
}

impl<'a, T: Real> Picked<'a, T> {
    /// `len` samples of a table.
    pub fn of(table: &'a Table<T>, at: Places<'a, T>, len: usize) -> Self {
        Picked { table, at, len }
    }

    /// `len` of these from `first` on.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    #[track_caller]
    pub fn part(self, first: usize, len: usize) -> Self {
        assert!(first + len <= self.len, "a part of the samples");
        Picked {
            at: self.at.from(first),
            len,
            ..self
        }
    }
}

/// One pass over samples `a_i`: for each and each of the N weights `z_k = W_k a_i`, then a rule turns
/// them into coefficients, then `sum_k += z_k a_iᵀ`. Some samples go together, so that each is read
/// from memory once.
#[derive(Debug)]
pub struct RowPass<'a, T: Real, const N: usize> {
    /// The samples.
    pub samples: Picked<'a, T>,
    /// Each `W` as [`pad`] lays it out: a row of [`Table::padded`] entries for each class.
    pub weights: [&'a [T]; N],
    /// Overwritten with the sums of the last weights, in the same layout, one after the other: of all
    /// that it has room for.
    pub sums: &'a mut [T],
    /// As many entries as [`RowPass::scratch_len`] says, or more: no sum depends on it.
    pub scratch: &'a mut [T],
}

/// What a [`RowPass`] does with the products of each sample.
///
/// Its method should be `#[inline(always)]`: it is compiled for the vector instructions that are
/// found when the program runs. Vectors of `S` have 64 bytes on every processor, so that sums over
/// their lanes have the same bits.
pub trait Rule<T, const N: usize> {
    /// Replaces the products of `count` samples, the first of which has index `first` in the pass,
    /// by their coefficients. `z[k]` holds those of `weights[k]`, class after class: of each for all
    /// samples, in whole vectors. What stands beyond `count` is nobody's.
    fn apply<S: Simd>(&mut self, simd: S, first: usize, count: usize, z: [&mut [T]; N]);
}

/// At most so many lines of samples go together.
const MOST_LINES: usize = 4;
/// At most so many samples go together.
const MOST: usize = MOST_LINES * line::<f32>();

/// Bytes of samples that are still near when their coefficients are known.
const NEAR: usize = 8 << 10;

/// The fewest and the most lines of samples that go together, of `padded` entries each. Few, so that they
/// are still near when their coefficients are known; more where there are many weights, which each group
/// reads all of, or where the samples are short and there is room.
fn lines(products: usize, padded: usize) -> (usize, usize) {
    let fewest = match products {
        0..4 => 1,
        4..64 => 2,
        _ => MOST_LINES,
    };
    let near = NEAR / (padded * LINE).max(1);
    (fewest, near.clamp(fewest, MOST_LINES))
}

impl<T: Real, const N: usize> RowPass<'_, T, N> {
    /// The scratch of a pass over samples of a table with this many classes.
    pub fn scratch_len(table: &Table<T>, classes: usize) -> usize {
        let (fewest, _) = lines(N * classes, table.padded());
        fewest * Self::line_len(table, classes)
    }

    /// The most scratch that makes such a pass faster: short samples go in larger groups then.
    pub fn roomy_scratch_len(table: &Table<T>, classes: usize) -> usize {
        let (_, most) = lines(N * classes, table.padded());
        most * Self::line_len(table, classes)
    }

    /// The scratch of a line of samples.
    fn line_len(table: &Table<T>, classes: usize) -> usize {
        let copies = match table.in_lines() {
            Some(_) => 0,
            None => table.padded(),
        };
        line::<T>() * (N * classes + copies)
    }

    /// Runs the pass.
    ///
    /// The order of all sums depends on the sizes alone, and each sum is bitwise that of a pass with
    /// its weights alone.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    #[track_caller]
    pub fn run(self, rule: impl Rule<T, N>) {
        let (len, padded) = (self.weights[0].len(), self.samples.table.padded());
        assert_eq!(len % padded, 0, "weights in whole rows");
        for weights in self.weights {
            assert_eq!(weights.len(), len, "weights of one size");
        }
        let sums = self.sums.len();
        assert!(
            sums <= N * len && sums.is_multiple_of(len),
            "sums of weights"
        );
        let scratch = Self::scratch_len(self.samples.table, len / padded);
        assert!(self.scratch.len() >= scratch, "scratch for the pass");
        dispatch_lines(Kernel { pass: self, rule });
    }
}

struct Kernel<'a, T: Real, R, const N: usize> {
    pass: RowPass<'a, T, N>,
    rule: R,
}

impl<T: Real, R: Rule<T, N>, const N: usize> WithSimd for Kernel<'_, T, R, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let RowPass {
            samples,
            weights,
            sums,
            scratch,
        } = self.pass;
        let mut rule = self.rule;
        let (table, len) = (samples.table, samples.table.padded());
        let of_one = weights[0].len() / len;
        let (fewest, most) = lines(N * of_one, len);
        let room = scratch.len() / RowPass::<T, N>::line_len(table, of_one);
        let size = room.clamp(fewest, most) * line::<T>();
        let (z, scratch) = scratch.split_at_mut(N * of_one * size);
        if samples.len == 0 {
            return sums.fill(T::zero());
        }
        let skipped = N * of_one - sums.len() / len;
        let mut starts = [0; MOST];
        let rest = table.width() % line::<T>();
        let rest = (rest > 0).then(|| Head::<T, S>::new(simd, rest));
        for first in (0..samples.len).step_by(size) {
            let count = size.min(samples.len - first);
            let indices = (0..count).map(|k| samples.at.index(first + k));
            let entries = match table.in_lines() {
                Some(rows) => {
                    for (start, i) in starts.iter_mut().zip(indices) {
                        assert!(i < table.len(), "sample {i} of {}", table.len());
                        *start = i * rows.stride;
                    }
                    rows.all()
                }
                None => {
                    let copies = scratch.chunks_exact_mut(len).enumerate();
                    for ((k, copy), i) in copies.zip(indices) {
                        match table.kept_from(i) {
                            Some(row) => copy_lines::<T, S>(row, rest, copy),
                            None => {
                                let (entries, padding) = copy.split_at_mut(table.width());
                                table.read(i, entries);
                                padding.fill(T::zero());
                            }
                        }
                        starts[k] = k * len;
                    }
                    &*scratch
                }
            };
            let group: Group<'_, T, true> = Group {
                entries,
                starts: &starts[..count],
                len,
            };
            tiles::products(simd, &group, &weights, z, size);
            let mut parts = z.chunks_exact_mut(of_one * size);
            let parts = std::array::from_fn(|_| parts.next().expect("products for each"));
            rule.apply(simd, first, count, parts);
            if !sums.is_empty() {
                let (z, rows) = (&z[skipped * size..], sums.chunks_exact_mut(len));
                tiles::add(simd, &group, (z, size), rows, first == 0);
            }
        }
    }
}

/// A row, and whatever comes behind it, becomes one of whole lines, of which the last has the `rest`.
#[inline(always)]
fn copy_lines<T: Real, S: Simd>(row: &[T], rest: Option<Head<T, S>>, out: &mut [T]) {
    let out = T::registers_mut::<S>(out);
    let whole = out.len() - usize::from(rest.is_some());
    let (lines, last) = out.split_at_mut(whole);
    for (line, row) in lines.iter_mut().zip(T::registers::<S>(row)) {
        *line = *row;
    }
    if let (Some(rest), [last]) = (rest, last) {
        *last = T::register(rest.load(&row[whole * line::<T>()..]));
    }
}

/// Rows of `width` entries become rows of whole lines, 0 beyond.
pub fn pad<T: Real>(w: &[T], width: usize, padded: &mut [T]) {
    let rows = padded.chunks_exact_mut(width.next_multiple_of(line::<T>()));
    for (padded, row) in rows.zip(w.chunks_exact(width)) {
        let (entries, padding) = padded.split_at_mut(width);
        entries.copy_from_slice(row);
        padding.fill(T::zero());
    }
}

/// What of a buffer starts at a multiple of a line: [`alignment`] entries less, or more.
pub fn aligned<T: Real>(buffer: &mut [T]) -> &mut [T] {
    let first = buffer.as_ptr().align_offset(crate::simd::LINE);
    let slack = alignment::<T>();
    &mut buffer[first.min(slack)..]
}

/// Entries that a buffer has to be longer by to be [`aligned`].
pub const fn alignment<T>() -> usize {
    line::<T>() - 1
}
