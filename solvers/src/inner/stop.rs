//! When a loop of inner steps has come near enough to a solution.

use autodiff::kernels::norm;
use autodiff::{Point, Real};

use super::InnerStep;
use crate::part::After;

/// Stops a loop at a residual: `‖y − P_s(y − s ∇_y g)‖ / s`, which is ‖∇_y g‖ for smooth steps.
///
/// A plain step shows it: its length is s times the residual before it, so the loop makes
/// one step more than it must and no gradient. For the others each residual is one more gradient.
/// Where steps move y by its rounding alone a loop ends too, above the tolerance.
/// A loop makes at least `least` steps, and none after a value that is not finite.
pub(crate) struct Stop<'a, T: Real> {
    inner: &'a InnerStep,
    length: f64,
    tolerance: f64,
    /// Steps that are made whatever the residual; at least 1.
    least: usize,
    after: After<'a, T>,
    lower: &'a mut Point<T>,
    x: &'a [T],
    previous: &'a mut [T],
    spare: &'a mut [T],
    /// The latest residual.
    latest: f64,
    /// By what factor it fell to that.
    pub(crate) rate: f64,
}

impl<'a, T: Real> Stop<'a, T> {
    /// Of steps of this kind and length, to a tolerance, and after `least` of them.
    /// `previous` has as many entries as [`previous`](Stop::previous) says, `spare` as
    /// [`StepLength::spare_on`](super::StepLength) does.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        inner: &'a InnerStep,
        after: After<'a, T>,
        length: f64,
        (tolerance, least): (f64, usize),
        lower: &'a mut Point<T>,
        x: &'a [T],
        previous: &'a mut [T],
        spare: &'a mut [T],
    ) -> Self {
        previous.fill(T::zero());
        Stop {
            inner,
            length,
            tolerance,
            least,
            after,
            lower,
            x,
            previous,
            spare,
            latest: f64::INFINITY,
            rate: 0.0,
        }
    }

    /// Entries that the y before a step takes, for y of `dim_y` entries.
    pub(crate) fn previous(inner: &InnerStep, dim_y: usize) -> usize {
        if inner.is_plain() { dim_y } else { 0 }
    }

    /// Whether to stop after `made` steps, at `state`.
    pub(crate) fn reached(&mut self, made: usize, state: &[T]) -> bool {
        let dim_y = self.lower.program().input_shape(1).len();
        let y = &state[..dim_y];
        let residual = if self.inner.is_plain() {
            for (previous, y) in self.previous.iter_mut().zip(state) {
                *previous -= *y;
            }
            let moved = norm(self.previous).f64() / self.length;
            self.previous.copy_from_slice(state);
            moved
        } else if made < self.least {
            return false;
        } else {
            let after = &mut self.after;
            after.residual(self.lower, self.x, y, self.length, self.spare)
        };
        // A step that moves y by its rounding alone leads nowhere, and shows no rate.
        let moved = residual * self.length;
        let settled = moved <= 4.0 * T::EPSILON * norm(y).f64();
        if moved > 1e3 * T::EPSILON * norm(y).f64() {
            self.rate = residual / self.latest;
        }
        self.latest = if made == 0 { f64::INFINITY } else { residual };
        let ends = residual <= self.tolerance || settled || !residual.is_finite();
        made >= self.least && ends
    }
}
