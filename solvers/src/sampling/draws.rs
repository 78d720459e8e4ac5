//! A reproducible stream of batches.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Ledger;

/// How the samples of a batch are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawRule {
    /// Each sample uniform among all, independent of the others.
    WithReplacement,
    /// All samples in random order, cut into batches, then again in another order. The last batch
    /// of an epoch holds what is left: it is shorter where the batch does not divide the number of
    /// samples.
    Epochs,
    /// All samples cut into batches as they stand, which come in random order, then again in another
    /// order. Where the batch does not divide their number the one of the last samples is shorter, and
    /// passed over in most epochs: as a mean over fewer samples it would give them more weight, in every
    /// epoch the same ones. Drawn in the part r / batch of all epochs, with r samples of its own, it gives
    /// each sample the weight of any other.
    ///
    /// Neighbours are read one after the other, so a batch of data that is larger than the caches
    /// takes half the time or less. They are the same in every epoch: samples that are sorted have to be
    /// shuffled before.
    Blocks,
}

/// Batches of sample indices, a function of the seed, the stream and the number of samples drawn.
///
/// The generator is ChaCha with 8 rounds, seeded by `seed_from_u64(seed)`, on the stream of this
/// number. A word w of 64 bits gives the index ⌊n·w / 2⁶⁴⌋ below n. With replacement, sample k of
/// all that are drawn comes of the k-th such word. In epoch e, words from e·n on order the samples, or
/// the blocks, by Fisher and Yates, from the last place down; the next one says whether a shorter block
/// is drawn. So a run is repeated from `seed` and
/// `stream`, and resumed by [`skip_to`](Draws::skip_to) with the count [`drawn`](Draws::drawn):
/// three numbers.
///
/// # Example
/// ```
/// use solvers::sampling::{DrawRule, Draws};
///
/// let draws = || Draws::new(DrawRule::Epochs, 5, 2, 7, Draws::LOWER);
/// let mut first = draws();
/// let mut epoch: Vec<usize> = (0..3).flat_map(|_| first.next_batch().to_vec()).collect();
/// epoch.sort();
/// assert_eq!(epoch, [0, 1, 2, 3, 4]);
///
/// let mut resumed = draws();
/// resumed.skip_to(first.drawn());
/// assert_eq!(resumed.next_batch(), first.next_batch());
/// ```
#[derive(Clone, Debug)]
pub struct Draws {
    rule: DrawRule,
    samples: usize,
    batch: usize,
    rng: ChaCha8Rng,
    drawn: u64,
    /// The samples, or the blocks, in the order of this epoch.
    order: Vec<usize>,
    /// Room to put samples in order that are drawn with replacement.
    sorted: Sorted,
    /// The batches of an epoch, if they are put in order together.
    batches: Option<Batches>,
    /// The place of the next block in it.
    next: usize,
    /// Whether this epoch has a block that is shorter than the others.
    rest: bool,
    /// The last batch, ascending.
    last: Vec<usize>,
}

impl Draws {
    /// The stream of the upper level.
    pub const UPPER: u64 = 0;
    /// The stream of the lower level.
    pub const LOWER: u64 = 1;
    /// The stream of choices that are no samples.
    pub const CHOICES: u64 = 2;

    /// Batches of `batch` of `samples` samples.
    ///
    /// # Panics
    /// If `batch` is 0 or above `samples`.
    #[track_caller]
    pub fn new(rule: DrawRule, samples: usize, batch: usize, seed: u64, stream: u64) -> Self {
        assert!(
            (1..=samples).contains(&batch),
            "a batch of {batch} of {samples} samples: expected 1 to {samples}"
        );
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        let order = match rule {
            DrawRule::WithReplacement => Vec::new(),
            DrawRule::Epochs => vec![0; samples],
            DrawRule::Blocks => vec![0; samples.div_ceil(batch)],
        };
        let of_epochs = rule == DrawRule::Epochs && batch > 1;
        Draws {
            rule,
            samples,
            batch,
            rng,
            drawn: 0,
            order,
            sorted: Sorted::new(if rule == DrawRule::WithReplacement {
                batch
            } else {
                0
            }),
            batches: of_epochs.then(|| Batches::new(samples, batch)).flatten(),
            next: 0,
            rest: true,
            last: Vec::with_capacity(batch),
        }
    }

