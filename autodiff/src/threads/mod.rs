//! Fixed blocks of work on several threads.
//!
//! The blocks depend on the sizes alone, and each has a result of its own, so the bits do not depend
//! on the number of threads: it is that of the current `rayon` pool.

mod team;

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::ranks;

/// Fewer multiplications than this stay on one thread: some ten microseconds, where waking another that
/// sleeps takes three, and one that is awake a fifth of one.
const PARALLEL_WORK: usize = 1 << 17;

/// How many threads so many multiplications are worth.
pub(crate) fn worth(work: usize) -> usize {
    match work < PARALLEL_WORK {
        true => 1,
        false => rayon::current_num_threads(),
    }
}

/// Runs `f` on every part, on several threads where `work` multiplications are worth it.
///
/// Inside a `rayon` pool its threads take the parts. Outside of one, where entering it would cost more
/// than many a pass, threads of this crate do, as many as the global pool has; they look for work for
/// some tens of microseconds before they sleep. What a part divides again, its thread does alone there.
/// In a part there are no other [ranks].
///
/// # Panics
/// If `f` does, when all parts are done.
pub fn for_each<P: Send>(parts: &mut [P], work: usize, f: impl Fn(&mut P) + Sync + Send) {
    let f = |part: &mut P| ranks::alone(|| f(part));
    let threads = if parts.len() < 2 { 1 } else { worth(work) };
    if threads < 2 {
        return parts.iter_mut().for_each(f);
    }
    if rayon::current_thread_index().is_some() {
        return parts.par_iter_mut().for_each(f);
    }
    let count = parts.len();
    let parts = Mutex::new(parts.iter_mut());
    // Who takes which part changes no result.
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    team::run(count, threads, &|_| {
        let part = next();
        f(part.expect("as many calls as parts"));
    });
}
