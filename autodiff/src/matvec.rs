//! Products of a matrix with one vector, or with a few in one pass over the matrix.
//!
//! What counts is reading the matrix: some columns go together, each from its first entry to its last,
//! as memory is read best. An entry of `A v` is a sum over the columns in their order, and one of
//! `Aᵀ v` a sum in the lanes of a line, then over the lanes: neither depends on how many columns or
//! vectors go together, on threads, or on the width of vectors.

mod block;

use std::array::from_fn;

use pulp::{Simd, WithSimd};
use smallvec::SmallVec;

use crate::real::Real;
use crate::simd::{dispatch_lines, many_registers};
use crate::threads::{for_each, worth};
use crate::vector::{Head, Lanes};

/// Columns of a matrix.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, T> {
    /// From the first entry of the first column on.
    pub(crate) entries: &'a [T],
    pub(crate) rows: usize,
    pub(crate) count: usize,
    /// From one column to the next.
    pub(crate) stride: usize,
    /// Which of them these are, as whole numbers; `None` if they come one after the other.
    pub(crate) at: Option<&'a [T]>,
}

impl<'a, T: Real> Columns<'a, T> {
    /// A column, with all that stands behind it.
    #[inline(always)]
    fn column(&self, k: usize) -> &'a [T] {
        let k = self.at.map_or(k, |at| at[k].f64() as usize);
        &self.entries[k * self.stride..]
    }

    /// [`times`], or [`tr_times`] if it is to be `across`.
    pub(crate) fn with<const N: usize>(
        self,
        across: bool,
        vs: [&[T]; N],
        outs: [&mut [T]; N],
        fresh: bool,
    ) {
        match across {
            false => times(self, vs, outs, fresh),
            true => tr_times(self, vs, outs, fresh),
        }
    }
}

/// `A v` or `Aᵀ v` of N vectors.
struct Products<'a, T, const N: usize> {
    a: Columns<'a, T>,
    vs: [&'a [T]; N],
    /// Their entries from `first` on, overwritten if `fresh` and else added to.
    outs: [&'a mut [T]; N],
    first: usize,
    fresh: bool,
}

/// The first entry of a part of the results, and the parts.
type Part<'a, T, const N: usize> = (usize, [&'a mut [T]; N]);

/// At most this many parts.
const PARTS: usize = 64;

/// `outs[k] = A vs[k]`, or `outs[k] += A vs[k]` where they are not `fresh`.
///
/// # Panics
/// If the lengths do not fit.
pub(crate) fn times<T: Real, const N: usize>(
    a: Columns<'_, T>,
    vs: [&[T]; N],
    outs: [&mut [T]; N],
    fresh: bool,
) {
    let fit = |v: &&[T], out: &&mut [T]| v.len() == a.count && out.len() == a.rows;
    assert!(vs.iter().zip(&outs).all(|(v, out)| fit(v, out)), "A v");
    in_parts(a, vs, outs, fresh, |products| {
        dispatch_lines(Times(products))
    });
}

/// `outs[k] = Aᵀ vs[k]`, or `outs[k] += Aᵀ vs[k]` where they are not `fresh`.
///
/// # Panics
/// If the lengths do not fit.
pub(crate) fn tr_times<T: Real, const N: usize>(
    a: Columns<'_, T>,
    vs: [&[T]; N],
    outs: [&mut [T]; N],
    fresh: bool,
) {
    let fit = |v: &&[T], out: &&mut [T]| v.len() == a.rows && out.len() == a.count;
    assert!(vs.iter().zip(&outs).all(|(v, out)| fit(v, out)), "Aᵀ v");
    in_parts(a, vs, outs, fresh, |products| {
        dispatch_lines(TrTimes(products))
    });
}

/// Cuts the entries of the results into a part for each thread, where that is worth it: each stays what
/// it is, and a thread goes on for as long as it can.
#[inline(always)]
fn in_parts<'a, T: Real, const N: usize>(
    a: Columns<'a, T>,
    vs: [&'a [T]; N],
    mut outs: [&'a mut [T]; N],
    fresh: bool,
    run: impl Fn(Products<'_, T, N>) + Sync + Send,
) {
    let (len, work) = (outs[0].len(), N * a.rows * a.count);
    let threads = worth(work).min(PARTS);
    if threads < 2 {
        return run(Products {
            a,
            vs,
            outs,
            first: 0,
            fresh,
        });
    }
    // Whole lines, and whole groups of columns.
    let most = len.div_ceil(threads).next_multiple_of(64);
    let mut parts: SmallVec<[Part<'_, T, N>; PARTS]> = SmallVec::new();
    for first in (0..len).step_by(most) {
        let take = most.min(len - first);
        let mine = outs.each_mut().map(|out| out.split_off_mut(..take));
        parts.push((first, mine.map(|out| out.expect("as many entries"))));
    }
    for_each(&mut parts, work, |(first, outs)| {
        run(Products {
            a,
            vs,
            outs: outs.each_mut().map(|out| &mut **out),
            first: *first,
            fresh,
        });
    });
}

struct Times<'a, T, const N: usize>(Products<'a, T, N>);

impl<T: Real, const N: usize> WithSimd for Times<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut done = 0;
        if self.0.a.count == 0 && self.0.fresh {
            self.0.outs.iter_mut().for_each(|out| out.fill(T::zero()));
        }
        match (many_registers::<S>(), N) {
            (true, _) => {
                if N <= 2 {
                    add_columns::<T, S, N, 8>(simd, &mut self.0, &mut done);
                }
                add_columns::<T, S, N, 4>(simd, &mut self.0, &mut done);
            }
            (false, 1) => add_columns::<T, S, N, 4>(simd, &mut self.0, &mut done),
            (false, 2) => add_columns::<T, S, N, 2>(simd, &mut self.0, &mut done),
            (false, _) => {}
        }
        add_columns::<T, S, N, 1>(simd, &mut self.0, &mut done);
    }
}

