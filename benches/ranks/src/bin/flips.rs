//! The program with a fault, to be tested by: `FLIP=RANK:GATHER` has one bit flipped in a number that this
//! rank receives in that gather, or in the next that has numbers.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use autodiff::ranks::Ranks;
use bilevel_ranks::{World, program, run};

/// Messages of fewer bytes are no sums of numbers.
const LEAST: usize = 256;

#[derive(Debug)]
struct Flips {
    world: World,
    rank: usize,
    from: usize,
    made: AtomicUsize,
    done: AtomicBool,
}

impl Ranks for Flips {
    fn rank(&self) -> usize {
        self.world.rank()
    }

    fn size(&self) -> usize {
        self.world.size()
    }

    fn gather(&self, counts: &[usize], all: &mut [u8]) {
        self.world.gather(counts, all);
        let due = self.made.fetch_add(1, Relaxed) >= self.from && all.len() > LEAST;
        if self.rank() == self.rank && due && !self.done.swap(true, Relaxed) {
            // In the middle of the last number's fraction: no NaN, no infinity.
            let at = all.len() - 5;
            all[at] ^= 1;
        }
    }

    fn fail(&self, code: u8, reason: &str) -> ! {
        self.world.fail(code, reason)
    }
}

fn main() -> ExitCode {
    let flip = std::env::var("FLIP").expect("FLIP=RANK:GATHER");
    let (rank, from) = flip.split_once(':').expect("RANK:GATHER");
    let rank = rank.parse().expect("a rank");
    let from = from.parse().expect("a number");
    let flips = |world| Flips {
        world,
        rank,
        from,
        made: AtomicUsize::new(0),
        done: AtomicBool::new(false),
    };
    ExitCode::from(run(flips, program))
}
