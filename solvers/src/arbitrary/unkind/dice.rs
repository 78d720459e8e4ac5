//! Numbers of one case: a function of a seed and the case's number.

use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random numbers that a precision can hold.
pub(super) struct Dice {
    rng: ChaCha8Rng,
    pub(super) single: bool,
}

impl Dice {
    /// The stream of case `number` of those with this seed, of numbers that `f64` holds.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        Dice { rng, single: false }
    }

    /// The nearest number that the precision holds.
    pub(super) fn round(&self, value: f64) -> f64 {
        match self.single {
            true => f64::from(value as f32),
            false => value,
        }
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 * 2f64.powi(-53)
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform among 0 … `count` − 1.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }

    /// One of several, each as likely.
    pub(super) fn pick<V: Copy>(&mut self, of: &[V]) -> V {
        of[self.below(of.len())]
    }

    /// Uniform between two numbers.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        let value = low + (high - low) * self.unit();
        self.round(value)
    }

    /// A power of ten, its exponent uniform between two numbers.
    pub(super) fn power(&mut self, low: f64, high: f64) -> f64 {
        let value = 10f64.powf(low + (high - low) * self.unit());
        self.round(value)
    }

    /// Of either sign, its size between ¼ and 1: no cancellation by chance.
    pub(super) fn number(&mut self) -> f64 {
        let size = self.between(0.25, 1.0);
        if self.chance(0.5) { size } else { -size }
    }

    /// A vector of [numbers](Dice::number).
    pub(super) fn vector(&mut self, len: usize) -> DVector<f64> {
        DVector::from_fn(len, |_, _| self.number())
    }

    /// A matrix of [numbers](Dice::number).
    pub(super) fn matrix(&mut self, rows: usize, cols: usize) -> DMatrix<f64> {
        DMatrix::from_fn(rows, cols, |_, _| self.number())
    }

    /// A matrix, rounded to the precision.
    pub(super) fn rounded(&self, matrix: DMatrix<f64>) -> DMatrix<f64> {
        matrix.map(|v| self.round(v))
    }

    /// An orthogonal matrix: two reflections.
    pub(super) fn rotation(&mut self, n: usize) -> DMatrix<f64> {
        let mut rotation = DMatrix::identity(n, n);
        for _ in 0..2 {
            let v = self.vector(n);
            let reflection =
                DMatrix::identity(n, n) - &v * v.transpose() * (2.0 / v.norm_squared());
            rotation = reflection * rotation;
        }
        rotation
    }

    /// A symmetric positive definite matrix with eigenvalues spread evenly in their logarithms
    /// from 10^−decades to 1.
    pub(super) fn definite(&mut self, n: usize, decades: f64) -> DMatrix<f64> {
        let q = self.rotation(n);
        let part = |i: usize| i as f64 / (n.max(2) - 1) as f64;
        let d = DVector::from_fn(n, |i, _| 10f64.powf(-decades * part(i)));
        let a = &q * DMatrix::from_diagonal(&d) * q.transpose();
        let a = (&a + a.transpose()) * 0.5;
        self.rounded(a)
    }
}
