//! A long campaign of estimates at unkind lower levels: is each right, or does it say that it is
//! not?

mod look;
mod table;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;
use solvers::arbitrary::unkind::Family;

pub use look::{Look, Outcome, look, look_within};
pub use table::{Count, Table};

/// What a campaign is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The first estimate and the one after the last.
    pub range: (u64, u64),
    /// Fixes all of them.
    pub seed: u64,
    /// The family of the lower levels; all of them if `None`.
    pub family: Option<Family>,
}

impl Campaign {
    /// So many estimates.
    pub fn new(estimates: u64, seed: u64) -> Self {
        Campaign {
            range: (0, estimates),
            seed,
            family: None,
        }
    }

    /// The estimate of this number.
    pub fn look(&self, number: u64) -> Look {
        match self.family {
            Some(family) => look_within(family, self.seed, number),
            None => look(self.seed, number),
        }
    }

    /// Makes them on the current `rayon` pool; `done` counts them as they are finished. The table
    /// is the same on any number of threads.
    pub fn run(&self, done: &AtomicU64) -> Table {
        let looks: Vec<Look> = (self.range.0..self.range.1)
            .into_par_iter()
            .map(|number| {
                let mut seen = self.look(number);
                if !seen.is_bad() {
                    // Of a hundred thousand estimates these are most of the memory.
                    (seen.line, seen.shown) = (String::new(), String::new());
                }
                done.fetch_add(1, Relaxed);
                seen
            })
            .collect();
        let mut table = Table::default();
        for seen in looks {
            table.add(seen);
        }
        table
    }
}