    /// Draws the next batch, in ascending order.
    pub fn next_batch(&mut self) -> &[usize] {
        self.last.clear();
        match self.rule {
            DrawRule::WithReplacement => {
                let (rng, batch) = (&mut self.rng, self.batch);
                let words = std::iter::repeat_with(|| rng.next_u64()).take(batch);
                self.sorted.extend(words, self.samples, &mut self.last);
            }
            DrawRule::Epochs => {
                let place = self.place();
                if place == 0 {
                    self.shuffle();
                }
                let end = (place + self.batch).min(self.samples);
                self.last.extend_from_slice(&self.order[place..end]);
                if !self.are_ordered() {
                    self.last.sort_unstable();
                }
            }
            DrawRule::Blocks => loop {
                if self.place() == 0 {
                    self.shuffle();
                    self.next = 0;
                }
                let block = self.block(self.next);
                self.next += 1;
                if self.rest || block.len() == self.batch {
                    self.last.extend(block);
                    break;
                }
                self.drawn += block.len() as u64;
            },
        }
        self.drawn += self.last.len() as u64;
        &self.last
    }

    /// The last batch, ascending; empty before the first.
    pub fn last_batch(&self) -> &[usize] {
        &self.last
    }

    /// The number of samples drawn so far, those that were passed over among them.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Goes to where `drawn` samples are drawn, the last batch forgotten.
    pub fn skip_to(&mut self, drawn: u64) {
        self.drawn = drawn;
        self.last.clear();
        match self.rule {
            DrawRule::WithReplacement => self.rng.set_word_pos(2 * u128::from(drawn)),
            DrawRule::Epochs => self.shuffle(),
            DrawRule::Blocks => {
                self.shuffle();
                let (mut passed, place) = (0, self.place());
                self.next = 0;
                while passed < place {
                    passed += self.block(self.next).len();
                    self.next += 1;
                }
            }
        }
    }

    /// Samples of this epoch that were drawn.
    fn place(&self) -> usize {
        (self.drawn % self.samples as u64) as usize
    }

    /// The samples of the block at this place of the order.
    fn block(&self, at: usize) -> Range<usize> {
        self.unit(self.order[at])
    }

    /// Samples that are always drawn together: those of a block, else one.
    pub(crate) fn unit_len(&self) -> usize {
        match self.rule {
            DrawRule::WithReplacement | DrawRule::Epochs => 1,
            DrawRule::Blocks => self.batch,
        }
    }

    /// The samples that are drawn together with this number.
    pub(crate) fn unit(&self, number: usize) -> Range<usize> {
        let first = number * self.unit_len();
        first..(first + self.unit_len()).min(self.samples)
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    pub(crate) fn visit(&mut self, ledger: &mut Ledger) {
        let mut drawn = self.drawn;
        let mut last = self.last.clone();
        ledger.word("samples drawn", &mut drawn);
        ledger.list("the last batch", &mut last);
        if let Some(beyond) = last.iter().find(|sample| **sample >= self.samples) {
            ledger.refuse(
                "a sample",
                *beyond as u64,
                format!("less than {}", self.samples),
            );
        }
        if ledger.is_restoring() && ledger.fits() {
            self.skip_to(drawn);
            self.last.extend(last);
        }
    }

    /// Samples in a batch.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }

    /// Bytes of the index vectors.
    pub(crate) fn bytes(&self) -> usize {
        let batches = self.batches.as_ref().map_or(0, Batches::bytes);
        (self.order.len() + self.batch) * size_of::<usize>() + batches + self.sorted.bytes()
    }

    /// Whether each batch of this epoch is ascending already: they are cut where they begin, unless the
    /// draws went to a place between two.
    fn are_ordered(&self) -> bool {
        self.batches.is_some() && self.place().is_multiple_of(self.batch)
    }

    /// Orders the samples, or the blocks, of the epoch that `drawn` is in.
    fn shuffle(&mut self) {
        let n = self.samples as u64;
        let epoch = self.drawn / n;
        self.rng.set_word_pos(2 * u128::from(epoch) * u128::from(n));
        self.order.iter_mut().enumerate().for_each(|(i, o)| *o = i);
        for i in (1..self.order.len()).rev() {
            let j = below(&mut self.rng, i + 1);
            self.order.swap(i, j);
        }
        if self.are_ordered()
            && let Some(batches) = &mut self.batches
        {
            batches.order(&mut self.order, self.batch);
        }
        if self.rule == DrawRule::Blocks {
            self.rest = below(&mut self.rng, self.batch) < self.samples % self.batch;
        }
    }
}

/// Puts each batch of an epoch in ascending order, in one pass over all samples.
#[derive(Clone, Debug)]
struct Batches {
    /// Which batch a sample is in.
    of: Vec<u32>,
    /// The place of a batch's next sample.
    next: Vec<usize>,
}

impl Batches {
    /// `None` where there are too many to be counted.
    fn new(samples: usize, batch: usize) -> Option<Self> {
        let count = samples.div_ceil(batch);
        u32::try_from(count).ok().map(|_| Batches {
            of: vec![0; samples],
            next: vec![0; count],
        })
    }

