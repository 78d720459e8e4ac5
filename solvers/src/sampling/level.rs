//! An objective that is asked for one batch after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use autodiff::bytes::{Category, Claim};
use autodiff::{Meter, Point, Program, Real, Sampled, Sweeps};

use super::Draws;
use crate::Ledger;

/// Bytes of recordings that are kept.
const KEPT_BYTES: usize = 16 << 20;

/// The key of the mean over all samples, among those of single samples.
const WHOLE: usize = usize::MAX;

/// An objective with its stream of batches: [`draw`](Level::draw) gives the mean over the next.
///
/// An objective that is [`batched`](fn@autodiff::batched) is recorded once for each length of a batch,
/// and once for all samples at once: a draw sets an input.
///
/// Of another one a batch is recorded when it is drawn. Recordings of single samples are kept while
/// they take less than 16 MiB, as is that of all samples at once; any other batch takes the place of
/// the one before. (Not [`Rerecord`](autodiff::Rerecord): it chooses by the values of the inputs, and keeps
/// every recording.)
pub struct Level<T: Real> {
    draws: Draws,
    recordings: Recordings<T>,
    /// The samples of a unit that was asked for.
    unit: Vec<usize>,
    _indices_bytes: Claim,
}

impl<T: Real> fmt::Debug for Level<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Level")
            .field("draws", &self.draws)
            .finish_non_exhaustive()
    }
}

impl<T: Real> Level<T> {
    pub(crate) fn new(
        whole: &Arc<Program<T>>,
        source: Option<Arc<dyn Sampled<T>>>,
        dims: (usize, usize),
        draws: Draws,
        meter: &Meter,
    ) -> Self {
        let batch = draws.batch();
        let is_batched = source.as_ref().is_some_and(|s| s.batched().is_some());
        let held = if is_batched { batch } else { 0 };
        let unit = if draws.unit_len() > 1 { batch } else { 1 };
        let indices = draws.bytes() + (batch + unit) * size_of::<usize>() + held * size_of::<T>();
        Level {
            _indices_bytes: Claim::new(indices, Category::Solver, meter),
            draws,
            unit: Vec::with_capacity(unit),
            recordings: Recordings {
                whole: whole.clone(),
                source,
                dims,
                is_batched,
                kept: BTreeMap::new(),
                kept_bytes: 0,
                fresh: None,
                fresh_batch: Vec::with_capacity(batch),
                indices: Vec::with_capacity(held),
                at: None,
                past: Sweeps::default(),
                past_touched: 0,
                meter: meter.clone(),
            },
        }
    }

    /// The mean over the next batch.
    pub fn draw(&mut self) -> &mut Point<T> {
        let samples = self.draws.samples();
        self.recordings.visit(self.draws.next_batch(), samples)
    }

    /// Draws the next batch, of which nothing is recorded; how many samples it has.
    pub(crate) fn skip(&mut self) -> usize {
        self.draws.next_batch().len()
    }

    /// The mean that was asked for last.
    ///
    /// # Panics
    /// If none was asked for yet.
    #[track_caller]
    pub fn again(&mut self) -> &mut Point<T> {
        self.recordings.last()
    }

    /// The mean over all samples, without a draw.
    pub fn whole(&mut self) -> &mut Point<T> {
        self.recordings.visit_whole()
    }

    /// The function of one sample, without a draw.
    ///
    /// # Panics
    /// If there is no such sample.
    #[track_caller]
    pub fn sample(&mut self, sample: usize) -> &mut Point<T> {
        let samples = self.draws.samples();
        assert!(sample < samples, "sample {sample} of {samples}");
        self.recordings.visit(&[sample], samples)
    }

    /// The mean over the samples that are always drawn together with this number: a block's, or one.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub(crate) fn unit(&mut self, number: usize) -> &mut Point<T> {
        let samples = self.draws.samples();
        self.unit.clear();
        self.unit.extend(self.draws.unit(number));
        assert!(!self.unit.is_empty(), "unit {number} of {samples} samples");
        self.recordings.visit(&self.unit, samples)
    }

    /// The samples of the batch that was drawn last, ascending.
    pub fn batch(&self) -> &[usize] {
        self.draws.last_batch()
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.draws.samples()
    }

    /// The stream of batches.
    pub fn draws(&self) -> &Draws {
        &self.draws
    }

    /// The stream, the counts, and which recordings are held with which buffers: they are recorded
    /// again, so that as many bytes are held as before.
    pub(crate) fn visit(&mut self, ledger: &mut Ledger) {
        self.draws.visit(ledger);
        let (mut sweeps, mut touched) = (self.sweeps(), self.touched());
        ledger.sweeps(&mut sweeps);
        ledger.count("samples touched so far", &mut touched);
        self.recordings.visit_held(self.draws.samples(), ledger);
        if ledger.is_restoring() && ledger.fits() {
            (self.recordings.past, self.recordings.past_touched) = (sweeps, touched);
        }
    }

    /// Counts sweeps that another rank made of single samples of this level.
    pub(crate) fn add_sweeps(&mut self, made: Sweeps) {
        self.recordings.past += made;
        self.recordings.past_touched += made.gradients + made.hvps;
    }

    /// Sweeps so far; a sweep of a batch is one, whatever its size.
    pub fn sweeps(&self) -> Sweeps {
        let mut total = self.recordings.past;
        for point in self.recordings.kept.values().chain(&self.recordings.fresh) {
            total += point.sweeps();
        }
        total
    }

    /// Gradients and Hessian-vector products of single samples so far: a sweep of a batch is as many
    /// as it has samples.
    pub fn touched(&self) -> usize {
        let of = &self.recordings;
        let kept = of.kept.iter().map(|(key, point)| {
            let length = match (*key, of.is_batched) {
                (WHOLE, _) => self.samples(),
                (length, true) => length,
                (_, false) => 1,
            };
            touched(point, length)
        });
        of.past_touched + kept.sum::<usize>() + of.touched_by_fresh()
    }
}

