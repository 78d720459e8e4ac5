//! What a method chooses at random beside samples.

use std::f64::consts::TAU;

use autodiff::Real;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::ledger::Ledger;
use crate::method::{Keep, State};
use crate::sampling::{Draws, below};

/// The stream of choices that are no samples, of the run's seed; where it stands is saved.
pub(super) struct Choices(ChaCha8Rng);

impl Choices {
    pub(super) fn new<T: Real>(s: &State<'_, T>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(s.sampling().seed());
        rng.set_stream(Draws::CHOICES);
        Choices(rng)
    }

    /// A uniform whole number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        below(&mut self.0, n)
    }

    /// A uniform number from 0 on below 1, of 53 bits.
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (0.5 * f64::EPSILON)
    }

    /// Yes, with this chance.
    pub(super) fn coin(&mut self, chance: f64) -> bool {
        self.uniform() < chance
    }

    /// A standard normal number: one of Box and Muller's pair.
    pub(super) fn normal(&mut self) -> f64 {
        let (u, angle) = (self.uniform(), self.uniform());
        (-2.0 * (1.0 - u).ln()).sqrt() * (TAU * angle).cos()
    }
}

impl Keep for Choices {
    fn visit(&mut self, ledger: &mut Ledger) {
        let place = self.0.get_word_pos();
        let (mut low, mut high) = (place as u64, (place >> 64) as u64);
        ledger.word("choices made", &mut low);
        ledger.word("choices made, beyond 64 bits", &mut high);
        let place = u128::from(high) << 64 | u128::from(low);
        self.0.set_word_pos(place);
    }
}
