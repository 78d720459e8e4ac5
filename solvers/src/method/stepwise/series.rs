//! Hypergradients by a Neumann series on batches.

use autodiff::bytes::Buffer;
use autodiff::kernels::{add, axpy};
use autodiff::{Inputs, Point, Real};

use crate::expect;
use crate::method::{Batches, State};
use crate::sampling::Level;

use super::choices::Choices;

/// A Neumann series for v in `∇²_yy g · v = ∇_yF`, a fresh batch for each factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Series {
    /// K.
    pub terms: usize,
    /// α, below 2 over the largest curvature of g.
    pub step: f64,
    /// Whether `v = K α Π_{j≤p} (I − α ∇²_yy g(ζ⁽ʲ⁾)) ∇_yF` with p drawn uniformly from 0 … K − 1, whose
    /// mean is `α Σ_{q<K} (I − α ∇²_yy g)^q ∇_yF`; otherwise `v = α Σ_{q≤K} Π_{j≤q} (I − α ∇²_yy g(ζ⁽ʲ⁾)) ∇_yF`.
    pub cut: bool,
}

impl Series {
    /// Checks the settings.
    pub(super) fn check(self) -> Result<(), String> {
        expect::at_least_1("terms of the Neumann series", self.terms)?;
        expect::positive("step of the Neumann series", self.step)
    }

    /// The number of factors of the last term.
    pub(super) fn factors(self, choices: &mut Choices) -> usize {
        match self.cut {
            true => choices.below(self.terms),
            false => self.terms,
        }
    }

    /// Overwrites the hypergradients at some places by the same batches, with so many factors.
    ///
    /// The `next` of a level is a batch of it, or all samples.
    pub(super) fn draw<T: Real>(
        self,
        factors: usize,
        b: &mut Batches<T>,
        next: fn(&mut Level<T>) -> &mut Point<T>,
        places: &mut [(&mut Implied<T>, [&[T]; 2])],
    ) {
        let step = T::of(self.step);
        let upper = next(&mut b.upper);
        for (found, at) in &mut *places {
            upper.gradient_at(at, Inputs::ALL);
            found.x.copy_from_slice(upper.gradient(0));
            found.v.copy_from_slice(upper.gradient(1));
            found.sum.copy_from_slice(upper.gradient(1));
        }
        for _ in 0..factors {
            let lower = next(&mut b.lower);
            for (found, at) in &mut *places {
                lower.second_at(at, &[None, Some(&found.v)], Inputs::one(1));
                axpy(&mut found.v, -step, lower.product(1));
                add(&mut found.sum, &found.v);
            }
        }
        let lower = next(&mut b.lower);
        for (found, at) in &mut *places {
            let scale = match self.cut {
                true => T::of(self.step * self.terms as f64),
                false => {
                    found.v.copy_from_slice(&found.sum);
                    step
                }
            };
            found.v.iter_mut().for_each(|v| *v *= scale);
            lower.second_at(at, &[None, Some(&found.v)], Inputs::one(0));
            axpy(&mut found.x, -T::one(), lower.product(0));
        }
    }
}

/// A hypergradient, and the vectors that it takes.
pub(super) struct Implied<T: Real> {
    /// `∇_xF − ∇²_xy g · v`.
    pub(super) x: Buffer<T>,
    pub(super) v: Buffer<T>,
    sum: Buffer<T>,
}

impl<T: Real> Implied<T> {
    pub(super) fn new(s: &State<'_, T>, b: &Batches<T>) -> Self {
        Implied {
            x: b.buffer(s.x.len()),
            v: b.buffer(s.y.len()),
            sum: b.buffer(s.y.len()),
        }
    }
}
