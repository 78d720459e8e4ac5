//! SAGA's tables.

use autodiff::bytes::Buffer;
use autodiff::kernels::axpy;
use autodiff::{Inputs, Point, Real};

use crate::ledger::Ledger;
use crate::method::{Batches, Keep, State};
use crate::sampling::Draws;

use super::directions::Directions;

/// What each sample of both levels, or each block of them, gave when it was last drawn.
///
/// A direction is the mean of the tables, plus the mean over the batch of what a sample gives now
/// less what it gave then. A block is what one sample is where batches are drawn by single ones.
pub(super) struct Tables<T: Real> {
    upper: Table<T>,
    lower: Table<T>,
    /// The rows of a batch, ascending.
    batch: Vec<usize>,
}

impl<T: Real> Tables<T> {
    /// Filled by one pass over all samples.
    pub(super) fn new(s: &State<'_, T>, b: &mut Batches<T>) -> Self {
        let (dim_x, dim_y) = (s.x.len(), s.y.len());
        let mut upper = Table::new(b, b.upper.draws(), dim_x + dim_y);
        let mut lower = Table::new(b, b.lower.draws(), dim_x + 2 * dim_y);
        let at = [s.x.as_slice(), s.y.as_slice()];
        for row in 0..upper.len() {
            let point = b.upper.unit(row);
            point.gradient_at(&at, Inputs::ALL);
            upper.reduce(row, T::one(), &of_upper(point));
        }
        for row in 0..lower.len() {
            let point = b.lower.unit(row);
            point.gradient_along(&at, &[None, Some(&b.v)]);
            lower.reduce(row, T::one(), &of_lower(point));
        }
        let (upper_batch, lower_batch) = s.sampling().batch(s.problem);
        Tables {
            upper,
            lower,
            batch: Vec::with_capacity(upper_batch.max(lower_batch)),
        }
    }

    /// The directions by the next batch of each level, whose rows are set to what it gives.
    pub(super) fn draw(&mut self, s: &State<'_, T>, b: &mut Batches<T>, into: &mut Directions<T>) {
        let at = [s.x.as_slice(), s.y.as_slice()];
        let Tables {
            upper,
            lower,
            batch,
        } = self;
        b.upper.skip();
        upper.begin(batch, b.upper.batch());
        for_each(batch, |row, share| {
            let point = b.upper.unit(row);
            point.gradient_at(&at, Inputs::ALL);
            upper.reduce(row, share, &of_upper(point));
        });
        b.lower.skip();
        lower.begin(batch, b.lower.batch());
        for_each(batch, |row, share| {
            let point = b.lower.unit(row);
            point.gradient_along(&at, &[None, Some(&b.v)]);
            lower.reduce(row, share, &of_lower(point));
        });
        let (upper_x, upper_y) = upper.reduced.split_at(s.x.len());
        let (lower_x, lower_y) = lower.reduced.split_at(s.x.len());
        let (product, gradient) = lower_y.split_at(s.y.len());
        into.x.copy_from_slice(upper_x);
        axpy(&mut into.x, T::one(), lower_x);
        into.v.copy_from_slice(upper_y);
        axpy(&mut into.v, T::one(), product);
        into.y.copy_from_slice(gradient);
    }
}

impl<T: Real> Keep for Tables<T> {
    fn visit(&mut self, ledger: &mut Ledger) {
        for table in [&mut self.upper, &mut self.lower] {
            ledger.entries("the table of the samples", &mut table.rows);
            ledger.entries("the table's mean", &mut table.mean);
            ledger.count("rows set since the mean was made", &mut table.changed);
        }
    }
}

/// Each row of a batch once, with its share of the batch: the batch is ascending, and one with
/// replacement may hold a sample several times.
fn for_each<T: Real>(batch: &[usize], mut each: impl FnMut(usize, T)) {
    let share = 1.0 / batch.len() as f64;
    for same in batch.chunk_by(|a, b| a == b) {
        each(same[0], T::of(same.len() as f64 * share));
    }
}

/// ∇_xF and ∇_yF.
fn of_upper<T: Real>(point: &Point<T>) -> [&[T]; 2] {
    [point.gradient(0), point.gradient(1)]
}

/// ∇²_xy g · v, ∇²_yy g · v and ∇_y g.
fn of_lower<T: Real>(point: &Point<T>) -> [&[T]; 3] {
    [point.product(0), point.product(1), point.gradient(1)]
}

/// Passes over the samples after which the mean is made anew: seldom enough to cost nothing.
const PASSES: usize = 10;

/// What the samples of each row gave when they were last drawn, 0 before, and the mean of that.
struct Table<T: Real> {
    samples: usize,
    /// Samples of a row; the last may have fewer.
    unit: usize,
    rows: Buffer<T>,
    mean: Buffer<T>,
    /// Rows that were set since the mean was made of all of them.
    changed: usize,
    /// The direction.
    reduced: Buffer<T>,
}

impl<T: Real> Table<T> {
    fn new(batches: &Batches<T>, draws: &Draws, width: usize) -> Self {
        let (samples, unit) = (draws.samples(), draws.unit_len());
        Table {
            samples,
            unit,
            rows: batches.buffer(samples.div_ceil(unit) * width),
            mean: batches.buffer(width),
            changed: 0,
            reduced: batches.buffer(width),
        }
    }

    fn len(&self) -> usize {
        self.samples.div_ceil(self.unit)
    }

    /// The share of a row's samples in all.
    fn share(&self, row: usize) -> T {
        let samples = self.unit.min(self.samples - row * self.unit);
        T::of(samples as f64 / self.samples as f64)
    }

    /// Begins a direction, and keeps the rows of what is `drawn`.
    fn begin(&mut self, batch: &mut Vec<usize>, drawn: &[usize]) {
        // What each change of the mean rounds adds up for ever.
        if self.changed >= PASSES * self.len() {
            self.changed = 0;
            self.mean.fill(T::zero());
            let width = self.mean.len();
            for i in 0..self.len() {
                let share = self.share(i);
                axpy(&mut self.mean, share, &self.rows[i * width..][..width]);
            }
        }
        self.reduced.copy_from_slice(&self.mean);
        batch.clear();
        // A batch is a block, or samples each of which has a row.
        batch.extend(drawn.iter().step_by(self.unit).map(|i| i / self.unit));
    }

    /// Adds what a row gives now, in parts, less what it gave then, times its share of the batch; the
    /// row is set to what it gives now.
    fn reduce(&mut self, row: usize, share: T, parts: &[&[T]]) {
        let (width, of_all) = (self.mean.len(), self.share(row));
        let mut rows = &mut self.rows[row * width..][..width];
        let (mut means, mut sums) = (&mut self.mean[..], &mut self.reduced[..]);
        // Slices of one length, which are gone through in vectors.
        for new in parts {
            let (old, mean, sum);
            (old, rows) = rows.split_at_mut(new.len());
            (mean, means) = means.split_at_mut(new.len());
            (sum, sums) = sums.split_at_mut(new.len());
            for (((old, mean), sum), new) in old.iter_mut().zip(mean).zip(sum).zip(*new) {
                let change = *new - *old;
                *sum += share * change;
                *mean += change * of_all;
                *old = *new;
            }
        }
        self.changed += 1;
    }
}
