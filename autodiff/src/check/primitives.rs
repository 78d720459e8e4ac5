//! A primitive in a program of its own, and operands for it.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::primitive::Primitive;
use crate::program::Program;
use crate::real::Real;
use crate::rules::elementwise::Domain;
use crate::shape::Shape;

/// `⟨c, p(a)⟩ + ½⟨w, p(a)⟩²` with random c and w: both adjoints and their tangents reach every rule. If it is
/// said to be linear, `⟨c, p(a)⟩` once more, of a value that comes into nothing that bends.
#[track_caller]
pub(super) fn wrapped<T: Real>(
    primitive: impl Primitive<T>,
    operands: &[Shape],
    seed: u64,
) -> Arc<Program<T>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 2);
    let is_linear = primitive.is_linear();
    Program::record(operands, |v| {
        let value = v[0].fused(primitive, &v[1..]);
        let flat = value.reshape(value.len(), 1);
        let mut weights = || {
            let draw = |_| T::of(rng.random_range(0.5..1.5));
            let weights: Vec<T> = (0..flat.len()).map(draw).collect();
            flat.vector(&weights)
        };
        let (c, w) = (weights(), weights());
        let sum = flat.dot(c) + flat.dot(w).square() * T::of(0.5);
        match is_linear {
            true => sum + value.once_more().reshape(value.len(), 1).dot(c),
            false => sum,
        }
    })
}

/// Random operands; where a neighbourhood is to be avoided, one of ½.
pub(super) fn operands<T: Real>(shapes: &[Shape], domain: Domain, seed: u64) -> Vec<Vec<T>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 3);
    let mut draw = |operand: usize| {
        let size: f64 = rng.random_range(0.5..1.5);
        let sign = if rng.random() { 1.0 } else { -1.0 };
        T::of(match domain {
            Domain::All => sign * (size - 0.5) * 1.5,
            Domain::NonZero => sign * size,
            Domain::Positive => size,
            Domain::Unit => sign * (size - 0.5) * 0.875,
            // Parameters are from ½ on.
            Domain::OffParameter => sign * (size - 0.5) * 0.375,
            // The ranges of any two operands are apart.
            Domain::Unequal => sign * size + 4.0 * operand as f64,
        })
    };
    let part = |(k, shape): (usize, &Shape)| (0..shape.len()).map(|_| draw(k)).collect();
    shapes.iter().enumerate().map(part).collect()
}
