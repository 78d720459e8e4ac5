//! A small residual of the lower level, or a small g?

use autodiff::Real;
use autodiff::kernels::{dot, norm};

use crate::default_tolerance;

/// How far y may be off the lower level's solution.
pub(super) struct Off<'a, T> {
    /// ‖∇_y g‖ over a curvature of g: the estimated distance.
    pub(super) distance: f64,
    pub(super) start: &'a [T],
    pub(super) y: &'a [T],
    /// ∇_yF, and F.
    pub(super) slope: &'a [T],
    pub(super) value: f64,
}

/// That of H along `v = H⁻¹b`.
pub(super) fn curvature<T: Real>(b: &[T], v: &[T]) -> f64 {
    let size = norm(v);
    (dot(b, v) / size / size).f64()
}

impl<T: Real> Off<'_, T> {
    /// The distance as a part of the size of y, or of F if that is less.
    fn part(&self) -> f64 {
        let length = norm(self.y).f64().max(norm(self.start).f64());
        let change = self.distance * norm(self.slope).f64();
        (self.distance / length).min(change / self.value.abs())
    }

    /// What the user should know where a `residual` within the tolerance (the precision's default
    /// if `None`) is no solution all the same.
    pub(super) fn warning(&self, residual: f64, tolerance: Option<f64>) -> Option<String> {
        let at_least = tolerance
            .unwrap_or(0.0)
            .max(default_tolerance::<T>().sqrt());
        let part = self.part();
        (part > at_least).then(|| {
            format!(
                "‖∇_y g‖ = {residual:.1e} is small because g is: y may be off the lower level's \
                 solution by some {part:.1e} of its size; take a smaller tolerance, or a multiple of g"
            )
        })
    }
}
