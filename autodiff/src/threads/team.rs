//! Threads that wait for fixed blocks of work, for callers outside of a `rayon` pool.
//!
//! Entering a `rayon` pool from outside costs several microseconds, more than many a pass takes. These
//! threads look for work for a while before they sleep, and a caller does its share itself and waits for
//! nobody who has not begun. `cargo bench -p bilevel-benches --bench engine -- entry`
//! measures it.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Thread};

/// Looks for work before a thread sleeps: some tens of microseconds.
const LOOKS: usize = 1 << 12;
/// Looks for the end before a caller lets others run.
const PATIENCE: usize = 1 << 14;

/// What is done for each index.
type Task<'a> = &'a (dyn Fn(usize) + Sync);

/// What callers and helpers share.
struct Board {
    /// How often work was put up, the number of its parts, and the next of them: 32, 16 and 16 bits.
    claims: AtomicU64,
    /// The work that is up; stands while one of its parts is claimed and not done.
    task: UnsafeCell<Option<Task<'static>>>,
    done: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `task` is written by the caller that holds the team, when no part is claimed, before it puts
// up the claims (release); it is read by who has claimed a part (acquire), and the caller waits for the
// end of every part that was claimed before it writes again.
unsafe impl Sync for Board {}

/// A thread that helps.
struct Helper {
    thread: Thread,
    sleeps: &'static AtomicBool,
}

static BOARD: Board = Board {
    claims: AtomicU64::new(0),
    task: UnsafeCell::new(None),
    done: AtomicUsize::new(0),
    panic: Mutex::new(None),
};

thread_local! {
    /// Whether this thread is at a part: what that divides again, it does alone.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

impl Board {
    /// The next part that nobody has claimed.
    fn claim(&self) -> Option<usize> {
        let mut claims = self.claims.load(Acquire);
        loop {
            let (count, next) = (claims >> 16 & 0xffff, claims & 0xffff);
            if next >= count {
                return None;
            }
            match self
                .claims
                .compare_exchange_weak(claims, claims + 1, Acquire, Acquire)
            {
                Ok(_) => return Some(next as usize),
                Err(now) => claims = now,
            }
        }
    }

    /// Does parts until all are claimed.
    fn work(&self) {
        while let Some(part) = self.claim() {
            // SAFETY: the part is claimed and not done, so that nobody writes.
            let task = unsafe { *self.task.get() }.expect("put up before its parts");
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| task(part))) {
                let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(panic);
            }
            self.done.fetch_add(1, Release);
        }
    }

    /// Helps for ever.
    fn help(&self, sleeps: &AtomicBool) {
        BUSY.set(true);
        let mut looks = 0;
        loop {
            let claims = self.claims.load(Acquire);
            if claims & 0xffff < claims >> 16 & 0xffff {
                self.work();
                looks = 0;
            } else if looks < LOOKS {
                looks += 1;
                std::hint::spin_loop();
            } else {
                sleeps.store(true, SeqCst);
                // Who puts up work after this look sees that this thread sleeps.
                if self.claims.load(SeqCst) == claims {
                    thread::park();
                }
                sleeps.store(false, SeqCst);
                looks = 0;
            }
        }
    }
}

/// The threads of the process that help; of whoever holds them.
fn helpers() -> &'static Mutex<Vec<Helper>> {
    static HELPERS: OnceLock<Mutex<Vec<Helper>>> = OnceLock::new();
    HELPERS.get_or_init(Mutex::default)
}

fn one_more(helpers: &mut Vec<Helper>) {
    let sleeps: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let made = thread::Builder::new().name("autodiff".to_owned());
    let made = made.spawn(|| BOARD.help(sleeps));
    // Without it the others do its share.
    if let Ok(made) = made {
        let thread = made.thread().clone();
        helpers.push(Helper { thread, sleeps });
    }
}

/// Does `task` for every index below `count`, on this thread and at most `threads − 1` others.
pub(crate) fn run(count: usize, threads: usize, task: Task<'_>) {
    let alone = || (0..count).for_each(task);
    if BUSY.get() || count > 0xffff {
        return alone();
    }
    let mut helpers = match helpers().try_lock() {
        Ok(helpers) => helpers,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // Another thread's work is under way.
        Err(TryLockError::WouldBlock) => return alone(),
    };
    let wanted = threads.min(count) - 1;
    while helpers.len() < wanted {
        let before = helpers.len();
        one_more(&mut helpers);
        if helpers.len() == before {
            break;
        }
    }
    // SAFETY: the lifetime is that of this call, which ends when all parts are done.
    let task = unsafe { std::mem::transmute::<Task<'_>, Task<'static>>(task) };
    // SAFETY: this thread holds the team, and no part is claimed.
    unsafe { *BOARD.task.get() = Some(task) };
    BOARD.done.store(0, Relaxed);
    let turn = (BOARD.claims.load(Relaxed) >> 32).wrapping_add(1);
    BOARD
        .claims
        .store(turn << 32 | (count as u64) << 16, SeqCst);
    for helper in &helpers[..wanted.min(helpers.len())] {
        if helper.sleeps.load(SeqCst) {
            helper.thread.unpark();
        }
    }
    BUSY.set(true);
    BOARD.work();
    BUSY.set(false);
    let mut looks = 0;
    while BOARD.done.load(Acquire) < count {
        looks += 1;
        match looks < PATIENCE {
            true => std::hint::spin_loop(),
            false => thread::yield_now(),
        }
    }
    let panic = BOARD
        .panic
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    drop(helpers);
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once_however_often_and_by_however_many() {
        for round in 0..2000 {
            let count = 1 + round % 17;
            let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            run(count, 1 + round % 5, &|k| {
                done[k].fetch_add(1, Relaxed);
            });
            assert!(done.iter().all(|d| d.load(Relaxed) == 1), "{round}");
            if round % 500 == 0 {
                // So that the others sleep.
                thread::sleep(std::time::Duration::from_millis(2));
            }
        }
    }

    #[test]
    fn callers_at_one_time_and_parts_that_divide_again_come_to_their_end() {
        let sum = AtomicUsize::new(0);
        let inner = |_: usize| {
            sum.fetch_add(1, Relaxed);
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        run(4, 3, &|_| run(3, 2, &inner));
                    }
                });
            }
        });
        assert_eq!(sum.load(Relaxed), 3 * 200 * 4 * 3);
    }

    #[test]
    fn a_panic_in_a_part_is_the_callers_when_no_part_is_under_way_and_the_team_goes_on() {
        /// Counts a part's end, by a panic too.
        struct Ends<'a>(&'a AtomicUsize);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        for panicking in 0..5 {
            let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let caught = catch_unwind(AssertUnwindSafe(|| {
                run(5, 3, &|k| {
                    begun.fetch_add(1, Relaxed);
                    let _ends = Ends(&ended);
                    if k == panicking {
                        // Without the hook, which is the process's.
                        resume_unwind(Box::new("part"));
                    }
                    // So that others are at their parts when one panics.
                    thread::sleep(std::time::Duration::from_micros(100));
                });
            }));
            let message = caught.expect_err("a panic");
            assert_eq!(message.downcast_ref(), Some(&"part"));
            // Where another caller holds the team, this thread is alone and what follows is left out.
            let (begun, ended) = (begun.into_inner(), ended.into_inner());
            assert_eq!(begun, ended);
            assert!(begun > panicking, "{begun} of 5, {panicking}");
        }
        run(5, 3, &|_| ());
    }
}
