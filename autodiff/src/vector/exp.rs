//! The exponential function.
//!
//! With `k` the whole number nearest to `x / ln 2` and `r = x − k ln 2`, so `|r| ≤ ½ ln 2`, it is
//! `eˣ = 2ᵏ eʳ`. Cody and Waite's trick (Software Manual for the Elementary Functions, 1980) makes
//! the reduction accurate: `k` times the leading bits of ln 2 is exact, and so is its difference
//! from `x`. `eʳ` is its Taylor polynomial of degree 13 (`f32`: 7), whose next term is below 0.04
//! (0.09) units in the last place.

use super::lanes::Lanes;

/// `1/(j+2)!`: `eʳ = 1 + r + r² Σ rʲ/(j+2)!`.
const TAYLOR: [f64; 12] = {
    let mut c = [0.5; 12];
    let mut j = 1;
    while j < 12 {
        c[j] = c[j - 1] / (j + 2) as f64;
        j += 1;
    }
    c
};

/// `2^first · 2^second · (1 + p)` with both powers normal numbers.
struct Reduced<V> {
    first: V,
    second: V,
    p: V,
}

#[inline(always)]
fn reduce<V: Lanes>(x: V, low: f64, high: f64) -> Reduced<V> {
    // Beyond these numbers results are 0 or infinite anyway. A NaN passes all comparisons.
    let x = V::choose(x.lt(x.of(low)), x.of(low), x);
    let x = V::choose(x.of(high).lt(x), x.of(high), x);
    let k = (x * x.of(std::f64::consts::LOG2_E)).nearest();
    let near = k.mul_add(x.of(-V::LN2_HIGH), x);
    let r = k.mul_add(x.of(-V::LN2_LOW), near);
    // What rounding r lost.
    let lost = k.mul_add(x.of(-V::LN2_LOW), near - r);
    let terms = if V::SINGLE { 6 } else { 12 };
    let p = (r * r).mul_add(r.polynomial(&TAYLOR[..terms]), lost) + r;
    // Two powers, since one alone would overflow or leave the normal numbers too early.
    let first = (k * k.of(0.5)).nearest();
    Reduced {
        first,
        second: k - first,
        p,
    }
}

/// `eˣ`. Results below the normal numbers are rounded once more, as they must be.
#[inline(always)]
pub(super) fn exp<V: Lanes>(x: V) -> V {
    let (low, high) = if V::SINGLE {
        (-104.0, 89.0)
    } else {
        (-746.0, 710.0)
    };
    let Reduced { first, second, p } = reduce(x, low, high);
    (p + p.one()) * first.exp2() * second.exp2()
}

/// `eˣ − 1`, exact near 0.
#[inline(always)]
pub(super) fn exp_m1<V: Lanes>(x: V) -> V {
    // From −44 (f32: −18) down the value rounds to −1.
    let (low, high) = if V::SINGLE {
        (-18.0, 89.0)
    } else {
        (-44.0, 710.0)
    };
    let Reduced { first, second, p } = reduce(x, low, high);
    // 2^second (2^first p + (2^first − 2^−second)), where only the last sum is rounded.
    let scale = first.exp2();
    let sum = p.mul_add(scale, scale - (-second).exp2());
    (sum * second.exp2()).copysign(x)
}
