//! Passes over the samples in fixed blocks, each with a partial sum of its own; the partial sums
//! are added up in a fixed tree. So the bits do not depend on the number of threads, nor on that of
//! the ranks, each of which goes over its share of the blocks of a whole data set.

mod summed;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use autodiff::ranks;
use autodiff::rows::{Picked, RowPass, Rule, aligned, alignment, pad};
use autodiff::threads::for_each;
use autodiff::{Operands, Places, Real, SparseColumns, SparsePass, SparseRows};
use smallvec::SmallVec;

use crate::store::Store;

/// At most this many blocks, whatever the machine.
const BLOCKS: usize = 64;
/// At most so many directions go in one pass: each block of samples has a partial sum for every one.
const DIRECTIONS: usize = 8;
/// Entries of sparse samples in a block for each number of its partial sum, at least.
const DENSE: usize = 4;
/// Bytes of sums beyond which they are not near: sums over columns are then faster than adding rows.
const NEAR: usize = 32 << 10;

/// Sparse samples column by column, a block after the other.
pub(crate) type Columns<T> = Arc<[SparseColumns<T>]>;

/// What a fused loss goes over: the samples of a data set, or those whose indices its last operand
/// holds; with a linear model of some classes. And how they are cut into blocks.
#[derive(Clone, Debug)]
pub(crate) struct Going<T: Real> {
    pub(crate) samples: Store<T>,
    /// The number of samples that it goes over.
    pub(crate) n: usize,
    pub(crate) picks: bool,
    /// Which sample is the first that is held, where each rank holds its own alone.
    pub(crate) apart: Option<usize>,
    /// The samples of each block column by column, for passes of one class, where that is faster.
    pub(crate) columns: Option<Columns<T>>,
    /// Whether the next pass begins with the last block: see [`each_block`](Going::each_block).
    pub(crate) back: Arc<AtomicBool>,
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
    /// Room for the sums of as many rows as a pass may have, and its scratch.
    pub(crate) own: &'a mut [T],
    /// Its part of the value, for whoever asks.
    pub(crate) value: T,
}

/// The blocks of a pass.
pub(crate) type Parts<'a, T, const S: usize> = SmallVec<[Part<'a, T, S>; BLOCKS]>;

/// The buffers of all passes of a loss.
pub(crate) struct Room<'a, T> {
    /// Weights and directions in whole lines.
    pub(crate) rows: &'a mut [T],
    /// What belongs to the blocks.
    pub(crate) own: &'a mut [T],
}

fn whole_groups(samples: usize) -> usize {
    samples.next_multiple_of(64).max(64)
}

/// Samples of every block but the last of so many dense ones.
fn dense_block(n: usize, classes: usize) -> usize {
    whole_groups(n.div_ceil(BLOCKS).max(8 * classes))
}

