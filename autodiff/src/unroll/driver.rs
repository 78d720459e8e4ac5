//! The two moves every memory policy is made of: one step forward, one step back.

use crate::bytes::{Buffer, Category, Meter};
use crate::kernels::add;
use crate::program::Inputs;
use crate::sweep::{primal, reverse};
use crate::{Need, Program, Real, Sweeps, Workspace};

use super::Step;

const X: usize = 0;
const STATE: usize = 1;
const COEFFICIENTS: usize = 2;

/// A step with its workspace, the state on the way forward and the cotangents on the way back.
pub(super) struct Driver<T: Real> {
    pub(super) step: Step<T>,
    work: Workspace<T>,
    state: Buffer<T>,
    coefficients: Buffer<T>,
    state_cotangent: Buffer<T>,
    x_cotangent: Buffer<T>,
    /// Whether `x` is new since the last primal sweep.
    x_changed: bool,
}

impl<T: Real> Driver<T> {
    pub(super) fn new(step: Step<T>, meter: &Meter) -> Self {
        let len = |k: usize| step.program.input_shape(k).len();
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, meter);
        Driver {
            work: step.program.workspace(meter),
            state: buffer(len(STATE)),
            coefficients: buffer(len(COEFFICIENTS)),
            state_cotangent: buffer(len(STATE)),
            x_cotangent: buffer(len(X)),
            x_changed: true,
            step,
        }
    }

    /// Sets `x` and the state.
    #[track_caller]
    pub(super) fn start(&mut self, x: &[T], state: &[T]) {
        assert_eq!(state.len(), self.state.len(), "length of the first state");
        self.work.set_input(&self.step.program, X, x);
        self.x_changed = true;
        self.state.copy_from_slice(state);
    }

    pub(super) fn state(&self) -> &[T] {
        &self.state
    }

    /// Replaces the state by that after iteration `k`.
    pub(super) fn advance(&mut self, k: usize) {
        self.work.set_input(&self.step.program, STATE, &self.state);
        self.sweep(k, Need::Value);
        let out = self.work.output(&self.step.program);
        self.state.copy_from_slice(out);
    }

    #[track_caller]
    pub(super) fn set_cotangent(&mut self, cotangent: &[T]) {
        assert_eq!(
            cotangent.len(),
            self.state_cotangent.len(),
            "length of the cotangent"
        );
        self.state_cotangent.copy_from_slice(cotangent);
        self.x_cotangent.fill(T::zero());
    }

    /// Pulls the cotangents back through iteration `k`, which started from `before`.
    pub(super) fn pull_back(&mut self, k: usize, before: &[T]) {
        self.work.set_input(&self.step.program, STATE, before);
        self.sweep(k, Need::Gradient);
        let program = &self.step.program;
        let wanted = Inputs::one(X).and(Inputs::one(STATE));
        reverse(program, &mut self.work, &self.state_cotangent, wanted);
        add(&mut self.x_cotangent, self.work.adjoint(program, X));
        self.state_cotangent
            .copy_from_slice(self.work.adjoint(program, STATE));
    }

    /// The cotangents of `x` and of the state.
    pub(super) fn cotangents(&self) -> (&[T], &[T]) {
        (&self.x_cotangent, &self.state_cotangent)
    }

    pub(super) fn sweeps_of(&self, of: &Program<T>) -> Sweeps {
        self.work.nested_sweeps(&self.step.program, of)
    }

    fn sweep(&mut self, k: usize, need: Need) {
        (self.step.coefficients)(k, &mut self.coefficients);
        let program = &self.step.program;
        self.work
            .set_input(program, COEFFICIENTS, &self.coefficients);
        let mut changed = Inputs::one(STATE).and(Inputs::one(COEFFICIENTS));
        if std::mem::take(&mut self.x_changed) {
            changed = changed.and(Inputs::one(X));
        }
        primal(program, &mut self.work, changed, need);
    }
}
