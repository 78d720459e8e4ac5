//! The heavy ball.

use autodiff::Real;
use autodiff::unroll::Step;

use super::direction::Direction;

/// `v ← βv − d(y)`, `y ← y + v`, of the state (y; v): it can be undone.
pub(super) fn record<T: Real>(direction: &Direction<'_, T>, beta: f64) -> Step<T> {
    let (along, coefficients) = (direction.along, direction.coefficients.clone());
    Step::momentum_scheduled(
        direction.dim_x,
        direction.dim_y,
        beta,
        direction.count,
        move |k, c: &mut [T]| coefficients(k, c),
        |x, y, c| -along(x, y, c),
    )
}