/// Adds C columns at once, each times its entry of every vector, and so on as far as that goes.
#[inline(always)]
fn add_columns<T: Real, S: Simd, const N: usize, const C: usize>(
    simd: S,
    of: &mut Products<'_, T, N>,
    done: &mut usize,
) {
    let (a, rows) = (of.a, of.outs[0].len());
    let lines = rows / T::lanes::<S>();
    let rest = Head::<T, S>::new(simd, rows % T::lanes::<S>());
    while *done + C <= a.count {
        let zero = T::fill(simd, T::zero());
        let from_zero = of.fresh && *done == 0;
        // Loops, as the closures of arrays would be calls here.
        let mut columns: [&[T]; C] = [&[]; C];
        let mut heads: [&[T::Register<S>]; C] = [&[]; C];
        let mut w = [[zero; C]; N];
        for c in 0..C {
            columns[c] = &a.column(*done + c)[of.first..];
            heads[c] = &T::registers::<S>(columns[c])[..lines];
            for k in 0..N {
                w[k][c] = T::fill(simd, of.vs[k][*done + c]);
            }
        }
        let outs = of.outs.each_mut();
        let outs = outs.map(|out| &mut T::registers_mut::<S>(out)[..lines]);
        for i in 0..lines {
            let entries: [_; C] = from_fn(|c| T::pack(simd, heads[c][i]));
            for k in 0..N {
                let mut sum = match from_zero {
                    true => zero,
                    false => T::pack(simd, outs[k][i]),
                };
                for c in 0..C {
                    sum = entries[c].mul_add(w[k][c], sum);
                }
                outs[k][i] = T::register(sum);
            }
        }
        let tail = lines * T::lanes::<S>();
        if tail < rows {
            let mut entries = [zero; C];
            for c in 0..C {
                entries[c] = rest.load(&columns[c][tail..]);
            }
            for k in 0..N {
                let out = &mut of.outs[k][tail..];
                let mut sum = match from_zero {
                    true => zero,
                    false => T::load(simd, out),
                };
                for c in 0..C {
                    sum = entries[c].mul_add(w[k][c], sum);
                }
                T::store(sum, out);
            }
        }
        *done += C;
    }
}

struct TrTimes<'a, T, const N: usize>(Products<'a, T, N>);

impl<T: Real, const N: usize> WithSimd for TrTimes<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut done = 0;
        match (many_registers::<S>(), N) {
            (true, _) => {
                if N <= 2 {
                    dot_columns::<T, S, N, 8>(simd, &mut self.0, &mut done);
                }
                dot_columns::<T, S, N, 4>(simd, &mut self.0, &mut done);
            }
            (false, 1) => dot_columns::<T, S, N, 4>(simd, &mut self.0, &mut done),
            (false, 2) => dot_columns::<T, S, N, 2>(simd, &mut self.0, &mut done),
            (false, _) => {}
        }
        dot_columns::<T, S, N, 1>(simd, &mut self.0, &mut done);
    }
}

