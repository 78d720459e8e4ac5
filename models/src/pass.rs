//! Passes over the samples in fixed blocks, each with a partial sum of its own; the partial sums
//! are added up in a fixed tree. So the bits do not depend on the number of threads.

use std::ops::Range;
use std::slice::from_ref;

use autodiff::rows::{Picked, RowPass, Rule, aligned, alignment, pad, tree_sum};
use autodiff::threads::for_each;
use autodiff::{Operands, Real, SparsePass, SparseRows, index_of};
use smallvec::SmallVec;

use crate::store::Store;

/// At most this many blocks, whatever the machine.
const BLOCKS: usize = 64;
/// Entries of sparse samples in a block for each number of its partial sum, at least.
const DENSE: usize = 4;

/// What a fused loss goes over: the samples of a data set, or those whose indices its last operand
/// holds; with a linear model of some classes. And how they are cut into blocks.
#[derive(Clone, Debug)]
pub(crate) struct Going<T: Real> {
    pub(crate) samples: Store<T>,
    /// The number of samples that it goes over.
    pub(crate) n: usize,
    pub(crate) picks: bool,
}

/// The samples of a block.
#[derive(Clone, Copy)]
pub(crate) enum Chosen<'a, T: Real> {
    Dense(Picked<'a, T>),
    Sparse(SparseRows<'a, T>),
}

impl<T: Real> Chosen<'_, T> {
    fn part(self, first: usize, len: usize) -> Self {
        match self {
            Chosen::Dense(samples) => Chosen::Dense(samples.part(first, len)),
            Chosen::Sparse(samples) => Chosen::Sparse(samples.part(first, len)),
        }
    }
}

/// A pass over the samples of a block, whichever way they are kept.
pub(crate) struct Pass<'a, T: Real, const N: usize> {
    pub(crate) samples: Chosen<'a, T>,
    pub(crate) weights: [&'a [T]; N],
    pub(crate) sums: &'a mut [T],
    pub(crate) scratch: &'a mut [T],
}

impl<T: Real, const N: usize> Pass<'_, T, N> {
    pub(crate) fn run(self, rule: impl Rule<T, N>) {
        let Pass {
            samples,
            weights,
            sums,
            scratch,
        } = self;
        match samples {
            Chosen::Dense(samples) => RowPass {
                samples,
                weights,
                sums,
                scratch,
            }
            .run(rule),
            Chosen::Sparse(samples) => SparsePass {
                samples,
                weights,
                sums,
                scratch,
            }
            .run(rule),
        }
    }
}

/// A block of samples with its share of the buffers.
pub(crate) struct Part<'a, T: Real, const S: usize> {
    /// Index of its first sample.
    pub(crate) first: usize,
    /// Its samples.
    pub(crate) samples: Chosen<'a, T>,
    /// Its share of the per-sample buffers.
    pub(crate) each: [&'a mut [T]; S],
    /// Room for two sums of as many rows as there are classes, and the scratch of a pass.
    pub(crate) own: &'a mut [T],
    /// Its part of the value, for whoever asks.
    pub(crate) value: T,
}

/// The blocks of a pass.
pub(crate) type Parts<'a, T, const S: usize> = SmallVec<[Part<'a, T, S>; BLOCKS]>;

/// The buffers of all passes of a loss.
pub(crate) struct Room<'a, T> {
    /// Weights in whole lines.
    pub(crate) weights: &'a mut [T],
    /// A direction in whole lines.
    pub(crate) direction: &'a mut [T],
    /// What belongs to the blocks.
    pub(crate) own: &'a mut [T],
}

impl<T: Real> Going<T> {
    /// Entries of a sample.
    pub(crate) fn d(&self) -> usize {
        self.samples.width()
    }

    /// The weight of a sample in a mean.
    pub(crate) fn scale(&self) -> T {
        T::of(1.0 / self.n.max(1) as f64)
    }

    /// The indices among the operands.
    pub(crate) fn at<'a>(&self, a: &'a Operands<'_, T>) -> Option<&'a [T]> {
        self.picks.then(|| a.get(a.len() - 1))
    }

    /// The index in the data set of the sample `i`.
    #[inline(always)]
    pub(crate) fn index(at: Option<&[T]>, i: usize) -> usize {
        at.map_or(i, |at| index_of(at[i]))
    }

    /// Entries of the weights of a model of some classes as a pass takes them: class after class in
    /// whole lines, or for sparse samples feature after feature.
    pub(crate) fn padded(&self, classes: usize) -> usize {
        classes
            * match &self.samples {
                Store::Dense(table) => table.padded(),
                Store::Sparse(sparse) => sparse.columns(),
            }
    }

    /// Multiplications of a pass with the weights of some classes.
    pub(crate) fn work(&self, classes: usize) -> usize {
        match &self.samples {
            Store::Dense(_) => 2 * self.n * self.padded(classes),
            // Each is a number of its own, and no part of a vector.
            Store::Sparse(_) => 8 * self.entries() * classes,
        }
    }

    /// Entries of as many sparse samples, on average.
    fn entries(&self) -> usize {
        match &self.samples {
            Store::Dense(_) => self.n * self.d(),
            Store::Sparse(sparse) => {
                let each = sparse.entries() as f64 / sparse.rows().max(1) as f64;
                (each * self.n as f64) as usize
            }
        }
    }

