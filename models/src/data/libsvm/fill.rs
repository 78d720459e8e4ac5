//! The splits of a file while they are filled, with their zeros or without.

use autodiff::Sparse;
use nalgebra::DMatrix;

use super::super::features::Features;
use super::super::split::Plan;
use super::super::{DataError, Samples};
use super::Visit;

/// The three splits, filled row by row.
pub(super) struct Fill<P> {
    parts: [P; 3],
    labels: [Vec<f64>; 3],
    places: Vec<(u8, usize)>,
    /// The index of the first feature.
    first: u32,
    next: usize,
    changed: bool,
}

/// The features of a split while they are filled.
pub(super) trait Part: Sized {
    /// Begins a sample.
    fn begin(&mut self, sample: usize);
    /// Sets an entry of a sample; false if there is no room for it.
    #[must_use]
    fn set(&mut self, sample: usize, feature: usize, value: f64) -> bool;
    fn finish(self) -> Option<Features>;
}

impl Part for DMatrix<f64> {
    fn begin(&mut self, _: usize) {}

    fn set(&mut self, sample: usize, feature: usize, value: f64) -> bool {
        let slot = self.get_mut((feature, sample));
        slot.map(|slot| *slot = value).is_some()
    }

    fn finish(self) -> Option<Features> {
        Some(self.into())
    }
}

/// Rows with room for as many entries as were counted.
pub(super) struct Rows {
    columns: usize,
    starts: Vec<usize>,
    places: Vec<u32>,
    values: Vec<f64>,
    /// Where the next entry of the sample goes.
    next: usize,
    /// Entries that were set.
    set: usize,
}

impl Rows {
    /// Room for samples of so many entries.
    pub(super) fn new(columns: usize, counts: impl Iterator<Item = usize>) -> Self {
        let mut starts = vec![0];
        for count in counts {
            starts.push(starts[starts.len() - 1] + count);
        }
        let entries = starts[starts.len() - 1];
        Rows {
            columns,
            starts,
            places: vec![0; entries],
            values: vec![0.0; entries],
            next: 0,
            set: 0,
        }
    }
}

impl Part for Rows {
    fn begin(&mut self, sample: usize) {
        self.next = self.starts[sample];
    }

    fn set(&mut self, sample: usize, feature: usize, value: f64) -> bool {
        let (at, fits) = (self.next, self.next < self.starts[sample + 1]);
        if fits {
            (self.places[at], self.values[at]) = (feature as u32, value);
            (self.next, self.set) = (at + 1, self.set + 1);
        }
        fits
    }

    fn finish(self) -> Option<Features> {
        let rows = self.starts.len() - 1;
        let whole = self.set == self.values.len();
        let made = Sparse::new(rows, self.columns, self.starts, self.places, self.values);
        made.ok().filter(|_| whole).map(Features::from)
    }
}

impl<P: Part> Fill<P> {
    pub(super) fn new(plan: &Plan, first: u32, part: impl Fn(&[usize]) -> P) -> Self {
        Fill {
            parts: plan.parts().map(part),
            labels: plan.parts().map(|rows| vec![0.0; rows.len()]),
            places: plan.places(),
            first,
            next: 0,
            changed: false,
        }
    }

    /// The samples, unless the file changed since its `rows` were counted.
    pub(super) fn finish(
        self,
        rows: usize,
        changed: impl FnOnce() -> DataError,
    ) -> Result<[Samples; 3], DataError> {
        let parts = self.parts.map(P::finish);
        let [Some(train), Some(valid), Some(test)] = parts else {
            return Err(changed());
        };
        if self.changed || self.next != rows {
            return Err(changed());
        }
        let mut labels = self.labels.into_iter();
        Ok([train, valid, test].map(|features| Samples {
            features,
            labels: labels.next().expect("labels of each"),
        }))
    }
}

impl<P: Part> Visit for Fill<P> {
    fn row(&mut self, label: f64, _: u64) {
        match self.places.get(self.next) {
            Some(&(part, place)) => {
                self.labels[usize::from(part)][place] = label;
                self.parts[usize::from(part)].begin(place);
            }
            None => self.changed = true,
        }
        self.next += 1;
    }

    fn entry(&mut self, index: u32, value: f64) {
        let index = (index - self.first) as usize;
        let place = self.places.get(self.next - 1);
        let set = place
            .is_some_and(|&(part, place)| self.parts[usize::from(part)].set(place, index, value));
        self.changed |= !set;
    }
}
