//! Fixed blocks of work on several processes: ranks that run the same program, each on its share.
//!
//! What is not shared out, every rank computes for itself from the same numbers, so that all come to
//! the same decisions without a message. Ranks meet in [`gather`] alone, in the same order: they add up
//! the same operands in the same order, and the bits do not depend on how many there are. That all have
//! received the same so far, and ask for the same, is held against each other in each [`gather`]: a
//! fingerprint of eight bytes comes with what is sent. As with the
//! threads of a `rayon` pool, who computes is that of the place and no argument: [`set`] for the
//! process, [`enter`] for a thread. Who says neither is alone, and so is whatever runs in a part of
//! [`for_each`](crate::threads::for_each): a point that was linearised outside of one goes on outside.
//!
//! ```
//! use autodiff::ranks;
//!
//! assert_eq!((ranks::rank(), ranks::size()), (0, 1));
//! let mut all = [1.0, 2.0];
//! ranks::gather(&[2], &mut all); // what one rank has, in its place
//! assert_eq!(all, [1.0, 2.0]);
//! ```

mod counted;
mod sum;

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use counted::Counted;
pub use sum::SharedSum;

/// Processes that run the same program on shares of its samples.
pub trait Ranks: Debug + Send + Sync {
    /// Which of them this is, from 0 on.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Completes `all`, of which rank r has `counts[r]` bytes after those of the ranks before it: its own
    /// stand in their place. All ranks call it in the same order, with the same counts.
    ///
    /// A failure ends all ranks, as [`fail`](Ranks::fail) does: a rank that went on alone would wait for
    /// ever.
    fn gather(&self, counts: &[usize], all: &mut [u8]);

    /// Ends all ranks with this exit code, for what they cannot agree on.
    fn fail(&self, code: u8, reason: &str) -> !;
}

/// What a process sent to others, over all of its ranks' gathers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Traffic {
    /// Gathers.
    pub messages: usize,
    /// Bytes of this rank that went to each of the others.
    pub bytes: usize,
    /// The most bytes of buffers that were held for one message so far, which are not on a
    /// [`Meter`](crate::Meter): they depend on the number of ranks, as nothing else does. Twice the bytes
    /// that all ranks send and once those of this rank, at most.
    #[cfg_attr(feature = "serde", serde(default))]
    pub held: usize,
}

impl std::ops::Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Traffic {
            messages: self.messages - before.messages,
            bytes: self.bytes - before.bytes,
            held: self.held,
        }
    }
}

static PROCESS: OnceLock<Arc<Counted>> = OnceLock::new();

thread_local! {
    static THREAD: RefCell<Option<Arc<Counted>>> = const { RefCell::new(None) };
    /// Whether this thread is in a part of something that threads share out.
    static IN_A_PART: Cell<bool> = const { Cell::new(false) };
}

/// Those of this place, if there are several.
fn several() -> Option<Arc<Counted>> {
    if IN_A_PART.get() {
        return None;
    }
    let of_thread = THREAD.with_borrow(Clone::clone);
    let ranks = of_thread.or_else(|| PROCESS.get().cloned());
    ranks.filter(|counted| counted.size() > 1)
}

/// Makes these the ranks of the process, once and before anything is computed.
///
/// # Panics
/// If there are some already.
#[track_caller]
pub fn set(ranks: impl Ranks + 'static) {
    assert!(
        PROCESS.set(Arc::new(Counted::new(ranks))).is_ok(),
        "ranks are set once"
    );
}

/// Runs `f` as one of these, on this thread and in this call alone.
pub fn enter<R>(ranks: impl Ranks + 'static, f: impl FnOnce() -> R) -> R {
    struct Before(Option<Arc<Counted>>);
    impl Drop for Before {
        fn drop(&mut self) {
            THREAD.set(self.0.take());
        }
    }
    let _before = Before(THREAD.replace(Some(Arc::new(Counted::new(ranks)))));
    f()
}

