//! Sums of the parts of a whole, as a tree of pairs.

use std::ops::Range;

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
    if count == 1 {
        return out.copy_from_slice(&part(0)[..out.len()]);
    }
    dispatch(Tree { count, part, out });
}

/// Appends the largest whole subtrees of a tree of `count` parts that these of them make up, in their
/// order.
pub(crate) fn subtrees(count: usize, parts: Range<usize>, to: &mut Vec<Range<usize>>) {
    let mut first = parts.start;
    while first < parts.end {
        let end = |width: usize| count.min(first + width);
        let whole = |width: &usize| first.is_multiple_of(*width) && end(*width) <= parts.end;
        let widths = (0..=LEVELS).map(|level| 1 << level).take_while(whole);
        let width = widths.last().expect("a part is a subtree");
        to.push(first..end(width));
        first = end(width);
    }
}

/// Overwrites `out` with what [`tree_sum`] gives for all parts, from the sums of subtrees which are all
/// of them in their order.
pub(crate) fn sum_of_subtrees<'a, T: Real>(
    count: usize,
    subtrees: &[Range<usize>],
    sum: impl Fn(usize) -> &'a [T],
    out: &mut [T],
) {
    for (at, out) in out.chunks_mut(STRIP).enumerate() {
        let strip = |i: usize| &sum(i)[at * STRIP..][..out.len()];
        let mut whole = [T::zero(); STRIP];
        if count > 0 {
            let mut next = 0;
            let width = count.next_power_of_two();
            whole = node(count, 0..width, subtrees, &mut next, &strip);
        }
        out.copy_from_slice(&whole[..out.len()]);
    }
}

/// The sum of the parts `at` of a tree, of those that there are.
fn node<'a, T: Real>(
    count: usize,
    at: Range<usize>,
    subtrees: &[Range<usize>],
    next: &mut usize,
    sum: &impl Fn(usize) -> &'a [T],
) -> [T; STRIP] {
    if subtrees[*next] == (at.start..at.end.min(count)) {
        let mut all = [T::zero(); STRIP];
        let own = sum(*next);
        all[..own.len()].copy_from_slice(own);
        *next += 1;
        return all;
    }
    let middle = at.start + at.len() / 2;
    let mut left = node(count, at.start..middle, subtrees, next, sum);
    if middle < count {
        let right = node(count, middle..at.end, subtrees, next, sum);
        add(&mut left, &right);
    }
    left
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

    #[test]
    fn whoever_sums_up_subtrees_the_sum_is_the_same_to_the_bit() {
        for count in 0..70 {
            let part = |i: usize| Vec::from_iter((0..70).map(|j| ((3 * i + 7 * j) as f64).sin()));
            let parts = Vec::from_iter((0..count).map(part));
            let mut want = vec![f64::NAN; 70];
            tree_sum(count, |i| &parts[i][..], &mut want);
            for size in [1, 2, 3, 4, 7, 16, 64, 100] {
                let mut all = Vec::new();
                for rank in 0..size {
                    let before = all.len();
                    subtrees(count, crate::ranks::share(count, rank, size), &mut all);
                    // As many as the digits that its two ends differ in, at most.
                    assert!(all.len() - before <= 12);
                }
                let sums = Vec::from_iter(all.iter().map(|at| {
                    let mut sum = vec![f64::NAN; 70];
                    tree_sum(at.len(), |i| &parts[at.start + i][..], &mut sum);
                    sum
                }));
                let mut got = vec![f64::NAN; 70];
                sum_of_subtrees(count, &all, |i| &sums[i][..], &mut got);
                assert_eq!(got, want, "{count} parts, {size} ranks");
            }
        }
    }
}
