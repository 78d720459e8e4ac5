//! Sums of the parts of a whole, as a tree of pairs.

use pulp::{Simd, WithSimd};

use crate::real::Real;
use crate::simd::dispatch;

/// Entries that go through the tree together.
const STRIP: usize = 64;
/// Levels of the tree: it has fewer than 2 to this power of parts.
const LEVELS: usize = 8;

/// Overwrites `out` with the sum of `count` parts: of pairs of neighbours, then of pairs of these, and
/// so on. The order depends on the count alone, and who has all parts of a subtree can add them up
/// apart.
///
/// # Panics
/// If there are 256 parts or more, or one is shorter than `out`.
pub fn tree_sum<'a, T: Real>(count: usize, part: impl Fn(usize) -> &'a [T], out: &mut [T]) {
    assert!(count < 1 << LEVELS, "{count} parts of a sum");
    dispatch(Tree { count, part, out });
}

struct Tree<'o, F, T> {
    count: usize,
    part: F,
    out: &'o mut [T],
}

impl<'a, T: Real, F: Fn(usize) -> &'a [T]> WithSimd for Tree<'_, F, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (count, part) = (self.count, self.part);
        // Sums of 2, 4, 8, … parts that wait for their neighbour.
        let mut waiting = [[T::zero(); STRIP]; LEVELS];
        for (at, out) in self.out.chunks_mut(STRIP).enumerate() {
            let strip = |i: usize| &part(i)[at * STRIP..][..out.len()];
            let mut depth = 0;
            for pair in 0..count.div_ceil(2) {
                let sum = &mut waiting[depth][..out.len()];
                sum.copy_from_slice(strip(2 * pair));
                if 2 * pair + 1 < count {
                    add(sum, strip(2 * pair + 1));
                }
                depth += 1;
                let mut done = pair + 1;
                while done.is_multiple_of(2) {
                    merge(&mut waiting, &mut depth);
                    done /= 2;
                }
            }
            while depth > 1 {
                merge(&mut waiting, &mut depth);
            }
            if depth == 0 {
                out.fill(T::zero());
            } else {
                out.copy_from_slice(&waiting[0][..out.len()]);
            }
        }
    }
}

#[inline(always)]
fn add<T: Real>(sum: &mut [T], other: &[T]) {
    for (s, v) in sum.iter_mut().zip(other) {
        *s += *v;
    }
}

/// Adds the last sum to the one before.
#[inline(always)]
fn merge<T: Real>(waiting: &mut [[T; STRIP]; LEVELS], depth: &mut usize) {
    let (before, last) = waiting.split_at_mut(*depth - 1);
    add(&mut before[*depth - 2], &last[0]);
    *depth -= 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, by halves at the largest power of two.
    fn of(parts: &[f64]) -> f64 {
        match parts {
            [] => 0.0,
            [one] => *one,
            _ => {
                let half = parts.len().next_power_of_two() / 2;
                of(&parts[..half]) + of(&parts[half..])
            }
        }
    }

    #[test]
    fn sums_are_those_of_pairs_of_pairs() {
        for count in 0..70 {
            let part = |i: usize| Vec::from_iter((0..131).map(|j| ((3 * i + 7 * j) as f64).sin()));
            let parts = Vec::from_iter((0..count).map(part));
            let mut out = vec![f64::NAN; 131];
            tree_sum(count, |i| &parts[i][..], &mut out);
            for (j, sum) in out.iter().enumerate() {
                assert_eq!(
                    *sum,
                    of(&Vec::from_iter(parts.iter().map(|p| p[j]))),
                    "{count}"
                );
            }
        }
    }
}
