//! The logistic function and its kin.

use super::exp::{exp, exp_m1};
use super::lanes::Lanes;
use super::ln::ln_1p;

/// Logistic function `1 / (1 + e⁻ˣ)`, from the side whose exponential cannot overflow.
#[inline(always)]
pub(super) fn sigmoid<V: Lanes>(x: V) -> V {
    let e = exp(-x.abs());
    V::choose(x.lt(x.zero()), e, x.one()) / (e + x.one())
}

/// `ln(1 + eˣ)` without overflow or cancellation.
#[inline(always)]
pub(super) fn softplus<V: Lanes>(x: V) -> V {
    let above = V::choose(x.lt(x.zero()), x.zero(), x);
    above + ln_1p(exp(-x.abs()))
}

/// Hyperbolic tangent: `t / (t + 2)` with `t = e^(2|x|) − 1`, and the sign of `x`.
#[inline(always)]
pub(super) fn tanh<V: Lanes>(x: V) -> V {
    let size = x.abs() + x.abs();
    // From here on the value rounds to 1.
    let far = x.of(if V::SINGLE { 20.0 } else { 40.0 });
    let t = exp_m1(V::choose(far.lt(size), far, size));
    (t / (t + t.of(2.0))).copysign(x)
}
