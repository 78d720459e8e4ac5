//! Exact accounting of every buffer the engine and the solvers hold.
//!
//! A [`Meter`] counts live and peak bytes by [`Category`]; a [`Buffer`] is a fixed-length block
//! of scalars that tells its meter when it is made and when it is dropped. The counts are sums of
//! lengths times scalar sizes: deterministic, and independent of the allocator and of the process.

mod interrupt;
mod lines;
mod units;

pub use interrupt::{Interrupt, Interrupted};
pub(crate) use lines::Lines;
pub use units::{ParseBytesError, human_bytes, parse_bytes};

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::real::Real;

/// What a buffer is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Category {
    /// Recorded programs: nodes and constants.
    Program,
    /// Primal values and what primitives keep from them.
    Values,
    /// Tangents of forward sweeps.
    Tangents,
    /// Adjoints of reverse sweeps and their tangents.
    Adjoints,
    /// States of an unrolled loop that are kept for the way back.
    Checkpoints,
    /// Vectors of linear solvers, inner and outer loops.
    Solver,
}

impl Category {
    /// All categories, in the order of the fields of [`Bytes`].
    pub const ALL: [Category; 6] = [
        Category::Program,
        Category::Values,
        Category::Tangents,
        Category::Adjoints,
        Category::Checkpoints,
        Category::Solver,
    ];

    /// The category's name in records.
    pub fn name(self) -> &'static str {
        match self {
            Category::Program => "program",
            Category::Values => "values",
            Category::Tangents => "tangents",
            Category::Adjoints => "adjoints",
            Category::Checkpoints => "checkpoints",
            Category::Solver => "solver",
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    live: [AtomicUsize; 6],
    total: AtomicUsize,
    peak: AtomicUsize,
    at_peak: [AtomicUsize; 6],
    disk: AtomicUsize,
    disk_peak: AtomicUsize,
    interrupt: Interrupt,
    /// Recordings by address, with the number of their owners.
    shared: Mutex<Vec<(usize, usize)>>,
}

/// A shared counter of live and peak bytes. Cloning it shares the count.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Counters>);

impl Default for Meter {
    fn default() -> Self {
        Meter(Arc::new(Counters {
            interrupt: Interrupt::of_a_meter(),
            ..Counters::default()
        }))
    }
}

impl Meter {
    /// A meter at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes now held and the most ever held, by category.
    pub fn read(&self) -> Bytes {
        let load = |a: &[AtomicUsize; 6]| std::array::from_fn(|i| a[i].load(Relaxed));
        Bytes {
            live: load(&self.0.live),
            at_peak: load(&self.0.at_peak),
            peak: self.0.peak.load(Relaxed),
            disk: self.0.disk_peak.load(Relaxed),
        }
    }

    /// Forgets the peak, which is then the most held since this call.
    pub fn reset_peak(&self) {
        self.0.peak.store(0, Relaxed);
        self.note_peak();
        let disk = self.0.disk.load(Relaxed);
        self.0.disk_peak.store(disk, Relaxed);
    }

    /// Continues from the peak of another meter, given by category in the order of
    /// [`Category::ALL`]. A run that was saved and is continued elsewhere has one peak in all.
    pub fn resume_peak(&self, at_peak: [usize; 6]) {
        for (kept, bytes) in self.0.at_peak.iter().zip(at_peak) {
            kept.store(bytes, Relaxed);
        }
        self.0.peak.store(at_peak.iter().sum(), Relaxed);
        self.note_peak();
    }

    /// What stops the sweeps whose buffers are counted here: its own, unless the meter was made
    /// [under](Interrupt::over) another.
    pub fn interrupt(&self) -> &Interrupt {
        &self.0.interrupt
    }

    fn add(&self, category: Category, bytes: usize) {
        self.0.live[category as usize].fetch_add(bytes, Relaxed);
        self.0.total.fetch_add(bytes, Relaxed);
        self.note_peak();
    }

    /// Adds an owner to the recording at this address. Its bytes are counted once, with the first
    /// owner.
    pub(crate) fn share(&self, key: usize, bytes: usize) {
        let mut shared = self.shared();
        match shared.iter_mut().find(|s| s.0 == key) {
            Some((_, owners)) => *owners += 1,
            None => {
                shared.push((key, 1));
                self.add(Category::Program, bytes);
            }
        }
    }

    /// Removes an owner of the recording, and its bytes with the last one.
    pub(crate) fn unshare(&self, key: usize, bytes: usize) {
        let mut shared = self.shared();
        let place = shared.iter().position(|s| s.0 == key);
        let place = place.expect("what was shared");
        shared[place].1 -= 1;
        if shared[place].1 == 0 {
            shared.swap_remove(place);
            self.remove(Category::Program, bytes);
        }
    }

    fn shared(&self) -> MutexGuard<'_, Vec<(usize, usize)>> {
        // A list of numbers is whole wherever another thread stopped.
        self.0.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_peak(&self) {
        let total = self.0.total.load(Relaxed);
        if total > self.0.peak.load(Relaxed) {
            self.0.peak.store(total, Relaxed);
            for (kept, live) in self.0.at_peak.iter().zip(&self.0.live) {
                kept.store(live.load(Relaxed), Relaxed);
            }
        }
    }

