//! Sums of parts that ranks have.

use super::{exchange, rank, share, size};
use crate::real::Real;
use crate::rows::{subtrees, sum_of_subtrees, tree_sum};

/// Sums of the parts of a whole, each of which one rank has, as [`tree_sum`] adds
/// them up: the ranks exchange sums of whole subtrees, and each adds up the rest.
#[derive(Debug)]
pub struct SharedSum {
    /// The parts of the whole.
    count: usize,
    /// What each rank sums up, rank after rank.
    subtrees: Vec<std::ops::Range<usize>>,
    /// How many of these each has.
    counts: Vec<usize>,
    rank: usize,
}

impl SharedSum {
    /// Of `count` parts, of which each rank has its [`share`].
    pub fn new(count: usize) -> Self {
        let (rank, size) = (rank(), size());
        let mut all = Vec::new();
        let mut counts = Vec::new();
        for r in 0..size {
            let before = all.len();
            subtrees(count, share(count, r, size), &mut all);
            counts.push(all.len() - before);
        }
        SharedSum {
            count,
            subtrees: all,
            counts,
            rank,
        }
    }

    /// The sums of all ranks: `part(i, k)` is what part i of this rank has in place k, of `lens[k]`
    /// entries.
    pub fn exchange<'a, T: Real>(
        &self,
        lens: &[usize],
        part: impl Fn(usize, usize) -> &'a [T],
    ) -> Vec<T> {
        let len: usize = lens.iter().sum();
        let mut message = vec![T::zero(); self.subtrees.len() * len];
        let first: usize = self.counts[..self.rank].iter().sum();
        let own = first..first + self.counts[self.rank];
        // Parts are counted from this rank's first.
        let start = self.subtrees.get(first).map_or(0, |subtree| subtree.start);
        for (subtree, at) in self.subtrees[own.clone()].iter().zip(own) {
            let mut sums = &mut message[at * len..][..len];
            for (k, len) in lens.iter().enumerate() {
                let (sum, rest) = sums.split_at_mut(*len);
                let of = |i: usize| part(subtree.start - start + i, k);
                tree_sum(subtree.len(), of, sum);
                sums = rest;
            }
        }
        let counts: Vec<usize> = self.counts.iter().map(|n| n * len).collect();
        exchange(&counts, message)
    }

    /// Overwrites `out` with the sum of all parts, from a message of sums of `len` entries: of those
    /// that begin at `first`.
    pub fn sum<T: Real>(&self, message: &[T], len: usize, first: usize, out: &mut [T]) {
        let of = |i: usize| &message[i * len + first..];
        sum_of_subtrees(self.count, &self.subtrees, of, out);
    }
}
