//! What the rules of methods take derivatives from.

mod batches;
mod samples;
mod whole;

pub use batches::Batches;
pub use samples::Samples;

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::norm;
use autodiff::{Inputs, Meter, Point, Real};

use crate::estimate::Oracles;
use crate::ledger::Ledger;
use crate::problem::Bilevel;
use crate::sampling::Sampling;

use super::rule::{Advance, Update};
use super::state::State;

/// What the rule of a method takes derivatives from, and how the reports of its iterations come
/// about: [`Batches`], [`Samples`] or a [`Workspace`](crate::Workspace).
pub trait Ground<T: Real>: Sized {
    /// What a step says of itself: an [`Advance`], or nothing where the driver measures it.
    type Said;

    /// Of a problem, drawn from in this way if one is given.
    fn new(problem: &Bilevel<T>, sampling: Option<Sampling>) -> Self;

    /// The reason why a problem cannot be drawn from in this way, if it cannot.
    fn complaint(problem: &Bilevel<T>, sampling: Option<Sampling>) -> Option<String>;

    /// Makes `count` iterations, or fewer where the run ends, and reports them.
    fn report(
        state: &mut State<T, Self>,
        update: &mut dyn Update<T, Self>,
        count: usize,
    ) -> Advance;

    /// Sweeps so far.
    fn oracles(&self) -> Oracles;

    /// The meter of the run's buffers.
    fn meter(&self) -> &Meter;

    /// Names to the ledger what later iterations depend on, and the most bytes held.
    fn visit(&mut self, ledger: &mut Ledger);
}

/// Iterations that say themselves what they met, as one: where they began, where they led, and the
/// first failure, unless a later one ends the run.
fn told<T: Real, G: Ground<T, Said = Advance>>(
    state: &mut State<T, G>,
    update: &mut dyn Update<T, G>,
    count: usize,
) -> Advance {
    let mut all = update.step(state, state.iteration);
    state.count();
    for _ in 1..count {
        if state.ended {
            break;
        }
        let next = update.step(state, state.iteration);
        state.count();
        let kept = all.status.is_success() || state.ended;
        all = Advance {
            upper: all.upper,
            lower_residual: all.lower_residual,
            status: if kept { next.status } else { all.status },
            ..next
        };
    }
    all
}

/// F and ‖∇_y g‖ at (x, y).
fn measure<T: Real>((upper, lower): (&mut Point<T>, &mut Point<T>), at: [&[T]; 2]) -> (f64, f64) {
    let value = upper.value(&at).f64();
    lower.differentiate(&at, Inputs::one(1));
    (value, norm(lower.gradient(1)).f64())
}

impl<T: Real, G: Ground<T>> State<T, G> {
    /// The meter of the run's buffers.
    pub fn meter(&self) -> &Meter {
        self.on.meter()
    }

    /// A counted vector of zeros.
    pub fn buffer(&self, len: usize) -> Buffer<T> {
        Buffer::zeros(len, Category::Solver, self.on.meter())
    }

    /// What `look` finds, its sweeps not counted.
    fn uncounted<R>(&mut self, look: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.on.oracles();
        let found = look(self);
        self.reports += self.on.oracles() - before;
        found
    }
}
