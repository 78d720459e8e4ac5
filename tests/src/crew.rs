//! Threads of one process as ranks, to be tested by.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Barrier, Mutex, PoisonError};

use autodiff::ranks::{self, Ranks};

/// Where the ranks of a crew meet.
#[derive(Debug)]
struct Table {
    size: usize,
    barrier: Barrier,
    all: Mutex<Vec<u8>>,
}

/// A thread that is a rank.
#[derive(Debug)]
struct Member {
    rank: usize,
    table: Arc<Table>,
}

impl Member {
    fn with_all(&self, f: impl FnOnce(&mut Vec<u8>)) {
        f(&mut self
            .table
            .all
            .lock()
            .unwrap_or_else(PoisonError::into_inner));
        self.table.barrier.wait();
    }
}

impl Ranks for Member {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.table.size
    }

    fn gather(&self, counts: &[usize], all: &mut [u8]) {
        let first: usize = counts[..self.rank].iter().sum();
        let own = first..first + counts[self.rank];
        self.with_all(|there| {
            if there.is_empty() {
                there.resize(all.len(), 0);
            }
            // A rank that asks for something else has left the others.
            assert_eq!(there.len(), all.len(), "ranks gather the same");
            there[own.clone()].copy_from_slice(&all[own]);
        });
        self.with_all(|there| all.copy_from_slice(there));
        self.with_all(|there| {
            there.clear();
        });
    }

    fn fail(&self, code: u8, reason: &str) -> ! {
        resume_unwind(Box::new(Failed(format!("{code}: {reason}"))))
    }
}

/// Why a rank ended all.
struct Failed(String);

/// What each of so many ranks comes to, in their order, each with a pool of so many threads.
///
/// A panic of one ends the process: the others would wait for it for ever.
pub fn crew<R: Send>(size: usize, threads: usize, f: impl Fn() -> R + Sync) -> Vec<R> {
    let of = |end: Result<R, String>| end.expect("ranks that agree");
    crew_until(size, threads, f).into_iter().map(of).collect()
}

/// [`crew`], or why a rank ended all, which all of them know.
pub fn crew_until<R: Send>(
    size: usize,
    threads: usize,
    f: impl Fn() -> R + Sync,
) -> Vec<Result<R, String>> {
    let table = Arc::new(Table {
        size,
        barrier: Barrier::new(size),
        all: Mutex::default(),
    });
    let member = &|rank: usize| {
        let table = table.clone();
        let member = Member { rank, table };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("threads");
        let work = || pool.install(|| ranks::enter(member, &f));
        catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match payload.downcast::<Failed>() {
            Ok(failed) => failed.0,
            Err(_) => std::process::abort(),
        })
    };
    std::thread::scope(|scope| {
        let members = (0..size).map(|rank| scope.spawn(move || member(rank)));
        let members: Vec<_> = members.collect();
        let results = members.into_iter().map(|m| m.join().expect("no panic"));
        results.collect()
    })
}
