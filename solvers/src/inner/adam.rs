//! Adam as a recorded step.

use autodiff::Real;
use autodiff::unroll::Step;

use super::direction::Direction;

const DECAYS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// `m ← β₁m + (1 − β₁)d`, `v ← β₂v + (1 − β₂)d²`, `y ← y − rate · m̂ / √(v̂ + ε²)` of the state
/// (y; m; v), with `m̂ = m/(1 − β₁ᵏ)` and `v̂ = v/(1 − β₂ᵏ)`.
pub(super) fn record<T: Real>(direction: &Direction<'_, T>, rate: f64) -> Step<T> {
    let (along, n, own) = (direction.along, direction.dim_y, direction.count);
    let (b1, b2) = DECAYS;
    let correct = move |k: usize, c: &mut [T]| {
        let t = k as f64 + 1.0;
        c[0] = T::of(rate / (1.0 - b1.powf(t)));
        c[1] = T::of(1.0 / (1.0 - b2.powf(t)));
    };
    direction.step(3 * n, 2, correct, |x, state, c| {
        let (y, m, v) = (state.slice(0, n), state.slice(n, n), state.slice(2 * n, n));
        let d = along(x, y, c);
        let m = m * T::of(b1) + d * T::of(1.0 - b1);
        let v = v * T::of(b2) + d.square() * T::of(1.0 - b2);
        // ε² inside: the root of v alone has no derivative at v = 0, where an entry never moves.
        let root = (v * c.at(own + 1) + T::of(EPSILON * EPSILON)).sqrt();
        (y - m * c.at(own) / root).concat(&[m, v])
    })
}
