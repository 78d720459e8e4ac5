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
/// A batch is recorded when it is drawn. Recordings of single samples are kept while they take less
/// than 16 MiB, as is that of all samples at once; any other batch takes the place of the one
/// before. (Not [`Rerecord`](autodiff::Rerecord): it chooses by the values of the inputs, and keeps
/// every recording.)
pub struct Level<T: Real> {
    draws: Draws,
    recordings: Recordings<T>,
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
        let indices = draws.bytes() + batch * size_of::<usize>();
        Level {
            _indices_bytes: Claim::new(indices, Category::Solver, meter),
            draws,
            recordings: Recordings {
                whole: whole.clone(),
                source,
                dims,
                kept: BTreeMap::new(),
                kept_bytes: 0,
                fresh: None,
                fresh_batch: Vec::with_capacity(batch),
                at: None,
                past: Sweeps::default(),
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
        let mut sweeps = self.sweeps();
        ledger.sweeps(&mut sweeps);
        self.recordings.visit_held(self.draws.samples(), ledger);
        if ledger.is_restoring() && ledger.fits() {
            self.recordings.past = sweeps;
        }
    }

    /// Sweeps so far; a sweep of a batch is one, whatever its size.
    pub fn sweeps(&self) -> Sweeps {
        let mut total = self.recordings.past;
        for point in self.recordings.kept.values().chain(&self.recordings.fresh) {
            total += point.sweeps();
        }
        total
    }
}

struct Recordings<T: Real> {
    whole: Arc<Program<T>>,
    source: Option<Arc<dyn Sampled<T>>>,
    dims: (usize, usize),
    kept: BTreeMap<usize, Point<T>>,
    kept_bytes: usize,
    fresh: Option<Point<T>>,
    /// Its samples.
    fresh_batch: Vec<usize>,
    /// Where the last batch is kept; `None` if it is the fresh one.
    at: Option<usize>,
    /// Sweeps of recordings that were dropped since.
    past: Sweeps,
    meter: Meter,
}

impl<T: Real> Recordings<T> {
    fn visit(&mut self, batch: &[usize], samples: usize) -> &mut Point<T> {
        let whole = self.source.is_none() || batch.iter().copied().eq(0..samples);
        let key = match batch {
            _ if whole => Some(WHOLE),
            [sample] => Some(*sample),
            _ => None,
        };
        self.go_to(key, batch)
    }

    fn visit_whole(&mut self) -> &mut Point<T> {
        self.go_to(Some(WHOLE), &[])
    }

    fn go_to(&mut self, key: Option<usize>, batch: &[usize]) -> &mut Point<T> {
        self.at = key.filter(|key| self.kept.contains_key(key));
        if self.at.is_none() {
            self.record(key, batch);
        }
        self.last()
    }

    fn record(&mut self, key: Option<usize>, batch: &[usize]) {
        // Dropped first, so that two are never held at one time.
        if let Some(old) = self.fresh.take() {
            self.past += old.sweeps();
        }
        let program = match (&self.source, key) {
            (Some(source), key) if key != Some(WHOLE) => {
                source.program(self.dims.0, self.dims.1, batch)
            }
            _ => self.whole.clone(),
        };
        let bytes = Point::gradient_bytes(&program) + Point::second_bytes(&program);
        let point = Point::new(program, &self.meter);
        match key.filter(|key| *key == WHOLE || self.kept_bytes + bytes <= KEPT_BYTES) {
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

    fn visit_held(&mut self, samples: usize, ledger: &mut Ledger) {
        let mut keys: Vec<usize> = self.kept.keys().copied().collect();
        let mut fresh = self.fresh_batch.clone();
        if self.fresh.is_none() {
            fresh.clear();
        }
        ledger.list("recordings that are kept", &mut keys);
        ledger.list("the batch that is recorded", &mut fresh);
        let known = |key: &&usize| **key >= samples && **key != WHOLE;
        if let Some(beyond) = keys.iter().chain(&fresh).find(known) {
            ledger.refuse("a sample", *beyond as u64, format!("less than {samples}"));
        }
        if ledger.is_restoring() && ledger.fits() {
            self.kept.clear();
            (self.kept_bytes, self.fresh) = (0, None);
            for key in &keys {
                self.go_to(Some(*key), &[*key]);
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
