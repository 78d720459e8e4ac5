//! A few states, held where the binomial schedule wants them.

use crate::bytes::{Buffer, Category, Claim, Meter};
use crate::real::Real;

use super::binomial::{Move, Schedule};
use super::{Driver, Stop};

/// The held states with their schedule.
pub(super) struct Checkpointed<T: Real> {
    states: Buffer<T>,
    /// The state that walks on the way back, while the last one stays the driver's.
    walking: Buffer<T>,
    schedule: Schedule,
    schedule_bytes: Claim,
    depth: usize,
    /// Whether the workspace still has the state before the last step.
    at_end: bool,
}

impl<T: Real> Checkpointed<T> {
    pub(super) fn new(meter: &Meter) -> Self {
        Checkpointed {
            states: Buffer::zeros(0, Category::Checkpoints, meter),
            walking: Buffer::zeros(0, Category::Solver, meter),
            schedule: Schedule::default(),
            schedule_bytes: Claim::new(0, Category::Solver, meter),
            depth: 0,
            at_end: false,
        }
    }

    /// Bytes beside `slots` > 0 held states: the state that walks, and the schedule.
    pub(super) fn walking_bytes(dim_state: usize, slots: usize) -> usize {
        (dim_state * size_of::<T>()).saturating_add(Schedule::bytes(slots))
    }

    /// Runs up to `limit` steps with up to `slots` states held, where the schedule for `limit`
    /// steps wants them, or where it is best if the depth is not known before the end.
    pub(super) fn forward(
        &mut self,
        driver: &mut Driver<T>,
        limit: usize,
        slots: usize,
        known: bool,
        stop: Stop<'_, T>,
    ) -> usize {
        let dim = driver.state().len();
        self.states.resize(slots * dim);
        self.walking.resize(dim);
        self.schedule.make_room(slots);
        self.schedule_bytes.set(Schedule::bytes(slots));
        (self.depth, self.at_end) = (0, false);
        if limit == 0 {
            return 0;
        }
        self.schedule.start();
        self.states[..dim].copy_from_slice(driver.state());
        let mut next = self.schedule.next(limit);
        while self.depth < limit && !stop(self.depth, driver.state()) {
            let k = self.depth;
            let slot = if !known && k > 0 {
                self.schedule.offer(k)
            } else if known && next == Some(k) {
                let slot = self.schedule.take(k);
                next = self.schedule.next(limit);
                Some(slot)
            } else {
                None
            };
            if let Some(slot) = slot {
                self.states[slot * dim..][..dim].copy_from_slice(driver.state());
            }
            driver.advance(k);
            self.depth += 1;
        }
        self.at_end = self.depth > 0;
        self.depth
    }

    /// Returns the number of steps that were run again.
    pub(super) fn reverse(&mut self, driver: &mut Driver<T>) -> usize {
        driver.swap_state(&mut self.walking);
        let mut steps = 0;
        for end in (1..=self.depth).rev() {
            if std::mem::take(&mut self.at_end) {
                driver.pull_back_latest(end - 1);
            } else {
                steps += self.reach(driver, end);
                driver.pull_back_here(end - 1);
            }
        }
        driver.swap_state(&mut self.walking);
        steps
    }

    /// Brings the driver to the state before step `end − 1`, and returns the steps run.
    fn reach(&mut self, driver: &mut Driver<T>, end: usize) -> usize {
        let (states, dim, mut steps) = (&mut self.states, self.walking.len(), 0);
        self.schedule.reach(end, |made| match made {
            Move::Restore { slot } => driver.set_state(&states[slot * dim..][..dim]),
            Move::Advance { from, to } => {
                (from..to).for_each(|k| driver.advance(k));
                steps += to - from;
            }
            Move::Hold { slot } => states[slot * dim..][..dim].copy_from_slice(driver.state()),
        });
        steps
    }
}