    /// Samples of every block but the last: whole groups of a pass, and so many that the partial sums
    /// are a small part of the work and of the samples' memory.
    fn block(&self, classes: usize) -> usize {
        let least = match &self.samples {
            Store::Dense(_) => self.n.div_ceil(BLOCKS).max(8 * classes),
            // A partial sum has an entry for every feature, however few a sample has.
            Store::Sparse(sparse) => {
                let sums = self.entries() / (DENSE * sparse.columns().max(1));
                self.n.div_ceil(sums.clamp(1, BLOCKS))
            }
        };
        least.next_multiple_of(64).max(64)
    }

    /// Entries that belong to a block.
    fn share(&self, classes: usize) -> usize {
        let scratch = match &self.samples {
            Store::Dense(table) => RowPass::<T, 2>::scratch_len(table, classes),
            Store::Sparse(_) => SparsePass::<T, 2>::scratch_len(classes),
        };
        2 * self.padded(classes) + scratch
    }

    /// Entries of [`room`](Going::room).
    pub(crate) fn room_len(&self, classes: usize) -> usize {
        let blocks = self.n.div_ceil(self.block(classes)).max(1);
        alignment::<T>() + 2 * self.padded(classes) + blocks * self.share(classes)
    }

    /// Cuts what is left of a scratch.
    pub(crate) fn room<'a>(&self, scratch: &'a mut [T], classes: usize) -> Room<'a, T> {
        let (weights, rest) = aligned(scratch).split_at_mut(self.padded(classes));
        let (direction, own) = rest.split_at_mut(self.padded(classes));
        Room {
            weights,
            direction,
            own,
        }
    }

    /// Cuts samples and buffers into blocks. `each[k]` holds `widths[k]` entries per sample.
    pub(crate) fn parts<'a, const S: usize>(
        &'a self,
        at: Option<&'a [T]>,
        classes: usize,
        mut each: [&'a mut [T]; S],
        widths: [usize; S],
        own: &'a mut [T],
    ) -> Parts<'a, T, S> {
        let block = self.block(classes);
        let samples = match &self.samples {
            Store::Dense(table) => Chosen::Dense(Picked::of(table, at)),
            Store::Sparse(sparse) => Chosen::Sparse(SparseRows::of(sparse, at)),
        };
        let mut own = own.chunks_exact_mut(self.share(classes));
        let mut parts = SmallVec::new();
        for first in (0..self.n).step_by(block) {
            let len = block.min(self.n - first);
            let share = std::array::from_fn(|k| {
                let (mine, rest) = std::mem::take(&mut each[k]).split_at_mut(len * widths[k]);
                each[k] = rest;
                mine
            });
            parts.push(Part {
                first,
                samples: samples.part(first, len),
                each: share,
                own: own.next().expect("a share for each block"),
                value: T::zero(),
            });
        }
        parts
    }

    /// Weights as a pass takes them.
    pub(crate) fn pad(&self, weights: &[T], padded: &mut [T]) {
        match &self.samples {
            Store::Dense(_) => pad(weights, self.d(), padded),
            Store::Sparse(_) => {
                let (d, classes) = (self.d(), weights.len() / self.d());
                for (j, padded) in padded.chunks_exact_mut(classes).enumerate() {
                    for (c, padded) in padded.iter_mut().enumerate() {
                        *padded = weights[c * d + j];
                    }
                }
            }
        }
    }

    /// Overwrites `out`, class after class, with the sum of what stands at `place` in each block's
    /// own in whole lines.
    pub(crate) fn gather<const S: usize>(
        &self,
        parts: &Parts<'_, T, S>,
        place: Range<usize>,
        out: &mut [T],
    ) {
        let Store::Dense(table) = &self.samples else {
            return self.gather_features(parts, place, out);
        };
        let (d, padded) = (self.d(), table.padded());
        let height = (out.len() / d).div_ceil(BLOCKS).max(1);
        let mut rows: SmallVec<[_; BLOCKS]> = out.chunks_mut(height * d).enumerate().collect();
        // Adding is reading: as much work as some multiplications.
        for_each(&mut rows, 4 * parts.len() * place.len(), |(k, out)| {
            for (row, out) in out.chunks_exact_mut(d).enumerate() {
                let first = place.start + (*k * height + row) * padded;
                tree_sum(parts.len(), |b| &parts[b].own[first..], out);
            }
        });
    }

    /// [`gather`](Going::gather) of what stands feature after feature.
    fn gather_features<const S: usize>(
        &self,
        parts: &Parts<'_, T, S>,
        place: Range<usize>,
        out: &mut [T],
    ) {
        let (d, classes) = (self.d(), out.len() / self.d());
        if classes == 1 {
            return tree_sum(parts.len(), |b| &parts[b].own[place.clone()], out);
        }
        let mut sums = SmallVec::<[T; 64]>::from_elem(T::zero(), classes.min(64));
        for j in 0..d {
            for first in (0..classes).step_by(sums.len()) {
                let some = &mut sums[..(classes - first).min(64)];
                let at = place.start + j * classes + first;
                tree_sum(parts.len(), |b| &parts[b].own[at..], some);
                for (c, sum) in some.iter().enumerate() {
                    out[(first + c) * d + j] = *sum;
                }
            }
        }
    }

    /// The sum of the blocks' values.
    pub(crate) fn value<const S: usize>(parts: &Parts<'_, T, S>) -> T {
        let mut value = T::zero();
        tree_sum(
            parts.len(),
            |b| from_ref(&parts[b].value),
            std::slice::from_mut(&mut value),
        );
        value
    }
}
