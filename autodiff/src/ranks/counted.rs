//! What ranks are asked for, counted; and what they have received, held against each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Ranks, Traffic};

/// Ranks with the count of what they were asked, and a fingerprint of all that they received.
#[derive(Debug)]
pub(super) struct Counted {
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
    pub(super) fn new(ranks: impl Ranks + 'static) -> Self {
        Counted {
            ranks: Box::new(ranks),
            traffic: Mutex::new((Traffic::default(), Fingerprint(0))),
        }
    }

    pub(super) fn rank(&self) -> usize {
        self.ranks.rank()
    }

    pub(super) fn size(&self) -> usize {
        self.ranks.size()
    }

    pub(super) fn fail(&self, code: u8, reason: &str) -> ! {
        self.ranks.fail(code, reason)
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.so_far().0
    }

    /// Adds to the fingerprint what was not received.
    pub(super) fn witness(&self, numbers: &[u8]) {
        self.so_far().1.add(numbers);
    }

    fn so_far(&self) -> MutexGuard<'_, (Traffic, Fingerprint)> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// [`gather`](Ranks::gather), with what was received so far held against what others did. Of `all`, so
    /// many bytes are held for this message alone.
    pub(super) fn gather(&self, counts: &[usize], all: &mut [u8], held: usize) {
        let mut so_far = self.so_far();
        let (traffic, told) = &mut *so_far;
        let mut head = *told;
        head.add(bytemuck::cast_slice(counts));
        let with_heads = Vec::from_iter(counts.iter().map(|count| HEAD + count));
        let (rank, len) = (self.ranks.rank(), all.len() + HEAD * counts.len());
        let mut message = Vec::with_capacity(len);
        let mut rest = &*all;
        for (of, count) in counts.iter().enumerate() {
            let (part, after) = rest.split_at(*count);
            message.extend(if of == rank { head.0 } else { 0 }.to_le_bytes());
            message.extend(part);
            rest = after;
        }
        traffic.messages += 1;
        traffic.bytes += with_heads[rank];
        // What a rank sends is copied once more: no library takes it from where it puts the others'.
        traffic.held = traffic.held.max(held + len + with_heads[rank]);
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
