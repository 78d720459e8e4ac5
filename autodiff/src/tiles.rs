//! Products of samples and rows of weights, and sums of samples: in tiles that fill the registers. The
//! columns of a matrix are samples too.
//!
//! A product is summed in the lanes of one line, from the first line of the sample to the last, then
//! over the lanes; a sum goes over the samples in their order. Neither depends on the tile, so tiles
//! may be as the registers suit.

use std::array::from_fn;

use pulp::{Simd, WithSimd};

use crate::real::Real;
use crate::simd::{line, many_registers, vectorize};
use crate::vector::{Head, Lanes};

/// Samples that go together; `WHOLE` where each is known to have nothing but whole lines: what is behind them
/// keeps the sums of a tile out of the registers.
pub(crate) struct Group<'a, T, const WHOLE: bool> {
    pub(crate) entries: &'a [T],
    /// The entry that each starts at.
    pub(crate) starts: &'a [usize],
    /// Entries of a sample, or of a part of each.
    pub(crate) len: usize,
}

impl<'a, T: Real, const WHOLE: bool> Group<'a, T, WHOLE> {
    /// What stands from some entry of a sample on.
    #[inline(always)]
    fn sample(&self, start: usize, at: usize) -> &'a [T] {
        &self.entries[start + at..]
    }

    /// The whole lines of a sample.
    #[inline(always)]
    fn lines(&self) -> usize {
        self.len / line::<T>()
    }

    /// The first entry of a line that is no whole one, and how it is read.
    #[inline(always)]
    fn rest<S: Simd>(&self, simd: S) -> Option<(usize, Head<T, S>)> {
        let rest = self.len % line::<T>();
        debug_assert!(!WHOLE || rest == 0, "lines of {} entries", self.len);
        (!WHOLE && rest > 0).then(|| (self.len - rest, Head::new(simd, rest)))
    }
}

/// Calls `run` for tiles of 1 to 6 of `rows` rows, as even as can be: with the first row, and the
/// number of rows as a constant.
macro_rules! tiles {
    ($S:ident, $rows:expr, $run:ident $args:tt) => {
        let rows: usize = $rows;
        let most = if many_registers::<$S>() { 6 } else { 3 };
        let (mut first, count) = (0, rows.div_ceil(most));
        for tile in 0..count {
            let height = (rows - first).div_ceil(count - tile);
            match height {
                1 => tiles!(@ $run 1 first $args),
                2 => tiles!(@ $run 2 first $args),
                3 => tiles!(@ $run 3 first $args),
                4 => tiles!(@ $run 4 first $args),
                5 => tiles!(@ $run 5 first $args),
                _ => tiles!(@ $run 6 first $args),
            }
            first += height;
        }
    };
    (@ $run:ident $K:literal $first:ident ($($arg:expr),*)) => {
        $run::<_, _, WHOLE, $K>($($arg,)* $first)
    };
}

/// Overwrites `z` with the products of the rows of all weights and the samples of a group, row after
/// row, each with `size` entries of which the first are used.
///
/// Kernels of their own, so that they are compiled once and not for every rule.
#[inline(never)]
pub(crate) fn products<T: Real, S: Simd, const WHOLE: bool>(
    simd: S,
    group: &Group<'_, T, WHOLE>,
    weights: &[&[T]],
    z: &mut [T],
    size: usize,
) {
    let kernel = Products {
        group,
        weights,
        z,
        size,
    };
    vectorize(simd, kernel);
}

struct Products<'a, T, const WHOLE: bool> {
    group: &'a Group<'a, T, WHOLE>,
    weights: &'a [&'a [T]],
    z: &'a mut [T],
    size: usize,
}

impl<T: Real, const WHOLE: bool> WithSimd for Products<'_, T, WHOLE> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let of_one = self.weights[0].len() / self.group.len;
        let rows = of_one * self.weights.len();
        tiles!(S, rows, products_tile(simd, &mut self));
    }
}

