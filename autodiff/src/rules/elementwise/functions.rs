//! The functions of the tables' rows. Each of them keeps a NaN.

use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, PI};

use crate::real::Real;
use crate::vector::Lanes;

/// `1 / (1 + e⁻ᵃ)`, from the side whose exponential cannot overflow.
#[inline]
pub fn sigmoid<T: Real>(a: T) -> T {
    let e = (-a.abs()).exp();
    let r = (T::one() + e).recip();
    if a >= T::zero() { r } else { e * r }
}

/// 1 for positive, 0 for other numbers.
#[inline(always)]
pub(super) fn positive<V: Lanes>(a: V) -> V {
    let above = V::choose(a.zero().lt(a), a.one(), a);
    V::choose(a.le(a.zero()), a.zero(), above)
}

/// −1, 0 or 1, as the sign is.
#[inline(always)]
pub(super) fn sign<V: Lanes>(a: V) -> V {
    let unit = V::choose(a.eq(a), a.one().copysign(a), a);
    V::choose(a.eq(a.zero()), a, unit)
}

/// `ln cosh a = −½ ln(1 − tanh² a)`, and where that is beyond range `|a| + ln(1 + e^(−2|a|)) − ln 2`,
/// which cancels near 0.
#[inline(always)]
pub(super) fn log_cosh<V: Lanes>(a: V) -> V {
    let (s, t) = (a.abs(), a.tanh());
    let near = a.of(-0.5) * (-(t * t)).ln_1p();
    let far = s + (a.of(-2.0) * s).softplus() - a.of(std::f64::consts::LN_2);
    V::choose(s.lt(a.one()), near, far)
}

/// `1 / √(1 + a²)` without overflow.
#[inline(always)]
pub(super) fn asinh_slope<V: Lanes>(a: V) -> V {
    a.map(|a| nalgebra::ComplexField::recip(hypot(nalgebra::one(), a)))
}

/// The share of the first operand in a maximum: a half where they are equal.
#[inline]
pub(super) fn share<T: Real>(a: T, b: T) -> T {
    if a == b {
        T::of(0.5)
    } else if a > b {
        T::one()
    } else if a < b {
        T::zero()
    } else {
        a + b
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
#[inline(always)]
pub(super) fn gelu<V: Lanes>(a: V) -> (V, V, V) {
    let (c, d) = (a.of((2.0 / PI).sqrt()), a.of(0.044715));
    let square = a * a;
    (
        (c * a * (a.one() + d * square)).tanh(),
        c * (a.one() + a.of(3.0) * d * square),
        c * a.of(6.0) * d * a,
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
