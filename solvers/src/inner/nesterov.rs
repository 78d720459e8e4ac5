//! Nesterov's momentum with a constant coefficient.

use autodiff::Real;
use autodiff::unroll::Step;

use super::direction::Direction;

/// `z = y + β(y − y₋)`, `y ← z − d(z)`, of the state (y; y₋).
pub(super) fn record<T: Real>(direction: &Direction<'_, T>, beta: f64) -> Step<T> {
    let (along, d) = (direction.along, direction.dim_y);
    direction.step(
        2 * d,
        0,
        |_, _| {},
        |x, state, c| {
            let (y, before) = (state.slice(0, d), state.slice(d, d));
            let z = y + (y - before) * T::of(beta);
            (z - along(x, z, c)).concat(&[y])
        },
    )
}