#[inline(always)]
fn products_tile<T: Real, S: Simd, const WHOLE: bool, const K: usize>(
    simd: S,
    of: &mut Products<'_, T, WHOLE>,
    first: usize,
) {
    let len = of.group.len;
    let of_one = of.weights[0].len() / len;
    let rows: [&[T]; K] = from_fn(|k| {
        let row = first + k;
        &of.weights[row / of_one][row % of_one * len..][..len]
    });
    let z = &mut of.z[first * of.size..];
    let mut done = 0;
    match (many_registers::<S>(), K) {
        (true, 1..=3) => samples::<T, S, WHOLE, K, 8>(simd, of.group, rows, z, of.size, &mut done),
        (true, _) => samples::<T, S, WHOLE, K, 4>(simd, of.group, rows, z, of.size, &mut done),
        (false, 1) => samples::<T, S, WHOLE, K, 4>(simd, of.group, rows, z, of.size, &mut done),
        (false, _) => samples::<T, S, WHOLE, K, 2>(simd, of.group, rows, z, of.size, &mut done),
    }
    samples::<T, S, WHOLE, K, 1>(simd, of.group, rows, z, of.size, &mut done);
}

/// The products of K rows with as many of the samples as go in tiles of I.
#[inline(always)]
fn samples<T: Real, S: Simd, const WHOLE: bool, const K: usize, const I: usize>(
    simd: S,
    group: &Group<'_, T, WHOLE>,
    rows: [&[T]; K],
    z: &mut [T],
    size: usize,
    done: &mut usize,
) {
    let (lines, rest) = (group.lines(), group.rest(simd));
    // Loops, as the compiler then sees that all have as many lines.
    let mut heads: [&[T::Register<S>]; K] = [&[]; K];
    for k in 0..K {
        heads[k] = &T::registers::<S>(rows[k])[..lines];
    }
    while let Some(starts) = group.starts[*done..].first_chunk::<I>() {
        let mut samples: [&[T::Register<S>]; I] = [&[]; I];
        for i in 0..I {
            samples[i] = &T::registers::<S>(group.sample(starts[i], 0))[..lines];
        }
        let zero = T::fill(simd, T::zero());
        let mut sums = [[zero; I]; K];
        for j in 0..lines {
            let a: [_; I] = from_fn(|i| T::pack(simd, samples[i][j]));
            for k in 0..K {
                let w = T::pack(simd, heads[k][j]);
                for i in 0..I {
                    sums[k][i] = a[i].mul_add(w, sums[k][i]);
                }
            }
        }
        if let Some((at, rest)) = rest {
            for k in 0..K {
                let w = T::load(simd, &rows[k][at..]);
                for i in 0..I {
                    let a = rest.load(group.sample(starts[i], at));
                    sums[k][i] = a.mul_add(w, sums[k][i]);
                }
            }
        }
        for k in 0..K {
            let z = &mut z[k * size + *done..][..I];
            for i in 0..I {
                z[i] = T::total(sums[k][i]);
            }
        }
        *done += I;
    }
}

/// Adds the samples of a group, times the coefficients `z` that stand as [`products`] leaves them, to
/// the rows of sums; overwrites these if they are `fresh`.
#[inline(never)]
pub(crate) fn add<'a, T: Real, S: Simd, const WHOLE: bool>(
    simd: S,
    group: &Group<'_, T, WHOLE>,
    (z, size): (&[T], usize),
    rows: impl ExactSizeIterator<Item = &'a mut [T]>,
    fresh: bool,
) {
    let kernel = Add {
        group,
        z,
        size,
        rows,
        fresh,
    };
    vectorize(simd, kernel);
}

struct Add<'g, T, R, const WHOLE: bool> {
    group: &'g Group<'g, T, WHOLE>,
    z: &'g [T],
    size: usize,
    /// Those that are not done.
    rows: R,
    fresh: bool,
}

impl<'a, T: Real, R, const WHOLE: bool> WithSimd for Add<'_, T, R, WHOLE>
where
    R: ExactSizeIterator<Item = &'a mut [T]>,
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        tiles!(S, self.rows.len(), add_tile(simd, &mut self));
    }
}

