//! The information buffer: the bits that multiplication by a decay loses.
//!
//! For each entry, one number in mixed radix. A multiplication by n/d pushes the remainder modulo d
//! and takes a digit modulo n out again to fill the product's lowest places, so that the number
//! grows by log₂(d/n) bits (Maclaurin, Duvenaud and Adams 2015, algorithm 3). Where they let it grow
//! without end, its head stays in [L, 2³² L) and whole words go to a stack; as n and d both divide L,
//! what was moved there is told from the head alone (J. Duda, Asymmetric numeral systems, 2013).

use crate::bytes::{Category, Claim, Meter};

use super::decay::Decay;

const WORD_BITS: u32 = 32;

/// One stack of bits for each entry of a vector.
pub(super) struct BitStore {
    decay: Decay,
    /// L, a multiple of n d.
    least: u64,
    heads: Vec<u64>,
    heights: Vec<u32>,
    /// Word h of entry i at `h · entries + i`: the stacks are of almost one height.
    words: Vec<u32>,
    most: usize,
    bytes: Claim,
}

impl BitStore {
    pub(super) fn new(meter: &Meter) -> Self {
        BitStore {
            decay: Decay { n: 1, d: 1 },
            least: 0,
            heads: Vec::new(),
            heights: Vec::new(),
            words: Vec::new(),
            most: 0,
            bytes: Claim::new(0, Category::Checkpoints, meter),
        }
    }

    /// Words that a stack of this many steps may need.
    ///
    /// A step adds log₂(d/n) bits, and less than 2⁻¹³ by rounding: what is divided without its
    /// remainder is at least L/d > 2¹⁵. For a moment there is one word more.
    fn words(steps: usize, decay: Decay) -> usize {
        let bits = steps as f64 * (decay.bits() + 2f64.powi(-13));
        (bits / f64::from(WORD_BITS)) as usize + 1
    }

    /// Bytes of the stores of this many entries and steps.
    pub(super) fn bytes(entries: usize, steps: usize, decay: Decay) -> usize {
        let stack = Self::words(steps, decay).saturating_mul(size_of::<u32>());
        entries.saturating_mul(stack.saturating_add(size_of::<u64>() + size_of::<u32>()))
    }

    /// Empties it and makes room for this many entries and steps.
    pub(super) fn start(&mut self, entries: usize, steps: usize, decay: Decay) {
        let most = Self::words(steps, decay);
        if (self.heads.len(), self.most) != (entries, most) {
            // The old blocks go before the new ones come.
            (self.heads, self.heights, self.words) = Default::default();
            self.bytes.set(Self::bytes(entries, steps, decay));
            self.heads = vec![0; entries];
            self.heights = vec![0; entries];
            self.words = vec![0; entries * most];
            self.most = most;
        }
        let both = u64::from(decay.n) * u64::from(decay.d);
        self.least = u64::from(u32::MAX) / both * both;
        self.decay = decay;
        self.heads.fill(self.least);
        self.heights.fill(0);
    }

    /// `value · n/d` for entry `i`, to within n, with what undoes it stored.
    pub(super) fn decay(&mut self, i: usize, value: i64) -> i64 {
        let (n, d) = (i64::from(self.decay.n), i64::from(self.decay.d));
        self.push(i, value.rem_euclid(d) as u64, d as u64);
        value.div_euclid(d) * n + self.pop(i, n as u64) as i64
    }

    /// The value that [`decay`](BitStore::decay) made this one of.
    pub(super) fn undo(&mut self, i: usize, value: i64) -> i64 {
        let (n, d) = (i64::from(self.decay.n), i64::from(self.decay.d));
        self.push(i, value.rem_euclid(n) as u64, n as u64);
        value.div_euclid(n) * d + self.pop(i, d as u64) as i64
    }

    /// Whether all that was stored has been taken out again.
    pub(super) fn is_empty(&self) -> bool {
        self.heads.iter().all(|h| *h == self.least) && self.heights.iter().all(|h| *h == 0)
    }

    fn push(&mut self, i: usize, digit: u64, radix: u64) {
        let mut head = self.heads[i];
        if head >= (self.least / radix) << WORD_BITS {
            let height = self.heights[i] as usize;
            // Only a way back that strayed pushes more than there is room for.
            if height < self.most {
                self.words[height * self.heads.len() + i] = head as u32;
                self.heights[i] += 1;
            }
            head >>= WORD_BITS;
        }
        self.heads[i] = head * radix + digit;
    }

