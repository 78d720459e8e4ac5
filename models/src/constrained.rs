//! A lower level under a constraint that couples it with x.

use std::sync::Arc;

use autodiff::{Real, Var, objective};
use nalgebra::DVector;
use solvers::Constraints;

use crate::catalogue::{Defaults, Entry, Size, make};
use crate::task::{Known, Task};

/// Problem `constrained`: y = (y₁, y₂) has twice the n entries of x,
/// F = ½‖x − y₂‖² + ½‖y₁ − 1‖², g = ½‖y₁‖² − xᵀy₁ + 1ᵀy₂, subject to 1ᵀx + 1ᵀy₁ + 1ᵀy₂ = 0. x starts
/// at 1.
///
/// The lower level has `y₁ = x + 1` with the multiplier −1, and leaves all of y₂ but its sum free; the
/// best for F is `y₂ = x − (3x̄ + 1) 1` with the mean x̄ of x. Then ∇φ = x + 3(3x̄ + 1) 1, and the
/// solution is x = −0.3, y₁ = 0.7, y₂ = −0.4 in every entry.
///
/// # Panics
/// If n is 0.
///
/// # Reference
/// W. Yao, C. Yu, S. Zeng and J. Zhang, Constrained bi-level optimization: proximal Lagrangian value
/// function approach and Hessian-free algorithm, ICLR 2024, the synthetic example.
#[track_caller]
#[inline(never)]
pub fn constrained<T: Real>(n: usize) -> Task<T> {
    assert!(n > 0, "x of 0 entries: expected at least 1");
    let (half, one) = (T::of(0.5), T::one());
    let upper = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        let (first, second) = (y.slice(0, n), y.slice(n, n));
        ((x - second).norm_squared() + (first - one).norm_squared()) * half
    });
    let lower = objective(move |x: Var<'_, T>, y: Var<'_, T>| {
        let (first, second) = (y.slice(0, n), y.slice(n, n));
        first.norm_squared() * half - x.dot(first) + second.sum()
    });
    let balance = Constraints::new().zero(|x: Var<'_, T>, y: Var<'_, T>| x.sum() + y.sum());
    let x = DVector::from_element(n, one);
    let task = Task::plain("constrained", upper, lower, x, 2 * n).with_constraints(balance);
    Task {
        known: Some(Known {
            hypergradient: Arc::new(|x: &DVector<T>| {
                let by = T::of(3.0) * (T::of(3.0) * x.mean() + T::one());
                x.map(|x| x + by)
            }),
            solution: DVector::from_element(n, T::of(-0.3)),
        }),
        ..task
    }
}

/// The entry of [`constrained`].
pub static CONSTRAINED: Entry = Entry::new(
    "constrained",
    "closed form 6: an equality couples x and y; x* = -0.3, y* = (0.7, -0.4); n = 100",
    [
        "the outer variables",
        "the two halves of the lower variable",
    ],
    make!(|given| Ok(constrained(match given.size {
        Size::Small => 3,
        _ => 100,
    }))),
)
.defaults(Defaults::steps(0.1, 0.01).iterations(50));