    fn remove(&self, category: Category, bytes: usize) {
        self.0.live[category as usize].fetch_sub(bytes, Relaxed);
        self.0.total.fetch_sub(bytes, Relaxed);
    }
}

/// A reading of a [`Meter`], in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bytes {
    live: [usize; 6],
    at_peak: [usize; 6],
    /// The most bytes held at one time, over all categories.
    pub peak: usize,
    /// The most bytes on disk at one time, which are in no category and no part of `peak`.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_zero"))]
    pub disk: usize,
}

#[cfg(feature = "serde")]
fn is_zero(bytes: &usize) -> bool {
    *bytes == 0
}

impl Bytes {
    /// Bytes held now, over all categories.
    pub fn live(&self) -> usize {
        self.live.iter().sum()
    }

    /// Bytes of one category held now.
    pub fn live_in(&self, category: Category) -> usize {
        self.live[category as usize]
    }

    /// Bytes of one category held at the moment of the peak; these add up to `peak`.
    pub fn peak_in(&self, category: Category) -> usize {
        self.at_peak[category as usize]
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peak {}", human_bytes(self.peak))?;
        let parts: Vec<String> = Category::ALL
            .iter()
            .filter(|c| self.peak_in(**c) > 0)
            .map(|c| format!("{} {}", c.name(), human_bytes(self.peak_in(*c))))
            .collect();
        if parts.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", parts.join(", "))
        }
    }
}

/// Bytes of a file, on a [`Meter`] for as long as this lives.
pub(crate) struct OnDisk {
    bytes: usize,
    meter: Meter,
}

impl OnDisk {
    /// No bytes yet.
    pub(crate) fn new(meter: &Meter) -> Self {
        OnDisk {
            bytes: 0,
            meter: meter.clone(),
        }
    }

    /// Counts `bytes` from now on.
    pub(crate) fn set(&mut self, bytes: usize) {
        let counters = &self.meter.0;
        counters.disk.fetch_sub(self.bytes, Relaxed);
        let all = counters.disk.fetch_add(bytes, Relaxed) + bytes;
        counters.disk_peak.fetch_max(all, Relaxed);
        self.bytes = bytes;
    }

    /// The bytes that are counted.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A fixed-length block of scalars whose bytes are on a [`Meter`] for as long as it lives.
///
/// It dereferences to a slice. Buffers never grow in place: [`resize`](Buffer::resize) forgets the
/// entries.
#[derive(Debug)]
pub struct Buffer<T: Real> {
    data: Box<[T]>,
    meter: Meter,
    category: Category,
}

impl<T: Real> Buffer<T> {
    /// A block of `len` zeros, counted under `category`.
    pub fn zeros(len: usize, category: Category, meter: &Meter) -> Self {
        meter.add(category, len * size_of::<T>());
        Self {
            data: vec![T::zero(); len].into_boxed_slice(),
            meter: meter.clone(),
            category,
        }
    }

    /// Makes the block exactly `len` entries long. If it is not, its entries become zeros.
    pub fn resize(&mut self, len: usize) {
        if self.data.len() != len {
            // The old block goes before the new one comes: they are never held together.
            *self = Self::zeros(0, self.category, &self.meter.clone());
            *self = Self::zeros(len, self.category, &self.meter.clone());
        }
    }
}

impl<T: Real> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.meter
            .remove(self.category, self.data.len() * size_of::<T>());
    }
}

impl<T: Real> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data
    }
}

impl<T: Real> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
}

/// Bytes that are held elsewhere (a program's nodes), on a [`Meter`] for as long as this lives.
#[derive(Debug)]
pub struct Claim {
    bytes: usize,
    meter: Meter,
    category: Category,
}

impl Claim {
    /// Counts `bytes` under `category` until dropped.
    pub fn new(bytes: usize, category: Category, meter: &Meter) -> Self {
        meter.add(category, bytes);
        Self {
            bytes,
            meter: meter.clone(),
            category,
        }
    }

    /// Counts `bytes` from now on.
    pub fn set(&mut self, bytes: usize) {
        self.meter.remove(self.category, self.bytes);
        self.bytes = bytes;
        self.meter.add(self.category, bytes);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.meter.remove(self.category, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_and_peak_follow_the_buffers() {
        let meter = Meter::new();
        let a = Buffer::<f64>::zeros(10, Category::Values, &meter);
        let b = Buffer::<f32>::zeros(10, Category::Checkpoints, &meter);
        assert_eq!(meter.read().live(), 120);
        drop(a);
        let bytes = meter.read();
        assert_eq!((bytes.live(), bytes.peak), (40, 120));
        assert_eq!(bytes.peak_in(Category::Values), 80);
        assert_eq!(bytes.live_in(Category::Checkpoints), 40);
        meter.reset_peak();
        assert_eq!(meter.read().peak, 40);
        drop(b);
        assert_eq!(meter.read().live(), 0);
    }
}
