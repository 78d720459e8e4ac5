//! Normal numbers that are the same everywhere.

use nalgebra::DVector;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Normal numbers by Box and Muller, two words of 64 bits each.
pub(crate) struct Gaussian(ChaCha8Rng);

impl Gaussian {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Gaussian(rng)
    }

    pub(crate) fn draw(&mut self) -> f64 {
        // In (0, 1], so that the logarithm is finite.
        let mut unit = || ((self.0.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos()
    }

    pub(crate) fn vector(&mut self, len: usize, variance: f64) -> DVector<f64> {
        DVector::from_fn(len, |_, _| variance.sqrt() * self.draw())
    }
}