#[inline(always)]
fn add_tile<'a, T: Real, S: Simd, const WHOLE: bool, const K: usize>(
    simd: S,
    of: &mut Add<'_, T, impl Iterator<Item = &'a mut [T]>, WHOLE>,
    first: usize,
) {
    let (group, fresh) = (of.group, of.fresh);
    let z: [&[T]; K] = from_fn(|k| &of.z[(first + k) * of.size..][..group.starts.len()]);
    let mut rows: [_; K] = from_fn(|_| of.rows.next().expect("a row of sums"));
    let mut at = 0;
    match (many_registers::<S>(), K) {
        (true, 1..=3) => strips::<T, S, WHOLE, K, 8>(simd, group, z, &mut rows, fresh, &mut at),
        (true, _) | (false, 1) => {
            strips::<T, S, WHOLE, K, 4>(simd, group, z, &mut rows, fresh, &mut at)
        }
        (false, 2) => strips::<T, S, WHOLE, K, 2>(simd, group, z, &mut rows, fresh, &mut at),
        (false, _) => {}
    }
    if many_registers::<S>() {
        strips::<T, S, WHOLE, K, 4>(simd, group, z, &mut rows, fresh, &mut at);
        strips::<T, S, WHOLE, K, 2>(simd, group, z, &mut rows, fresh, &mut at);
    }
    strips::<T, S, WHOLE, K, 1>(simd, group, z, &mut rows, fresh, &mut at);
    if let Some((at, rest)) = group.rest(simd) {
        add_rest(simd, group, z, &mut rows, fresh, (at, rest));
    }
}

/// Adds to V lines of K rows at once, and so on as far as that goes.
#[inline(always)]
fn strips<T: Real, S: Simd, const WHOLE: bool, const K: usize, const V: usize>(
    simd: S,
    group: &Group<'_, T, WHOLE>,
    z: [&[T]; K],
    rows: &mut [&mut [T]; K],
    fresh: bool,
    at: &mut usize,
) {
    let lines = group.lines();
    while *at + V <= lines {
        let from = *at * line::<T>();
        let zero = T::fill(simd, T::zero());
        let mut sums = [[zero; V]; K];
        if !fresh {
            for k in 0..K {
                let row = &T::registers::<S>(&rows[k][from..])[..V];
                sums[k] = from_fn(|v| T::pack(simd, row[v]));
            }
        }
        for (i, start) in group.starts.iter().enumerate() {
            let sample = &T::registers::<S>(group.sample(*start, from))[..V];
            let z: [_; K] = from_fn(|k| T::fill(simd, z[k][i]));
            for v in 0..V {
                let a = T::pack(simd, sample[v]);
                for k in 0..K {
                    sums[k][v] = a.mul_add(z[k], sums[k][v]);
                }
            }
        }
        for k in 0..K {
            let row = &mut T::registers_mut::<S>(&mut rows[k][from..])[..V];
            for v in 0..V {
                row[v] = T::register(sums[k][v]);
            }
        }
        *at += V;
    }
}

/// Adds to what is left of K rows behind their whole lines.
#[inline(always)]
fn add_rest<T: Real, S: Simd, const WHOLE: bool, const K: usize>(
    simd: S,
    group: &Group<'_, T, WHOLE>,
    z: [&[T]; K],
    rows: &mut [&mut [T]; K],
    fresh: bool,
    (at, rest): (usize, Head<T, S>),
) {
    let mut sums = [T::fill(simd, T::zero()); K];
    if !fresh {
        for k in 0..K {
            sums[k] = T::load(simd, &rows[k][at..]);
        }
    }
    for (i, start) in group.starts.iter().enumerate() {
        let a = rest.load(group.sample(*start, at));
        for k in 0..K {
            sums[k] = a.mul_add(T::fill(simd, z[k][i]), sums[k]);
        }
    }
    for k in 0..K {
        T::store(sums[k], &mut rows[k][at..]);
    }
}
