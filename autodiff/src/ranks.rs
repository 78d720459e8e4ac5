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

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::real::Real;
use crate::rows::{subtrees, sum_of_subtrees, tree_sum};

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
}

impl std::ops::Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Traffic {
            messages: self.messages - before.messages,
            bytes: self.bytes - before.bytes,
        }
    }
}

/// Ranks with the count of what they were asked, and a fingerprint of all that they received.
#[derive(Debug)]
struct Counted {
    ranks: Box<dyn Ranks>,
    traffic: Mutex<(Traffic, Fingerprint)>,
}

/// Of bytes, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint(u64);

/// Bytes of a fingerprint, which each rank's part of a message begins with.
const HEAD: usize = size_of::<u64>();

impl Fingerprint {
    fn add(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut whole = [0; 8];
            whole[..word.len()].copy_from_slice(word);
            // The multiplier of MurmurHash64A. A bit of a word reaches all higher ones, and those the
            // lower by the turn.
            let mixed = (self.0 ^ u64::from_le_bytes(whole)).wrapping_mul(0xc6a4_a793_5bd1_e995);
            self.0 = mixed.rotate_right(29);
        }
    }
}

impl Counted {
    fn so_far(&self) -> MutexGuard<'_, (Traffic, Fingerprint)> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// [`gather`](Ranks::gather), with what was received so far held against what others did.
    fn gather(&self, counts: &[usize], all: &mut [u8]) {
        let mut so_far = self.so_far();
        let (traffic, told) = &mut *so_far;
        let mut head = *told;
        head.add(bytemuck::cast_slice(counts));
        let with_heads = Vec::from_iter(counts.iter().map(|count| HEAD + count));
        let (rank, mut message) = (self.ranks.rank(), Vec::new());
        let mut rest = &*all;
        for (of, count) in counts.iter().enumerate() {
            let (part, after) = rest.split_at(*count);
            message.extend(if of == rank { head.0 } else { 0 }.to_le_bytes());
            message.extend(part);
            rest = after;
        }
        traffic.messages += 1;
        traffic.bytes += with_heads[rank];
        self.ranks.gather(&with_heads, &mut message);
        let (mut heads, mut parts) = (Vec::new(), &message[..]);
        let mut to = &mut *all;
        for count in counts {
            let (head, after) = parts.split_at(HEAD);
            heads.push(head);
            let (here, rest) = std::mem::take(&mut to).split_at_mut(*count);
            here.copy_from_slice(&after[..*count]);
            (parts, to) = (&after[*count..], rest);
        }
        if let Some(strays) = strays(&heads) {
            let reason = format!(
                "{strays}: what was computed since the last record is worth nothing: expected the \
                 same program, settings and data, on machines of one kind and without faults"
            );
            self.ranks.fail(2, &reason);
        }
        told.add(all);
    }
}

/// Who differs from whom, in words: those whose heads fewest others have.
fn strays(heads: &[&[u8]]) -> Option<String> {
    let like = |of: &[u8]| heads.iter().filter(|other| **other == of).count();
    let most = heads.iter().map(|of| like(of)).max()?;
    let first = heads.iter().position(|of| like(of) == most)?;
    let stray = |rank: &usize| heads[*rank] != heads[first];
    let strays = (0..heads.len()).filter(stray);
    let strays = Vec::from_iter(strays.map(|rank| format!("rank {rank}")));
    let have = if strays.len() == 1 { "has" } else { "have" };
    let strays = (!strays.is_empty()).then(|| strays.join(", "));
    strays.map(|strays| format!("{strays} {have} other numbers than rank {first}"))
}

static PROCESS: OnceLock<Arc<Counted>> = OnceLock::new();

thread_local! {
    static THREAD: RefCell<Option<Arc<Counted>>> = const { RefCell::new(None) };
    /// Whether this thread is in a part of something that threads share out.
    static IN_A_PART: Cell<bool> = const { Cell::new(false) };
}

fn counted(ranks: impl Ranks + 'static) -> Arc<Counted> {
    Arc::new(Counted {
        ranks: Box::new(ranks),
        traffic: Mutex::new((Traffic::default(), Fingerprint(0))),
    })
}

/// Those of this place, if there are several.
fn several() -> Option<Arc<Counted>> {
    if IN_A_PART.get() {
        return None;
    }
    let of_thread = THREAD.with_borrow(Clone::clone);
    let ranks = of_thread.or_else(|| PROCESS.get().cloned());
    ranks.filter(|counted| counted.ranks.size() > 1)
}

/// Makes these the ranks of the process, once and before anything is computed.
///
/// # Panics
/// If there are some already.
#[track_caller]
pub fn set(ranks: impl Ranks + 'static) {
    assert!(PROCESS.set(counted(ranks)).is_ok(), "ranks are set once");
}

/// Runs `f` as one of these, on this thread and in this call alone.
pub fn enter<R>(ranks: impl Ranks + 'static, f: impl FnOnce() -> R) -> R {
    struct Before(Option<Arc<Counted>>);
    impl Drop for Before {
        fn drop(&mut self) {
            THREAD.set(self.0.take());
        }
    }
    let _before = Before(THREAD.replace(Some(counted(ranks))));
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
    several().map_or(0, |counted| counted.ranks.rank())
}