/// Runs `f` without other ranks. So does every part of [`for_each`](crate::threads::for_each), as what
/// threads take in no fixed order cannot meet that of other processes; and so does who solves something of
/// its own, such as the lower level of a sample.
pub fn alone<R>(f: impl FnOnce() -> R) -> R {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            IN_A_PART.set(self.0);
        }
    }
    let _before = Before(IN_A_PART.replace(true));
    f()
}

/// Which rank this is, from 0 on.
pub fn rank() -> usize {
    several().map_or(0, |counted| counted.rank())
}

/// How many ranks there are.
pub fn size() -> usize {
    several().map_or(1, |counted| counted.size())
}

/// Completes `all`, of which rank r has `counts[r]` entries after those of the ranks before it: its own
/// stand in their place. All ranks call it in the same order, with the same counts.
///
/// # Panics
/// If there is not one count for each rank, or they do not add up.
#[track_caller]
pub fn gather<N: bytemuck::Pod>(counts: &[usize], all: &mut [N]) {
    assert_eq!(counts.len(), size(), "a count for each rank");
    let sum: usize = counts.iter().sum();
    assert_eq!(sum, all.len(), "entries of all ranks");
    gather_holding(counts, all, 0);
}

/// [`gather`] of a buffer that is held for it alone, and counted so.
///
/// # Panics
/// As that.
#[track_caller]
pub fn exchange<N: bytemuck::Pod>(counts: &[usize], mut all: Vec<N>) -> Vec<N> {
    let sum: usize = counts.iter().sum();
    assert_eq!(counts.len(), size(), "a count for each rank");
    assert_eq!(sum, all.len(), "entries of all ranks");
    let held = all.capacity() * size_of::<N>();
    gather_holding(counts, &mut all, held);
    all
}

fn gather_holding<N: bytemuck::Pod>(counts: &[usize], all: &mut [N], held: usize) {
    let Some(several) = several() else { return };
    let counts: Vec<usize> = counts.iter().map(|n| n * size_of::<N>()).collect();
    several.gather(&counts, bytemuck::cast_slice_mut(all), held);
}

/// Has ranks go on one after the other, each from what the one before has left in `state`: for sums over
/// what ranks hold of a whole, in its order. All end with what the last has left.
pub fn in_turn<N: bytemuck::Pod>(state: &mut [N], go_on: &mut dyn FnMut(&mut [N])) {
    for turn in 0..size() {
        if turn == rank() {
            go_on(state);
        }
        let mut counts = vec![0; size()];
        counts[turn] = state.len();
        gather(&counts, state);
    }
}

/// Has all ranks hold their own numbers against each other's in the next [`gather`]: what each computes
/// for itself is the same everywhere, unless a machine is at fault or another one.
pub fn witness<N: bytemuck::Pod>(numbers: &[N]) {
    if let Some(several) = several() {
        several.witness(bytemuck::cast_slice(numbers));
    }
}

/// Waits for all ranks. One that left while others go on would be waited for, for ever.
pub fn meet() {
    gather::<u8>(&vec![0; size()], &mut []);
}

/// Ends all ranks with this exit code; alone it ends the process.
pub fn fail(code: u8, reason: &str) -> ! {
    match several() {
        Some(several) => several.fail(code, reason),
        None => {
            eprintln!("{reason}");
            std::process::exit(code.into())
        }
    }
}

/// The bytes that rank 0 has, on every rank; on others `own` is not looked at.
pub fn broadcast(own: Vec<u8>) -> Vec<u8> {
    if size() == 1 {
        return own;
    }
    let mut counts = vec![0; size()];
    counts[0] = 1;
    let mut len = [own.len() as u64];
    gather(&counts, &mut len);
    counts[0] = len[0] as usize;
    let mut all = own;
    all.resize(counts[0], 0);
    exchange(&counts, all)
}

/// What was sent from this place so far.
pub fn traffic() -> Traffic {
    several().map_or_else(Traffic::default, |several| several.traffic())
}

/// A rank's share of some parts: as many as any other's, or one less.
pub fn share(parts: usize, rank: usize, size: usize) -> std::ops::Range<usize> {
    rank * parts / size..(rank + 1) * parts / size
}
