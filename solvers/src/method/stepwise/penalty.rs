//! The gradients of a penalised problem.

use autodiff::bytes::Buffer;
use autodiff::kernels::axpy;
use autodiff::{Inputs, Real};

use super::super::state::State;

/// The gradients of `F(x, y) + α (g(x, y) − g(x, u))`, u being the state's second vector.
pub(in super::super) struct Penalised<T: Real> {
    /// `∇_xF + α (∇_x g(x, y) − ∇_x g(x, u))`.
    pub(in super::super) x: Buffer<T>,
    /// `∇_y(F + αg)`.
    pub(in super::super) y: Buffer<T>,
    /// `∇_u g(x, u)`, without α.
    pub(in super::super) u: Buffer<T>,
}

impl<T: Real> Penalised<T> {
    pub(in super::super) fn new(state: &State<T>) -> Self {
        Penalised {
            x: state.buffer(state.x.len()),
            y: state.buffer(state.y.len()),
            u: state.buffer(state.y.len()),
        }
    }

    /// Overwrites them with those at the state: one batch of F, and one of g for both of its
    /// gradients.
    pub(in super::super) fn draw(&mut self, s: &mut State<T>, alpha: f64) {
        let alpha = T::of(alpha);
        s.upper_gradients(&mut self.x, &mut self.y);
        let x = s.x.as_slice();
        let lower = s.on.lower.draw();
        lower.differentiate(&[x, s.y.as_slice()], Inputs::ALL);
        axpy(&mut self.x, alpha, lower.gradient(0));
        axpy(&mut self.y, alpha, lower.gradient(1));
        let lower = s.on.lower.again();
        lower.differentiate(&[x, &s.on.v], Inputs::ALL);
        axpy(&mut self.x, -alpha, lower.gradient(0));
        self.u.copy_from_slice(lower.gradient(1));
    }
}
