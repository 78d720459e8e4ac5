//! The moves of a momentum step, `v ← γv + u(x, y)`, `y ← y + v`, whose state is `(y; v)`.

use super::{Driver, STATE};
use crate::kernels::norm;
use crate::linearised::Need;
use crate::real::Real;

impl<T: Real> Driver<T> {
    /// How far y moved in the last step: by v.
    pub(in super::super) fn velocity(&self) -> f64 {
        norm(&self.state[self.state.len() / 2..]).f64()
    }

    /// The state, to write to.
    pub(in super::super) fn state_mut(&mut self) -> &mut [T] {
        &mut self.state
    }

    /// The force u of iteration `k` at the state's y; the state's v is lost.
    ///
    /// The step is linear in v with a constant factor, so from v = 0 its second half is u to the
    /// bit, and its linearisation is that from any other v.
    pub(in super::super) fn force(&mut self, k: usize, need: Need) -> &[T] {
        let dim_y = self.state.len() / 2;
        self.state[dim_y..].fill(T::zero());
        self.work.set_input(&self.step.program, STATE, &self.state);
        self.sweep(k, need);
        &self.work.output(&self.step.program)[dim_y..]
    }

    /// Pulls the cotangents back through the iteration whose [`force`](Driver::force) was swept
    /// last, for its gradient.
    pub(in super::super) fn pull_back_force(&mut self) {
        self.pull();
    }

    /// Makes both cotangents NaN: they are not to be had.
    pub(in super::super) fn spoil_cotangents(&mut self) {
        self.x_cotangent.fill(T::of(f64::NAN));
        self.state_cotangent.fill(T::of(f64::NAN));
    }
}
