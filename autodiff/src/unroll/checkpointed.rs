//! A few states, held where the binomial schedule wants them.

use crate::Real;
use crate::bytes::{Buffer, Category, Meter};

use super::Driver;
use super::schedule::{Move, Schedule};

/// The held states with their schedule.
pub(super) struct Checkpointed<T: Real> {
    states: Buffer<T>,
    /// The state that walks on the way back, while the last one stays the driver's.
    walking: Buffer<T>,
    schedule: Schedule,
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
            depth: 0,
            at_end: false,
        }
    }

    /// Runs `depth` steps with up to `slots` states held, no more than the depth has use for.
    pub(super) fn forward(&mut self, driver: &mut Driver<T>, depth: usize, slots: usize) {
        let dim = driver.state().len();
        self.states.resize(slots * dim);
        self.walking.resize(dim);
        self.depth = depth;
        self.at_end = depth > 0;
        if depth == 0 {
            return;
        }
        self.schedule.start(slots);
        self.states[..dim].copy_from_slice(driver.state());
        self.reach(driver, depth);
        driver.advance(depth - 1);
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
