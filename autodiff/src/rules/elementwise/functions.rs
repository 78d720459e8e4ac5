//! The scalar functions of the tables' rows. Each of them keeps a NaN.

use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, PI};

use crate::Real;

/// `1 / (1 + e⁻ᵃ)`, from the side whose exponential cannot overflow.
#[inline]
pub fn sigmoid<T: Real>(a: T) -> T {
    let e = (-a.abs()).exp();
    let r = (T::one() + e).recip();
    if a >= T::zero() { r } else { e * r }
}

/// `ln(1 + eᵃ)` without overflow or cancellation.
#[inline]
pub fn softplus<T: Real>(a: T) -> T {
    a.max(T::zero()) + (-a.abs()).exp().ln_1p()
}

/// 1 for positive, 0 for other numbers.
#[inline]
pub(super) fn positive<T: Real>(a: T) -> T {
    if a > T::zero() {
        T::one()
    } else if a <= T::zero() {
        T::zero()
    } else {
        a
    }
}

/// −1, 0 or 1, as the sign is.
#[inline]
pub(super) fn sign<T: Real>(a: T) -> T {
    if a == T::zero() { a } else { a.signum() }
}

/// The share of the first operand in a maximum: a half where they are equal.
#[inline]
pub(super) fn share<T: Real>(a: T, b: T) -> T {
    if a == b {
        T::of(0.5)
    } else {
        // Infinities of one sign are equal, so the difference of others is NaN only for a NaN.
        positive(a - b)
    }
}

/// The larger one; NaN if either is.
#[inline]
pub(super) fn larger<T: Real>(a: T, b: T) -> T {
    if a >= b {
        a
    } else if a < b {
        b
    } else {
        a + b
    }
}

/// `c · power()`, and 0 for `c = 0`, whatever the power would be.
#[inline]
pub(super) fn scaled<T: Real>(c: T, power: impl FnOnce() -> T) -> T {
    if c == T::zero() { c } else { c * power() }
}

/// The exponent that a parameter stands for.
#[inline]
pub(super) fn integer<T: Real>(p: T) -> i32 {
    p.f64().round() as i32
}

/// `f()` where `a > 0`; at `a = 0`, where it would be 0·∞, the limit 0 if `b > 0`.
#[inline]
pub(super) fn vanishing<T: Real>(a: T, b: T, f: impl FnOnce() -> T) -> T {
    if a == T::zero() && b > T::zero() {
        a
    } else {
        f()
    }
}

/// `√(a² + b²)` without overflow.
#[inline]
pub(super) fn hypot<T: Real>(a: T, b: T) -> T {
    if a.is_finite() && b.is_finite() {
        a.hypot(b)
    } else {
        // The library's gives ∞ for ∞ and NaN.
        a.abs() + b.abs()
    }
}

/// `a / h`, and 0 for `h = 0`: the convention at the origin.
#[inline]
pub(super) fn ratio<T: Real>(a: T, h: T) -> T {
    if h == T::zero() { h } else { a / h }
}

/// `ln(eᵃ + eᵇ)` without overflow.
#[inline]
pub(super) fn logaddexp<T: Real>(a: T, b: T) -> T {
    if a == b {
        a + T::of(LN_2)
    } else {
        larger(a, b) + (-(a - b).abs()).exp().ln_1p()
    }
}

/// The tanh of GELU's approximation, and the first two derivatives of its argument.
#[inline]
pub(super) fn gelu<T: Real>(a: T) -> (T, T, T) {
    let (c, d) = (T::of((2.0 / PI).sqrt()), T::of(0.044715));
    let square = a * a;
    let three = T::of(3.0);
    (
        (c * a * (T::one() + d * square)).tanh(),
        c * (T::one() + three * d * square),
        c * T::of(6.0) * d * a,
    )
}

/// The error function, to a few units in the last place of an `f64`.
pub fn erf<T: Real>(a: T) -> T {
    let x = a.f64();
    let size = x.abs();
    if size >= 6.0 {
        return a.signum();
    }
    if size >= 2.5 {
        // The continued fraction of erfc, from the far end.
        let tail = (1..=60)
            .rev()
            .fold(size, |t, k| size + 0.5 * f64::from(k) / t);
        let erfc = 0.5 * FRAC_2_SQRT_PI * (-x * x).exp() / tail;
        return T::of((1.0 - erfc).copysign(x));
    }
    // Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!: all terms have one sign, so nothing cancels.
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-17 * sum.abs() {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    T::of(FRAC_2_SQRT_PI * (-x * x).exp() * sum)
}