    fn order(&mut self, order: &mut [usize], batch: usize) {
        for (number, samples) in order.chunks(batch).enumerate() {
            self.next[number] = number * batch;
            for sample in samples {
                self.of[*sample] = number as u32;
            }
        }
        for (sample, number) in self.of.iter().enumerate() {
            let next = &mut self.next[*number as usize];
            order[*next] = sample;
            *next += 1;
        }
    }

    fn bytes(&self) -> usize {
        self.of.len() * size_of::<u32>() + self.next.len() * size_of::<usize>()
    }
}

/// Parts of all words for each that is drawn: with fewer more are out of their place, with more there is more
/// to count.
const PARTS: usize = 2;

/// Puts a batch of independent samples in ascending order: uniform words are spread out to where they are
/// expected, which leaves few that are not in their place.
#[derive(Clone, Debug)]
struct Sorted {
    words: Vec<u64>,
    /// The place of the next word of a part of all words, and of those behind.
    next: Vec<usize>,
}

impl Sorted {
    fn new(batch: usize) -> Self {
        Sorted {
            words: Vec::with_capacity(batch),
            next: vec![0; PARTS * batch + 1],
        }
    }

    /// Overwrites `to` with the samples of as many words as there is room for.
    fn extend(&mut self, words: impl Iterator<Item = u64>, samples: usize, to: &mut Vec<usize>) {
        let Sorted { words: kept, next } = self;
        let parts = next.len() - 1;
        // Each loop does one thing: words of the generator, counts and places wait for different ones before.
        kept.clear();
        kept.extend(words);
        next.fill(0);
        for word in kept.iter() {
            next[scaled(*word, parts) + 1] += 1;
        }
        let mut sum = 0;
        for count in next.iter_mut() {
            sum += *count;
            *count = sum;
        }
        to.resize(kept.len(), 0);
        for word in kept {
            let place = &mut next[scaled(*word, parts)];
            to[*place] = scaled(*word, samples);
            *place += 1;
        }
        for i in 1..to.len() {
            let (sample, mut place) = (to[i], i);
            // Nothing is written where nothing moves: the next step would wait for it.
            if to[i - 1] <= sample {
                continue;
            }
            while place > 0 && to[place - 1] > sample {
                to[place] = to[place - 1];
                place -= 1;
            }
            to[place] = sample;
        }
    }

    fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>() + self.next.len() * size_of::<usize>()
    }
}

/// A uniform index below `n` from one word of 64 bits: off by less than n / 2⁶⁴.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    scaled(rng.next_u64(), n)
}

/// ⌊n·w / 2⁶⁴⌋.
fn scaled(word: u64, n: usize) -> usize {
    ((u128::from(word) * n as u128) >> 64) as usize
}
