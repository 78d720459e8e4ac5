//! The accelerated proximal gradient method.

use autodiff::Real;
use autodiff::unroll::Step;

use super::Proximal;
use super::direction::Direction;

/// `z = y + k/(k+3) (y − y₋)`, `y ← P(z − d(z))`, of the state (y; y₋), k = 0, 1, ….
pub(super) fn record<T: Real>(direction: &Direction<'_, T>, proximal: Proximal) -> Step<T> {
    let (along, d, length) = (direction.along, direction.dim_y, direction.length);
    let last = direction.count;
    let momentum = |k: usize, c: &mut [T]| c[0] = T::of(k as f64 / (k as f64 + 3.0));
    direction.step(2 * d, 1, momentum, |x, state, c| {
        let (y, before) = (state.slice(0, d), state.slice(d, d));
        let z = y + (y - before) * c.at(last);
        proximal.record(z - along(x, z, c), length).concat(&[y])
    })
}