/// Which of n dense samples this rank goes over.
pub(crate) fn dense_share(n: usize, classes: usize) -> Range<usize> {
    let block = dense_block(n, classes);
    let blocks = ranks::share(n.div_ceil(block), ranks::rank(), ranks::size());
    n.min(blocks.start * block)..n.min(blocks.end * block)
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

    /// Where the samples stand in the data set, by the indices among the operands.
    pub(crate) fn at<'a>(&self, a: &'a Operands<'_, T>) -> Places<'a, T> {
        Places::of(self.picks.then(|| a.get(a.len() - 1)))
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
            Store::Dense(_) => return dense_block(self.n, classes),
            // A partial sum has an entry for every feature, however few a sample has.
            Store::Sparse(sparse) => {
                let sums = self.entries() / (DENSE * sparse.columns().max(1));
                self.n.div_ceil(sums.clamp(1, BLOCKS))
            }
        };
        whole_groups(least)
    }

    /// Entries that belong to a block, in passes of so many rows of weights and directions.
    fn share(&self, rows: usize) -> usize {
        let scratch = match &self.samples {
            Store::Sparse(_) if self.columns.is_some() => {
                SparsePass::<T, 2>::scratch_len_by_columns(self.block(1))
            }
            // A batch has few blocks, so room for larger groups is little.
            Store::Dense(table) if self.picks => RowPass::<T, 1>::roomy_scratch_len(table, rows),
            Store::Dense(table) => RowPass::<T, 1>::scratch_len(table, rows),
            // Half of them are weights, half a direction.
            Store::Sparse(_) => SparsePass::<T, 2>::scratch_len(rows / 2),
        };
        self.padded(rows) + scratch
    }

    /// The number of blocks.
    fn blocks(&self, classes: usize) -> usize {
        self.n.div_ceil(self.block(classes))
    }

    /// The samples of each block column by column, where sums are faster so: where those of all features
    /// are not near, and there are fewer samples in a block.
    pub(crate) fn by_columns(&self) -> Option<Columns<T>> {
        let Store::Sparse(sparse) = &self.samples else {
            return None;
        };
        let (block, d) = (self.block(1), self.d());
        let suits = !self.picks && self.apart.is_none() && self.n > 0;
        let faster = d * size_of::<T>() > NEAR && block < d;
        (suits && faster).then(|| {
            let firsts = (0..self.n).step_by(block);
            let of = |first| SparseColumns::of(sparse, first..self.n.min(first + block));
            firsts.map(of).collect()
        })
    }

    /// Whether ranks share the blocks out: not those of a batch, whose work is less than a message.
    fn is_shared(&self) -> bool {
        !self.picks && ranks::size() > 1
    }

    /// Whether this rank holds all samples.
    pub(crate) fn holds_all(&self) -> bool {
        self.apart.is_none()
    }

    /// Which sample is the first that is held.
    pub(crate) fn first(&self) -> usize {
        self.apart.unwrap_or(0)
    }

    /// The blocks of a rank.
    fn blocks_of(&self, rank: usize, classes: usize) -> Range<usize> {
        ranks::share(self.blocks(classes), rank, ranks::size())
    }

    /// The blocks that this rank goes over.
    fn mine(&self, classes: usize) -> Range<usize> {
        match self.is_shared() {
            true => self.blocks_of(ranks::rank(), classes),
            false => 0..self.blocks(classes),
        }
    }

    /// The samples of some blocks.
    fn samples_of(&self, blocks: Range<usize>, classes: usize) -> Range<usize> {
        let first = |block: usize| self.n.min(block * self.block(classes));
        first(blocks.start)..first(blocks.end)
    }

    /// Entries of [`room`](Going::room), where samples have some classes.
    pub(crate) fn room_len(&self, classes: usize, rows: usize) -> usize {
        let blocks = self.blocks(classes).max(1);
        alignment::<T>() + self.padded(rows) + blocks * self.share(rows)
    }

    /// Cuts what is left of a scratch for passes of so many rows of weights and directions.
    pub(crate) fn room<'a>(&self, scratch: &'a mut [T], rows: usize) -> Room<'a, T> {
        let (rows, own) = aligned(scratch).split_at_mut(self.padded(rows));
        Room { rows, own }
    }

    /// At most so many of a block of directions go in one pass over the samples. Sparse ones are summed in
    /// another order beside others.
    pub(crate) fn directions_in_pass(&self, width: usize) -> usize {
        let most = match &self.samples {
            Store::Dense(_) => DIRECTIONS,
            Store::Sparse(_) => 1,
        };
        most.min(width)
    }

    /// Cuts this rank's samples and buffers into blocks, which are appended to `parts`: these are many
    /// bytes to hand back. `each[k]` holds `widths[k]` entries per sample, of all samples. A pass has as
    /// many rows of weights and directions as `own` was cut for.
    pub(crate) fn cut<'a, const S: usize>(
        &'a self,
        at: Places<'a, T>,
        (classes, rows): (usize, usize),
        mut each: [&'a mut [T]; S],
        widths: [usize; S],
        own: &'a mut [T],
        parts: &mut Parts<'a, T, S>,
    ) {
        let block = self.block(classes);
        let len = if self.picks {
            self.n
        } else {
            self.samples.len()
        };
        let samples = match &self.samples {
            Store::Dense(table) => Chosen::Dense(Picked::of(table, at, len)),
            Store::Sparse(sparse) => Chosen::Sparse(SparseRows::of(sparse, at, len)),
        };
        let mut own = own.chunks_exact_mut(self.share(rows));
        let mine = self.samples_of(self.mine(classes), classes);
        let held = self.first()..self.first() + len;
        assert!(
            held.start <= mine.start && mine.end <= held.end,
            "the samples {mine:?} of a pass: this rank holds {held:?}"
        );
        for (each, width) in each.iter_mut().zip(widths) {
            *each = &mut std::mem::take(each)[mine.start * width..];
        }
        for first in mine.clone().step_by(block) {
            let len = block.min(mine.end - first);
            let share = std::array::from_fn(|k| {
                let (mine, rest) = std::mem::take(&mut each[k]).split_at_mut(len * widths[k]);
                each[k] = rest;
                mine
            });
            parts.push(Part {
                first,
                samples: match (samples.part(first - self.first(), len), &self.columns) {
                    (Chosen::Sparse(rows), Some(columns)) => {
                        Chosen::Sparse(rows.by_columns(&columns[first / block]))
                    }
                    (samples, _) => samples,
                },
                each: share,
                own: own.next().expect("a share for each block"),
                value: T::zero(),
            });
        }
    }

    /// Does `f` for every block, to and fro: a pass begins with the blocks that the one before ended with,
    /// as those are still in a cache. No sum depends on it.
    pub(crate) fn each_block<'a, const S: usize>(
        &self,
        parts: &mut Parts<'a, T, S>,
        work: usize,
        f: impl Fn(&mut Part<'a, T, S>) + Sync + Send,
    ) {
        let mut order: SmallVec<[_; BLOCKS]> = parts.iter_mut().collect();
        if self.back.fetch_xor(true, Relaxed) {
            order.reverse();
        }
        for_each(&mut order, work, |part| f(part));
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
}