    fn pop(&mut self, i: usize, radix: u64) -> u64 {
        let head = self.heads[i];
        let (digit, mut head) = (head % radix, head / radix);
        if head < self.least && self.heights[i] > 0 {
            self.heights[i] -= 1;
            let word = self.words[self.heights[i] as usize * self.heads.len() + i];
            head = head << WORD_BITS | u64::from(word);
        }
        self.heads[i] = head;
        digit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ratio() -> impl Strategy<Value = Decay> {
        let any = (1..=65_535u32, 1..=65_535u32).prop_map(|(a, b)| (a.min(b), a.max(b)));
        let simple = (1..=20u32, 1..=20u32).prop_map(|(a, b)| (a.min(b), a.max(b)));
        prop_oneof![any, simple].prop_map(|(n, d)| Decay { n, d })
    }

    #[test]
    fn one_digit_is_seen() {
        let mut store = BitStore::new(&Meter::new());
        store.start(2, 10, Decay { n: 9, d: 10 });
        assert!(store.is_empty());
        for value in [12_345, -1, 7] {
            let product = store.decay(1, value);
            assert!(!store.is_empty());
            assert_eq!(store.undo(1, product), value);
            assert!(store.is_empty());
        }
    }

    /// Forces far apart in size, so that digits and stacks vary.
    fn forces() -> impl Strategy<Value = Vec<i64>> {
        let sized = (any::<i64>(), 12..62u32).prop_map(|(v, bits)| v >> bits);
        proptest::collection::vec(sized, 1..400)
    }

    /// `v ← γv + u` for every u and back: each v, the bound of a product's error, an empty store.
    fn there_and_back(decay: Decay, forces: &[i64]) {
        let mut store = BitStore::new(&Meter::new());
        store.start(2, forces.len(), decay);
        let (mut v, mut before, mut highest) = (0i64, Vec::new(), 0);
        for u in forces {
            before.push(v);
            let product = store.decay(1, v);
            let exact = i128::from(v) * i128::from(decay.n);
            let error = i128::from(product) * i128::from(decay.d) - exact;
            assert!(error.abs() < i128::from(decay.n) * i128::from(decay.d));
            v = product + u;
            highest = highest.max(store.heights[1] as usize);
        }
        assert!(highest <= store.most);
        // Nearly all the room is used: the bound is no guess.
        let used = (store.heights[1] + 2) as f64 + 0.01 * store.most as f64;
        let rounding = forces.len() as f64 * 2f64.powi(-13) / 32.0;
        assert!(
            used + rounding >= store.most as f64,
            "{decay:?}: {used} of {}",
            store.most
        );
        for (u, before) in forces.iter().zip(before).rev() {
            v = store.undo(1, v - u);
            assert_eq!(v, before, "{decay:?}");
        }
        assert!(store.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn every_multiplication_is_undone(decay in ratio(), forces in forces()) {
            there_and_back(decay, &forces);
        }
    }

    #[test]
    fn ten_thousand_steps_are_undone() {
        let force = |k: i64| k.wrapping_mul(k).wrapping_mul(0x1E37_79B9_7F4A_7C15) >> (12 + k % 40);
        let forces: Vec<i64> = (0..10_000).map(force).collect();
        for (n, d) in [
            (1, 1),
            (9, 10),
            (99, 100),
            (999, 1000),
            (1, 2),
            (2, 3),
            (1, 10),
            (1, 65_535),
            (65_534, 65_535),
            (32_768, 65_535),
            (65_521, 65_535),
            (7, 11),
            (58_982, 65_533),
        ] {
            there_and_back(Decay { n, d }, &forces);
        }
    }

    #[test]
    fn the_room_is_the_bits_that_are_lost() {
        let decay = Decay { n: 9, d: 10 };
        let bits = |steps| 8 * BitStore::bytes(1, steps, decay);
        let a_step = (bits(1_010_000) - bits(10_000)) as f64 / 1e6;
        assert!((a_step - (10f64 / 9.0).log2()).abs() < 2e-4, "{a_step}");
        let whole = Decay { n: 1, d: 1 };
        assert_eq!(BitStore::bytes(3, 1000, whole), 3 * (4 + 8 + 4));
        assert_eq!(
            BitStore::bytes(3, usize::MAX, Decay { n: 1, d: 60_000 }),
            usize::MAX
        );
    }
}
