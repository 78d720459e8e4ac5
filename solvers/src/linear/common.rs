//! What several linear solvers do in the same way.

use autodiff::Real;
use autodiff::kernels::{axpy, dot, norm};

use super::Operator;

/// The curvature, in units of the largest, that rounding leaves of none.
pub(super) fn flat<T: Real>(n: usize) -> f64 {
    10.0 * T::EPSILON * (n as f64).sqrt()
}

/// Scales the system to a right-hand side of unit norm, which keeps tiny cotangents from
/// underflowing in `f32`: divides `v` by ‖b‖, and writes `b/‖b‖ − Hv` to `r`. Returns ‖b‖.
///
/// For b = 0 the solution is written to `v`, and there is nothing left to do: `None`.
pub(super) fn scaled_residual<T: Real>(
    h: &mut dyn Operator<T>,
    b: &[T],
    v: &mut [T],
    r: &mut [T],
) -> Option<T> {
    assert_eq!(b.len(), v.len(), "right-hand side and solution");
    let scale = norm(b);
    if scale == T::zero() {
        v.fill(T::zero());
        return None;
    }
    if v.iter().any(|v| *v != T::zero()) {
        h.apply(v, r);
        for i in 0..b.len() {
            r[i] = (b[i] - r[i]) / scale;
            v[i] /= scale;
        }
    } else {
        for i in 0..b.len() {
            r[i] = b[i] / scale;
        }
    }
    Some(scale)
}

/// Takes from the least-squares solution `v` its part along the residual `r`, which is in the null
/// space of H.
pub(super) fn lift<T: Real>(v: &mut [T], r: &[T]) {
    let size = norm(r);
    if size > T::zero() {
        axpy(v, -(dot(r, v) / size / size), r);
    }
}

/// The least Ritz value of H on the span of p and Hp, in units of the largest magnitude met:
/// `largest`, or one of the two.
///
/// One product tells an indefinite H where pᵀHp is 0 or positive by chance. `p` and `hp`, which holds
/// Hp, are overwritten.
pub(super) fn least_ritz<T: Real>(
    h: &mut dyn Operator<T>,
    p: &mut [T],
    hp: &mut [T],
    largest: f64,
) -> f64 {
    let size = norm(p);
    let first = dot(p, hp) / size / size;
    axpy(hp, -first, p);
    let rest = norm(hp);
    if rest == T::zero() {
        return relative(first.f64(), largest.max(first.f64().abs()));
    }
    h.apply(hp, p);
    let second = (dot(hp, p) / rest / rest).f64();
    let (first, off) = (first.f64(), (rest / size).f64());
    let (mean, radius) = ((first + second) / 2.0, ((first - second) / 2.0).hypot(off));
    relative(mean - radius, largest.max(mean.abs() + radius))
}

/// A curvature in units of the largest magnitude, 0 where that is.
pub(super) fn relative(curvature: f64, largest: f64) -> f64 {
    if largest > 0.0 {
        curvature / largest
    } else {
        0.0
    }
}

const POWER_ITERATIONS: usize = 20;

/// An upper estimate of the largest magnitude of an eigenvalue of H, by power iteration from a
/// fixed start in `v`. The two vectors are overwritten.
pub(crate) fn largest_magnitude<T: Real>(
    h: &mut dyn Operator<T>,
    v: &mut [T],
    hv: &mut [T],
) -> f64 {
    // Irregular, so that no eigenvector of a structured matrix is orthogonal to it.
    for (i, v) in v.iter_mut().enumerate() {
        *v = T::of(1.0 + 0.5 * (i as f64 * 12.9898).sin());
    }
    let mut largest = 0.0;
    for _ in 0..POWER_ITERATIONS {
        let scale = norm(v);
        if !(scale > T::zero() && scale.is_finite()) {
            break;
        }
        v.iter_mut().for_each(|v| *v /= scale);
        h.apply(v, hv);
        v.copy_from_slice(hv);
        largest = norm(v).f64();
    }
    // Power iteration comes from below.
    1.05 * largest
}

/// The complaint about a number that has to be positive, if it is not.
pub(super) fn positive(what: &str, value: f64) -> Option<String> {
    let bad = !(value.is_finite() && value > 0.0);
    bad.then(|| format!("{what} {value}: expected a positive number"))
}
