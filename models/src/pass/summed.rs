//! The sums over the blocks of a pass: the tree of them, and what ranks exchange.

use std::ops::Range;
use std::slice::from_ref;

use autodiff::Real;
use autodiff::ranks::{self, SharedSum};
use autodiff::rows::tree_sum;
use autodiff::threads::for_each;
use smallvec::SmallVec;

use super::{BLOCKS, Going, Parts};
use crate::store::Store;

/// The sums of all blocks, as far as they are known: of this rank's, or those that all have exchanged.
pub(crate) struct Summed<T> {
    /// A message has the lengths of the data alone, and is no part of the scratch: a run that is saved
    /// goes on with another number of ranks.
    exchanged: Option<(SharedSum, Vec<T>)>,
    /// What was exchanged of each block's own, and the entries of a message for each subtree.
    from: usize,
    len: usize,
}

impl<T: Real> Going<T> {
    /// Has the ranks exchange the sums over their blocks: of what stands at `place` in each block's own,
    /// and of the values. It is one message, and none where blocks are not shared out.
    pub(crate) fn exchange<const S: usize>(
        &self,
        parts: &Parts<'_, T, S>,
        classes: usize,
        place: Range<usize>,
    ) -> Summed<T> {
        let (from, lens) = (place.start, [place.len(), 1]);
        let exchanged = self.is_shared().then(|| {
            let sum = SharedSum::new(self.blocks(classes));
            let of = |i: usize, k: usize| match k {
                0 => &parts[i].own[place.clone()],
                _ => from_ref(&parts[i].value),
            };
            let message = sum.exchange(&lens, of);
            (sum, message)
        });
        Summed {
            exchanged,
            from,
            len: lens[0] + lens[1],
        }
    }

    /// Completes numbers of all samples, of which each rank has those of its own.
    pub(crate) fn exchange_samples(&self, classes: usize, all: &mut [T]) {
        if !self.is_shared() {
            return;
        }
        let of = |rank| {
            self.samples_of(self.blocks_of(rank, classes), classes)
                .len()
        };
        let counts: Vec<usize> = (0..ranks::size()).map(of).collect();
        ranks::gather(&counts, all);
    }

    /// Overwrites `out` with the sum over all blocks of what stands at `first` in each one's own.
    fn sum<const S: usize>(
        parts: &Parts<'_, T, S>,
        summed: &Summed<T>,
        first: usize,
        out: &mut [T],
    ) {
        match &summed.exchanged {
            None => tree_sum(parts.len(), |b| &parts[b].own[first..], out),
            Some((sum, message)) => sum.sum(message, summed.len, first - summed.from, out),
        }
    }

    /// Overwrites `out`, class after class, with the sum of what stands at `place` in each block's
    /// own in whole lines.
    pub(crate) fn gather<const S: usize>(
        &self,
        parts: &Parts<'_, T, S>,
        summed: &Summed<T>,
        place: Range<usize>,
        out: &mut [T],
    ) {
        let Store::Dense(table) = &self.samples else {
            return self.gather_features(parts, summed, place, out);
        };
        let (d, padded) = (self.d(), table.padded());
        if out.len() == d {
            return Self::sum(parts, summed, place.start, out);
        }
        let height = (out.len() / d).div_ceil(BLOCKS).max(1);
        let mut rows: SmallVec<[_; BLOCKS]> = out.chunks_mut(height * d).enumerate().collect();
        // Adding is reading: as much work as some multiplications.
        for_each(&mut rows, 4 * parts.len() * place.len(), |(k, out)| {
            for (row, out) in out.chunks_exact_mut(d).enumerate() {
                let first = place.start + (*k * height + row) * padded;
                Self::sum(parts, summed, first, out);
            }
        });
    }

    /// [`gather`](Going::gather) of what stands feature after feature.
    fn gather_features<const S: usize>(
        &self,
        parts: &Parts<'_, T, S>,
        summed: &Summed<T>,
        place: Range<usize>,
        out: &mut [T],
    ) {
        let (d, classes) = (self.d(), out.len() / self.d());
        if classes == 1 {
            return Self::sum(parts, summed, place.start, out);
        }
        let mut sums = SmallVec::<[T; 64]>::from_elem(T::zero(), classes.min(64));
        for j in 0..d {
            for first in (0..classes).step_by(sums.len()) {
                let some = &mut sums[..(classes - first).min(64)];
                let at = place.start + j * classes + first;
                Self::sum(parts, summed, at, some);
                for (c, sum) in some.iter().enumerate() {
                    out[(first + c) * d + j] = *sum;
                }
            }
        }
    }

    /// The sum of the blocks' values.
    pub(crate) fn value<const S: usize>(parts: &Parts<'_, T, S>, summed: &Summed<T>) -> T {
        let mut value = [T::zero()];
        match &summed.exchanged {
            None => tree_sum(parts.len(), |b| from_ref(&parts[b].value), &mut value),
            Some((sum, message)) => sum.sum(message, summed.len, summed.len - 1, &mut value),
        }
        value[0]
    }
}
