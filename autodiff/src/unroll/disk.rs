//! Every so many-th state on disk, all of them in memory between.
//!
//! Less than two sweeps forward reverse a loop of any depth: one that writes, and one segment by
//! segment on the way back. No times of steps or of the disk have to be known.
//!
//! # Reference
//! G. Aupy and J. Herrmann, Periodicity in optimal hierarchical checkpointing schedules for adjoint
//! computations, Optimization Methods and Software 32(3), 2017.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::bytes::{Buffer, Category, Meter, OnDisk};
use crate::real::Real;

use super::{Driver, Stop};

/// Why the states of a loop could not be kept on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DiskError {
    /// The step whose state was to be written or read, counted from 0.
    pub step: usize,
    /// Bytes that were on disk by then.
    pub bytes: usize,
    /// What the system said.
    pub reason: String,
}

impl DiskError {
    /// An error at this step, with so many bytes on disk by then.
    pub fn new(step: usize, bytes: usize, reason: &str) -> Self {
        DiskError {
            step,
            bytes,
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = std::env::temp_dir();
        write!(
            f,
            "the state before step {} could not be kept in {}, with {} bytes there: {}",
            self.step,
            folder.display(),
            self.bytes,
            self.reason
        )
    }
}

/// The states of one segment, and a file of those that the segments begin with.
pub(super) struct Disk<T: Real> {
    segment: Buffer<T>,
    /// The last state, while the driver's walks on the way back.
    last: Buffer<T>,
    /// Without a name, so that it ends with the process, however that ends.
    file: Option<File>,
    on_disk: OnDisk,
    slots: usize,
    depth: usize,
    /// Whether the states of the last segment are in memory.
    at_end: bool,
    trouble: Option<DiskError>,
}

impl<T: Real> Disk<T> {
    pub(super) fn new(meter: &Meter) -> Self {
        Disk {
            segment: Buffer::zeros(0, Category::Checkpoints, meter),
            last: Buffer::zeros(0, Category::Solver, meter),
            file: None,
            on_disk: OnDisk::new(meter),
            slots: 1,
            depth: 0,
            at_end: false,
            trouble: None,
        }
    }

    /// Bytes beside the states of a segment: the last state, if there are several segments.
    pub(super) fn walking_bytes(dim_state: usize, depth: usize, slots: usize) -> usize {
        match depth > slots {
            true => dim_state * size_of::<T>(),
            false => 0,
        }
    }

    /// Runs up to `limit` steps with a state on disk for every `slots` of them.
    pub(super) fn forward(
        &mut self,
        driver: &mut Driver<T>,
        limit: usize,
        slots: usize,
        stop: Stop<'_, T>,
    ) -> usize {
        let dim = driver.state().len();
        self.segment.resize(slots.min(limit) * dim);
        self.last.resize(if limit > slots { dim } else { 0 });
        (self.slots, self.depth) = (slots, 0);
        (self.at_end, self.trouble) = (true, None);
        // What an earlier pass wrote goes first: it is not held beside the new states.
        self.on_disk.set(0);
        if let Some(Err(reason)) = self.file.as_ref().map(|file| file.set_len(0)) {
            self.give_up(driver, 0, &reason);
            return 0;
        }
        while self.depth < limit && !stop(self.depth, driver.state()) {
            let place = self.depth % slots;
            // A segment's first state is written when the next one begins: a single one needs no
            // disk.
            if place == 0 && self.depth > 0 && !self.write(driver, self.depth / slots - 1) {
                return self.depth;
            }
            self.segment[place * dim..][..dim].copy_from_slice(driver.state());
            driver.advance(self.depth);
            self.depth += 1;
        }
        if self.depth > slots {
            // Every pass back but the first begins with this one.
            self.write(driver, (self.depth - 1) / slots);
        }
        self.depth
    }

    /// Returns the number of steps that were run again.
    pub(super) fn reverse(&mut self, driver: &mut Driver<T>) -> usize {
        if self.trouble.is_some() {
            driver.spoil_cotangents();
            return 0;
        }
        let (dim, slots) = (driver.state().len(), self.slots);
        let segments = self.depth.div_ceil(slots);
        if segments > 1 {
            self.last.copy_from_slice(driver.state());
        }
        let mut again = 0;
        for segment in (0..segments).rev() {
            let (first, end) = (segment * slots, self.depth.min((segment + 1) * slots));
            if !std::mem::take(&mut self.at_end) {
                if let Err(reason) = self.read(segment, dim) {
                    self.give_up(driver, first, &reason);
                    driver.spoil_cotangents();
                    return again;
                }
                driver.set_state(&self.segment[..dim]);
                for k in first..end - 1 {
                    driver.advance(k);
                    let next = &mut self.segment[(k + 1 - first) * dim..][..dim];
                    next.copy_from_slice(driver.state());
                }
                again += end - 1 - first;
            }
            for k in (first..end).rev() {
                driver.pull_back(k, &self.segment[(k - first) * dim..][..dim]);
            }
        }
        match segments > 1 {
            true => driver.set_state(&self.last),
            // It is still there for the next pass back.
            false => self.at_end = true,
        }
        again
    }

    pub(super) fn trouble(&self) -> Option<&DiskError> {
        self.trouble.as_ref()
    }

    /// Writes the first state of the segment in memory, which is this one; whether it could be.
    fn write(&mut self, driver: &mut Driver<T>, segment: usize) -> bool {
        let (dim, bytes) = (driver.state().len(), size_of_val(driver.state()));
        let mut write = || -> io::Result<()> {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(tempfile::tempfile()?),
            };
            file.seek(SeekFrom::Start((segment * bytes) as u64))?;
            file.write_all(bytemuck::cast_slice(&self.segment[..dim]))
        };
        match write() {
            Ok(()) => {
                self.on_disk.set((segment + 1) * bytes);
                true
            }
            Err(reason) => {
                self.give_up(driver, segment * self.slots, &reason);
                false
            }
        }
    }

    /// Reads the first state of a segment to its place in memory.
    fn read(&mut self, segment: usize, dim: usize) -> io::Result<()> {
        let file = self.file.as_mut().expect("several segments are on disk");
        let start = segment * dim * size_of::<T>();
        file.seek(SeekFrom::Start(start as u64))?;
        file.read_exact(bytemuck::cast_slice_mut(&mut self.segment[..dim]))
    }

    fn give_up(&mut self, driver: &mut Driver<T>, step: usize, reason: &io::Error) {
        driver.state_mut().fill(T::of(f64::NAN));
        let bytes = self.on_disk.bytes();
        self.trouble = Some(DiskError::new(step, bytes, &reason.to_string()));
    }
}
