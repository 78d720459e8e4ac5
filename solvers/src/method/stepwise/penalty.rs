//! The gradients of a penalised problem.

use autodiff::bytes::Buffer;
use autodiff::kernels::{axpy, norm};
use autodiff::{Inputs, Real};

use crate::method::{Batches, State};

/// The gradients of `F(x, y) + α (g(x, y) − g(x, u))`, u being the second vector of the batches.
pub(in super::super) struct Penalised<T: Real> {
    /// `∇_xF + α (∇_x g(x, y) − ∇_x g(x, u))`.
    pub(in super::super) x: Buffer<T>,
    /// `∇_y(F + αg)`.
    pub(in super::super) y: Buffer<T>,
    /// `∇_u g(x, u)`, without α.
    pub(in super::super) u: Buffer<T>,
}

impl<T: Real> Penalised<T> {
    pub(in super::super) fn new(s: &State<'_, T>, b: &Batches<T>) -> Self {
        Penalised {
            x: b.buffer(s.x.len()),
            y: b.buffer(s.y.len()),
            u: b.buffer(s.y.len()),
        }
    }

    /// Overwrites them with those at the state: one batch of F, and one of g for both of its
    /// gradients.
    pub(in super::super) fn draw(&mut self, s: &State<'_, T>, b: &mut Batches<T>, alpha: f64) {
        let alpha = T::of(alpha);
        b.upper_gradients(s, &mut self.x, &mut self.y);
        let x = s.x.as_slice();
        let lower = b.lower.draw();
        lower.gradient_at(&[x, s.y.as_slice()], Inputs::ALL);
        axpy(&mut self.x, alpha, lower.gradient(0));
        axpy(&mut self.y, alpha, lower.gradient(1));
        let lower = b.lower.again();
        lower.gradient_at(&[x, &b.v], Inputs::ALL);
        axpy(&mut self.x, -alpha, lower.gradient(0));
        self.u.copy_from_slice(lower.gradient(1));
    }

    /// The norm of the three together.
    pub(in super::super) fn size(&self) -> f64 {
        let squares = [&self.x, &self.y, &self.u].map(|d| norm(d).f64().powi(2));
        squares.iter().sum::<f64>().sqrt()
    }
}