/// How many ranks there are.
pub fn size() -> usize {
    several().map_or(1, |counted| counted.ranks.size())
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
    let Some(several) = several() else { return };
    let counts: Vec<usize> = counts.iter().map(|n| n * size_of::<N>()).collect();
    several.gather(&counts, bytemuck::cast_slice_mut(all));
}

/// Has all ranks hold their own numbers against each other's in the next [`gather`]: what each computes
/// for itself is the same everywhere, unless a machine is at fault or another one.
pub fn witness<N: bytemuck::Pod>(numbers: &[N]) {
    if let Some(several) = several() {
        several.so_far().1.add(bytemuck::cast_slice(numbers));
    }
}

/// Waits for all ranks. One that left while others go on would be waited for, for ever.
pub fn meet() {
    gather::<u8>(&vec![0; size()], &mut []);
}

/// Ends all ranks with this exit code; alone it ends the process.
pub fn fail(code: u8, reason: &str) -> ! {
    match several() {
        Some(several) => several.ranks.fail(code, reason),
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
    gather(&counts, &mut all);
    all
}

/// What was sent from this place so far.
pub fn traffic() -> Traffic {
    several().map_or_else(Traffic::default, |several| several.so_far().0)
}

/// A rank's share of some parts: as many as any other's, or one less.
pub fn share(parts: usize, rank: usize, size: usize) -> std::ops::Range<usize> {
    rank * parts / size..(rank + 1) * parts / size
}

/// Sums of the parts of a whole, each of which one rank has, as [`tree_sum`] adds
/// them up: the ranks exchange sums of whole subtrees, and each adds up the rest.
#[derive(Debug)]
pub struct SharedSum {
    /// The parts of the whole.
    count: usize,
    /// What each rank sums up, rank after rank.
    subtrees: Vec<std::ops::Range<usize>>,
    /// How many of these each has.
    counts: Vec<usize>,
    rank: usize,
}

impl SharedSum {
    /// Of `count` parts, of which each rank has its [`share`].
    pub fn new(count: usize) -> Self {
        let (rank, size) = (rank(), size());
        let mut all = Vec::new();
        let mut counts = Vec::new();
        for r in 0..size {
            let before = all.len();
            subtrees(count, share(count, r, size), &mut all);
            counts.push(all.len() - before);
        }
        SharedSum {
            count,
            subtrees: all,
            counts,
            rank,
        }
    }

    /// The sums of all ranks: `part(i, k)` is what part i of this rank has in place k, of `lens[k]`
    /// entries.
    pub fn exchange<'a, T: Real>(
        &self,
        lens: &[usize],
        part: impl Fn(usize, usize) -> &'a [T],
    ) -> Vec<T> {
        let len: usize = lens.iter().sum();
        let mut message = vec![T::zero(); self.subtrees.len() * len];
        let first: usize = self.counts[..self.rank].iter().sum();
        let own = first..first + self.counts[self.rank];
        // Parts are counted from this rank's first.
        let start = self.subtrees.get(first).map_or(0, |subtree| subtree.start);
        for (subtree, at) in self.subtrees[own.clone()].iter().zip(own) {
            let mut sums = &mut message[at * len..][..len];
            for (k, len) in lens.iter().enumerate() {
                let (sum, rest) = sums.split_at_mut(*len);
                let of = |i: usize| part(subtree.start - start + i, k);
                tree_sum(subtree.len(), of, sum);
                sums = rest;
            }
        }
        let counts: Vec<usize> = self.counts.iter().map(|n| n * len).collect();
        gather(&counts, &mut message);
        message
    }

    /// Overwrites `out` with the sum of all parts, from a message of sums of `len` entries: of those
    /// that begin at `first`.
    pub fn sum<T: Real>(&self, message: &[T], len: usize, first: usize, out: &mut [T]) {
        let of = |i: usize| &message[i * len + first..];
        sum_of_subtrees(self.count, &self.subtrees, of, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_few_that_differ_are_named() {
        let of = |heads: &[&str]| strays(&Vec::from_iter(heads.iter().map(|h| h.as_bytes())));
        assert_eq!(of(&["a", "a", "a"]), None);
        let told = |heads: &[&str]| of(heads).expect("strays");
        assert_eq!(told(&["a", "b"]), "rank 1 has other numbers than rank 0");
        assert_eq!(
            told(&["b", "a", "a"]),
            "rank 0 has other numbers than rank 1"
        );
        let two = told(&["a", "b", "a", "c"]);
        assert_eq!(two, "rank 1, rank 3 have other numbers than rank 0");
    }

    #[test]
    fn any_bit_and_any_order_changes_a_fingerprint() {
        let of = |bytes: &[u8]| {
            let mut print = Fingerprint(7);
            print.add(bytes);
            print
        };
        let bytes: Vec<u8> = (0..21).collect();
        for bit in 0..8 * bytes.len() {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&other), of(&bytes), "bit {bit}");
        }
        let mut other = bytes.clone();
        other.swap(3, 17);
        assert_ne!(of(&other), of(&bytes));
    }
}