/// Derivatives of single samples at the point of a mean over `length` of them.
fn touched<T: Real>(point: &Point<T>, length: usize) -> usize {
    let sweeps = point.sweeps();
    (sweeps.gradients + sweeps.hvps) * length
}

struct Recordings<T: Real> {
    whole: Arc<Program<T>>,
    source: Option<Arc<dyn Sampled<T>>>,
    /// Whether a recording serves all batches of its length.
    is_batched: bool,
    dims: (usize, usize),
    /// By sample; by length if they are batched.
    kept: BTreeMap<usize, Point<T>>,
    kept_bytes: usize,
    fresh: Option<Point<T>>,
    /// The samples of the fresh one; those that were set last if they are batched.
    fresh_batch: Vec<usize>,
    /// The same as numbers, if they are batched.
    indices: Vec<T>,
    /// Where the last batch is kept; `None` if it is the fresh one.
    at: Option<usize>,
    /// Sweeps of recordings that were dropped since.
    past: Sweeps,
    /// Derivatives of single samples in those.
    past_touched: usize,
    meter: Meter,
}

impl<T: Real> Recordings<T> {
    fn visit(&mut self, batch: &[usize], samples: usize) -> &mut Point<T> {
        let whole = self.source.is_none() || batch.iter().copied().eq(0..samples);
        match batch {
            _ if whole => self.go_to(Some(WHOLE), &[]),
            _ if self.is_batched => self.hold(batch),
            [sample] => self.go_to(Some(*sample), batch),
            _ => self.go_to(None, batch),
        }
    }

    fn visit_whole(&mut self) -> &mut Point<T> {
        self.go_to(Some(WHOLE), &[])
    }

    /// The recording of this batch's length, at the batch.
    fn hold(&mut self, batch: &[usize]) -> &mut Point<T> {
        self.fresh_batch.clear();
        self.fresh_batch.extend_from_slice(batch);
        self.indices.clear();
        let indices = batch.iter().map(|i| T::of(*i as f64));
        self.indices.extend(indices);
        let indices = std::mem::take(&mut self.indices);
        self.go_to(Some(batch.len()), batch).hold(&[&indices]);
        self.indices = indices;
        self.last()
    }

    fn go_to(&mut self, key: Option<usize>, batch: &[usize]) -> &mut Point<T> {
        self.at = key.filter(|key| self.kept.contains_key(key));
        if self.at.is_none() {
            self.record(key, batch);
        }
        self.last()
    }

    fn record(&mut self, key: Option<usize>, batch: &[usize]) {
        self.past_touched += self.touched_by_fresh();
        // Dropped first, so that two are never held at one time.
        if let Some(old) = self.fresh.take() {
            self.past += old.sweeps();
        }
        let (dim_x, dim_y) = self.dims;
        let program = match &self.source {
            Some(source) if key != Some(WHOLE) => match source.batched() {
                Some(source) => source.batch_program(dim_x, dim_y, batch.len()),
                None => source.program(dim_x, dim_y, batch),
            },
            _ => self.whole.clone(),
        };
        let bytes = Point::gradient_bytes(&program) + Point::second_bytes(&program);
        let point = Point::new(program, &self.meter);
        let fits = self.is_batched || self.kept_bytes + bytes <= KEPT_BYTES;
        match key.filter(|key| *key == WHOLE || fits) {
            Some(key) => {
                self.kept_bytes += bytes;
                self.kept.insert(key, point);
                self.at = Some(key);
            }
            None => {
                self.fresh = Some(point);
                self.fresh_batch.clear();
                self.fresh_batch.extend_from_slice(batch);
            }
        }
    }

    fn touched_by_fresh(&self) -> usize {
        let length = self.fresh_batch.len();
        self.fresh
            .as_ref()
            .map_or(0, |point| touched(point, length))
    }

    fn visit_held(&mut self, samples: usize, ledger: &mut Ledger) {
        let mut keys: Vec<usize> = self.kept.keys().copied().collect();
        let mut fresh = self.fresh_batch.clone();
        if self.fresh.is_none() && !self.is_batched {
            fresh.clear();
        }
        ledger.list("recordings that are kept", &mut keys);
        ledger.list("the batch that is recorded", &mut fresh);
        let beyond = |key: &&usize| **key >= samples && **key != WHOLE;
        // Lengths are no samples: from 1 to all of them.
        let lengths = |key: &&usize| (**key == 0 || **key > samples) && **key != WHOLE;
        let mut found = fresh.iter().find(beyond);
        found = found.or(match self.is_batched {
            true => keys.iter().find(lengths),
            false => keys.iter().find(beyond),
        });
        if let Some(beyond) = found {
            ledger.refuse("a sample", *beyond as u64, format!("less than {samples}"));
        }
        if ledger.is_restoring() && ledger.fits() {
            self.kept.clear();
            (self.kept_bytes, self.fresh) = (0, None);
            for key in &keys {
                match self.is_batched && *key != WHOLE {
                    true => self.go_to(Some(*key), &vec![0; *key]),
                    false => self.go_to(Some(*key), &[*key]),
                };
            }
            if !fresh.is_empty() {
                self.visit(&fresh, samples);
            }
        }
        for point in self.kept.values_mut().chain(&mut self.fresh) {
            ledger.room(point);
        }
    }

    #[track_caller]
    fn last(&mut self) -> &mut Point<T> {
        match self.at {
            Some(key) => self.kept.get_mut(&key),
            None => self.fresh.as_mut(),
        }
        .expect("a batch was drawn")
    }
}
