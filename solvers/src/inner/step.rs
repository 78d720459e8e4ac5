//! The steps a lower level can be unrolled with.

use std::sync::Arc;

use autodiff::bytes::{Buffer, Category};
use autodiff::unroll::{Decay, Memory, Step};
use autodiff::{Meter, Program, Real, Var};

/// One iteration of the lower level, with the gradient of g as one of its operations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum InnerStep {
    /// `y − s ∇_y g`.
    #[default]
    GradientDescent,
    /// Heavy ball: `v ← βv − s ∇_y g(y)`, `y ← y + v`.
    ///
    /// Reference: B. Polyak, Some methods of speeding up the convergence of iteration methods, 1964.
    Momentum(f64),
    /// Nesterov: `z = y + β(y − y₋)`, `y ← z − s ∇_y g(z)`, with constant β.
    ///
    /// Reference: Y. Nesterov, Introductory lectures on convex optimization, 2004, (2.2.22).
    Nesterov(f64),
}

impl InnerStep {
    /// Entries of the state, for y of `dim_y` entries.
    pub(crate) fn dim_state(self, dim_y: usize) -> usize {
        match self {
            InnerStep::GradientDescent => dim_y,
            InnerStep::Momentum(_) | InnerStep::Nesterov(_) => 2 * dim_y,
        }
    }

    /// The first state, started from `y`; y stands first in every state.
    pub(crate) fn first_state<T: Real>(self, y: &[T], meter: &Meter) -> Buffer<T> {
        let mut state = Buffer::zeros(self.dim_state(y.len()), Category::Solver, meter);
        state[..y.len()].copy_from_slice(y);
        match self {
            InnerStep::GradientDescent | InnerStep::Momentum(_) => {}
            InnerStep::Nesterov(_) => state[y.len()..].copy_from_slice(y),
        }
        state
    }

    /// The recorded step on `lower`, of constant length `length`.
    pub(crate) fn record<T: Real>(self, lower: &Arc<Program<T>>, length: f64) -> Step<T> {
        let (dim_x, d) = (lower.input_shape(0).len(), lower.input_shape(1).len());
        let s = T::of(length);
        match self {
            InnerStep::GradientDescent => {
                Step::new(dim_x, d, |x, y, _| y - Var::gradient(lower, 1, &[x, y]) * s)
            }
            InnerStep::Momentum(beta) => Step::momentum(dim_x, d, beta, |x, y, _| {
                Var::gradient(lower, 1, &[x, y]) * -s
            }),
            InnerStep::Nesterov(beta) => Step::new(dim_x, 2 * d, |x, state, _| {
                let (y, before) = (state.slice(0, d), state.slice(d, d));
                let z = y + (y - before) * T::of(beta);
                (z - Var::gradient(lower, 1, &[x, z]) * s).concat(&[y])
            }),
        }
    }

    /// Why these steps cannot be run under `memory`, if they cannot.
    pub(crate) fn complaint<T: Real>(self, memory: Memory) -> Option<String> {
        match (memory, self) {
            (Memory::Reversible, InnerStep::Momentum(beta)) => {
                Decay::of::<T>(beta).err().map(|e| e.to_string())
            }
            (Memory::Reversible, step) => Some(format!(
                "steps of {step:?} cannot be undone: expected momentum, or checkpointed:SLOTS in \
                 place of reversible"
            )),
            _ => memory.complaint(),
        }
    }
}