/// The products of C columns at once with every vector, and so on as far as that goes: from the last column
/// on, as those are still near that [`Times`] read last, and it begins with those that are read last here.
#[inline(always)]
fn dot_columns<T: Real, S: Simd, const N: usize, const C: usize>(
    simd: S,
    of: &mut Products<'_, T, N>,
    done: &mut usize,
) {
    let a = of.a;
    let lines = a.rows / T::lanes::<S>();
    let rest = Head::<T, S>::new(simd, a.rows % T::lanes::<S>());
    let heads = of.vs.map(|v| &T::registers::<S>(v)[..lines]);
    while *done + C <= of.outs[0].len() {
        let at = of.outs[0].len() - *done - C;
        let first = of.first + at;
        let mut columns: [&[T]; C] = [&[]; C];
        let mut entries: [&[T::Register<S>]; C] = [&[]; C];
        for c in 0..C {
            columns[c] = a.column(first + c);
            entries[c] = &T::registers::<S>(columns[c])[..lines];
        }
        let mut sums = [[T::fill(simd, T::zero()); C]; N];
        for i in 0..lines {
            let v: [_; N] = from_fn(|k| T::pack(simd, heads[k][i]));
            for c in 0..C {
                let entry = T::pack(simd, entries[c][i]);
                for k in 0..N {
                    sums[k][c] = entry.mul_add(v[k], sums[k][c]);
                }
            }
        }
        let tail = lines * T::lanes::<S>();
        if tail < a.rows {
            for k in 0..N {
                let v = T::load(simd, &of.vs[k][tail..]);
                for c in 0..C {
                    let entry = rest.load(&columns[c][tail..]);
                    sums[k][c] = entry.mul_add(v, sums[k][c]);
                }
            }
        }
        for k in 0..N {
            for c in 0..C {
                let (out, sum) = (&mut of.outs[k][at + c], T::total(sums[k][c]));
                *out = if of.fresh { sum } else { *out + sum };
            }
        }
        *done += C;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::dot;
    use crate::simd::{Width, limit_width};

    const SIZES: [(usize, usize); 9] = [
        (0, 3),
        (1, 1),
        (3, 0),
        (7, 13),
        (8, 8),
        (129, 31),
        (64, 200),
        (1000, 9),
        (700, 700),
    ];

    fn numbers(n: usize, step: f64) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * step).sin()).collect()
    }

    #[test]
    fn products_of_any_size_are_those_of_the_definition_in_one_pass_or_two() {
        for (rows, count) in SIZES {
            let stride = rows + 3;
            let entries = numbers(stride * count + rows, 0.7);
            let a = Columns {
                entries: &entries,
                rows,
                count,
                stride,
                at: None,
            };
            let at = |i: usize, j: usize| entries[i + j * stride];
            let (v, w) = (numbers(count, 1.3), numbers(count, 0.1));
            let (u, t) = (numbers(rows, 1.1), numbers(rows, 0.2));
            for fresh in [false, true] {
                let start = if fresh { 0.0 } else { 2.0 };
                let old = |n| vec![if fresh { f64::NAN } else { 2.0 }; n];
                let (mut one, mut two, mut three) = (old(rows), old(rows), old(rows));
                times(a, [&v], [&mut one], fresh);
                times(a, [&w, &v], [&mut two, &mut three], fresh);
                assert_eq!(one, three, "{rows}×{count}");
                let row = |i| Vec::from_iter((0..count).map(|j| at(i, j)));
                for i in 0..rows {
                    assert!((one[i] - start - dot(&row(i), &v)).abs() < 1e-12);
                    assert!((two[i] - start - dot(&row(i), &w)).abs() < 1e-12);
                }
                let (mut one, mut two, mut three) = (old(count), old(count), old(count));
                tr_times(a, [&u], [&mut one], fresh);
                tr_times(a, [&t, &u], [&mut two, &mut three], fresh);
                assert_eq!(one, three, "{rows}×{count}");
                let column = |j: usize| &entries[j * stride..][..rows];
                for j in 0..count {
                    assert!((one[j] - start - dot(column(j), &u)).abs() < 1e-12);
                    assert!((two[j] - start - dot(column(j), &t)).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        let (rows, count) = (1000, 900);
        let entries = numbers(rows * count, 0.7);
        let a = Columns {
            entries: &entries,
            rows,
            count,
            stride: rows,
            at: None,
        };
        let (v, u) = (numbers(count, 1.3), numbers(rows, 1.1));
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let (mut out, mut back) = (vec![0.0; rows], vec![0.0; count]);
            pool.build().expect("a pool").install(|| {
                times(a, [&v], [&mut out], true);
                tr_times(a, [&u], [&mut back], true);
            });
            (out, back)
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(3));
    }

    fn bits<T: Real>() -> Vec<u64> {
        let mut found = Vec::new();
        for (rows, count) in SIZES {
            let of = |n, step| Vec::from_iter(numbers(n, step).iter().map(|v| T::of(*v)));
            let entries: Vec<T> = of(rows * count, 0.7);
            let a = Columns {
                entries: &entries,
                rows,
                count,
                stride: rows,
                at: None,
            };
            let (v, u): (Vec<T>, Vec<T>) = (of(count, 1.3), of(rows, 1.1));
            let (mut out, mut back) = (vec![T::zero(); rows], vec![T::zero(); count]);
            times(a, [&v], [&mut out], true);
            tr_times(a, [&u], [&mut back], true);
            found.extend(out.iter().chain(&back).map(|v| v.f64().to_bits()));
        }
        found
    }

    #[test]
    fn nor_on_the_width_of_vectors() {
        let of = |most| {
            limit_width(most);
            (bits::<f64>(), bits::<f32>())
        };
        // Other tests set the width too.
        let widest = limit_width(Width::Wide);
        let narrow = of(Width::Narrow);
        assert_eq!(narrow, of(Width::Scalar));
        assert_eq!(narrow, of(Width::Wide));
        assert_eq!(limit_width(Width::Wide), widest);
    }
}
