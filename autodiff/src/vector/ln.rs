//! Natural logarithms.
//!
//! With `x = 2ᵏ (1 + f)`, `1 + f` in `[√½, √2)`, it is `ln x = k ln 2 + ln(1 + f)`, and with
//! `s = f/(2 + f)`, `ln(1 + f) = 2 artanh s = f − (f²/2 − s (f²/2 + R))` where
//! `R = Σ 2 s²ⁿ/(2n+1)` from `n = 1`: `f` is exact, and what is subtracted is small. The series
//! ends with `n = 10` (`f32`: 4), since `s² < 0.0295`.

use super::lanes::Lanes;

/// `2/(2n+1)` from `n = 1`.
const ARTANH: [f64; 10] = {
    let mut c = [0.0; 10];
    let mut n = 0;
    while n < 10 {
        c[n] = 2.0 / (2 * n + 3) as f64;
        n += 1;
    }
    c
};

/// `k ln 2 + ln(1 + f + low)` for a `low` below the spacing of `f`.
#[inline(always)]
fn sum<V: Lanes>(k: V, f: V, low: V) -> V {
    let s = f / (f + f.of(2.0));
    let z = s * s;
    let terms = if V::SINGLE { 4 } else { 10 };
    let r = z * z.polynomial(&ARTANH[..terms]);
    let half = f * f * f.of(0.5);
    let small = k.mul_add(f.of(V::LN2_LOW), low);
    let subtract = half - s.mul_add(half + r, small);
    k.mul_add(f.of(V::LN2_HIGH), f - subtract)
}

/// Natural logarithm: −∞ at 0, NaN below.
#[inline(always)]
pub(super) fn ln<V: Lanes>(x: V) -> V {
    // Numbers below the normal ones are scaled first.
    let tiny = x.lt(x.of(V::MIN_POSITIVE));
    let parts = V::choose(tiny, x * x.of(2f64.powi(54)), x).decompose();
    let k = parts.exponent - V::choose(tiny, x.of(54.0), x.zero());
    let value = sum(k, parts.fraction - x.one(), x.zero());
    edges(x, x, value)
}

/// `ln(1 + x)`, exact near 0: −∞ at −1, NaN below.
#[inline(always)]
pub(super) fn ln_1p<V: Lanes>(x: V) -> V {
    let u = x + x.one();
    // What the sum lost (Dekker): 1 is the larger one for |x| < 1.
    let big = V::choose(x.abs().lt(x.one()), x.one(), x);
    let lost = (big - u) + V::choose(x.abs().lt(x.one()), x, x.one());
    let parts = u.decompose();
    // From 2⁶⁰ on nothing that matters is lost, and the scale may be no number.
    let lost = V::choose(u.lt(u.of(2f64.powi(60))), lost * parts.scale, u.zero());
    let f0 = parts.fraction - x.one();
    let f = f0 + lost;
    // ln(1 + f + low) ≈ ln(1 + f) + low/(1 + f), and 1 + f is near enough to 1.
    let value = sum(parts.exponent, f, (f0 - f) + lost);
    V::choose(x.eq(x.zero()), x, edges(x, u, value))
}

/// The value where the argument `u` of the logarithm is positive and finite, else what is due.
#[inline(always)]
fn edges<V: Lanes>(x: V, u: V, value: V) -> V {
    let value = V::choose(u.eq(u.zero()), u.of(f64::NEG_INFINITY), value);
    let value = V::choose(u.lt(u.zero()), u.of(f64::NAN), value);
    let value = V::choose(u.lt(u.of(f64::INFINITY)), value, x);
    // Of −∞ the last line made −∞; of NaN it kept the NaN.
    V::choose(u.eq(u.of(f64::NEG_INFINITY)), u.of(f64::NAN), value)
}
