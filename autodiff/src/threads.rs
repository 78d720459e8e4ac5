//! Fixed blocks of work on several threads.
//!
//! The blocks depend on the sizes alone, and each has a result of its own, so the bits do not depend
//! on the number of threads: it is that of the current `rayon` pool.

use rayon::prelude::*;

/// Fewer multiplications than this stay on one thread: waking another costs microseconds.
const PARALLEL_WORK: usize = 1 << 18;

/// Runs `f` on every part, on several threads where `work` multiplications are worth it.
///
/// A caller outside a `rayon` pool wakes one for each call; computations of many small passes should
/// run inside one (`ThreadPool::install`, or `rayon::scope`).
pub fn for_each<P: Send>(parts: &mut [P], work: usize, f: impl Fn(&mut P) + Sync + Send) {
    if work >= PARALLEL_WORK && parts.len() > 1 && rayon::current_num_threads() > 1 {
        parts.par_iter_mut().for_each(f);
    } else {
        parts.iter_mut().for_each(f);
    }
}
