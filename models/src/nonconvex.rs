//! Closed forms whose lower level is not convex: what is known holds on one branch of its local
//! solutions, and nothing is promised on the others.

use std::f64::consts::PI;

use autodiff::{Real, Var, objective};
use nalgebra::DVector;

use crate::catalogue::{Defaults, Entry, make};
use crate::closed_form::known;
use crate::task::Task;

/// Problem `shifted-sines`: F = (x − 2)² + ‖y − 4‖², g = Σ sin(x + y_i − 2), y of 2 entries.
///
/// Every `x + y_i − 2 = 3π/2 + 2πk` is a local solution. On the branch k = 0, where y starts,
/// y_i = 2 + 3π/2 − x and the solution is x = π − 2/3 with F = 0.338332…
#[inline(never)]
pub fn shifted_sines<T: Real>() -> Task<T> {
    let upper = objective(|x: Var<'_, T>, y: Var<'_, T>| {
        (x - T::of(2.0)).norm_squared() + (y - T::of(4.0)).norm_squared()
    });
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| (y + x - T::of(2.0)).sin().sum());
    let branch = 1.5 * PI - 2.0;
    Task {
        known: known(PI - 2.0 / 3.0, move |x| {
            2.0 * (x - 2.0) - 4.0 * (branch - x)
        }),
        ..Task::plain(
            "shifted-sines",
            upper,
            lower,
            DVector::from_element(1, T::of(2.0)),
            2,
        )
        .starting_from(DVector::from_element(2, T::of(4.0)))
    }
}

/// The entry of [`shifted_sines`].
pub static SHIFTED_SINES: Entry = Entry::new(
    "shifted-sines",
    "closed form 10: a lower level that is not convex; x* = pi - 2/3 on its branch",
    ["the outer variable", "the two lower variables"],
    make!(|_| Ok(shifted_sines())),
);

/// Problem `sine-product`: F = x + xy, g = −sin(xy), x in [1, 10]; y is meant to stay in [−2, 2].
///
/// Every `xy = π/2 + 2πk` is a local solution. On the branch k = −3, where y starts, φ(x) = x +
/// const for x ≥ 11π/4; below that, y is held at −2 and φ(x) = −x. The solution is x = 11π/4, y = −2:
/// a kink. Without the constraint on y the hypergradient is 1 everywhere on the branch.
#[inline(never)]
pub fn sine_product<T: Real>() -> Task<T> {
    let upper = objective(|x: Var<'_, T>, y: Var<'_, T>| x + x * y);
    let lower = objective(|x: Var<'_, T>, y: Var<'_, T>| -(x * y).sin());
    Task {
        bounds: Some((1.0, 10.0)),
        known: known(2.75 * PI, |_| 1.0),
        ..Task::plain(
            "sine-product",
            upper,
            lower,
            DVector::from_element(1, T::of(9.0)),
            1,
        )
        .starting_from(DVector::from_element(1, T::of(-1.9)))
    }
}

/// The entry of [`sine_product`].
pub static SINE_PRODUCT: Entry = Entry::new(
    "sine-product",
    "closed form 10: the same with a kink at x* = 11 pi/4; --part box:-2:2",
    ["the outer variable", "the lower variable"],
    make!(|_| Ok(sine_product())),
)
// g bends by up to x² = 100: longer steps of y leave the branch that they are on.
.defaults(Defaults::NONE.small_rate(0.003).inner_step(0.01));
