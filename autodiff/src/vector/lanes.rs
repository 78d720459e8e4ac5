//! The arithmetic that formulas over several numbers at once are written in.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{exp, ln, logistic};
use crate::real::Real;

/// Several numbers of one type, side by side in a register; every operation works lane by lane.
///
/// A formula that is generic over this trait runs on the vectors of every processor, and on single
/// numbers. All operations are correctly rounded, so the bits of a result depend on neither.
pub trait Lanes:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The type of a lane.
    type Scalar: Real;
    /// A truth value in each lane.
    type Mask: Copy;

    /// Whether lanes are `f32`: formulas then take shorter polynomials.
    const SINGLE: bool;
    /// Leading bits of ln 2, so few that their product with any exponent is exact.
    const LN2_HIGH: f64;
    /// The rest of ln 2.
    const LN2_LOW: f64;
    /// The least positive normal number.
    const MIN_POSITIVE: f64;

    /// The constant `c`, rounded to the type, in every lane.
    fn of(self, c: f64) -> Self;

    /// 1 in every lane.
    #[inline(always)]
    fn one(self) -> Self {
        self.of(1.0)
    }

    /// 0 in every lane.
    #[inline(always)]
    fn zero(self) -> Self {
        self.of(0.0)
    }

    /// `self · b + c`, rounded once.
    fn mul_add(self, b: Self, c: Self) -> Self;

    /// Square root.
    fn sqrt(self) -> Self;

    /// Absolute value.
    fn abs(self) -> Self;

    /// The absolute value with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;

    /// `1 / self`.
    #[inline(always)]
    fn recip(self) -> Self {
        self.one() / self
    }

    /// Where `self = b`.
    fn eq(self, b: Self) -> Self::Mask;

    /// Where `self < b`.
    fn lt(self, b: Self) -> Self::Mask;

    /// Where `self ≤ b`.
    fn le(self, b: Self) -> Self::Mask;

    /// `yes` where the mask holds, `no` elsewhere.
    fn choose(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// `f` of each lane: the way for a function without a vector kernel.
    fn map(self, f: impl Fn(Self::Scalar) -> Self::Scalar) -> Self;

    /// `f` of each lane and that of `b`.
    fn zip(self, b: Self, f: impl Fn(Self::Scalar, Self::Scalar) -> Self::Scalar) -> Self;

    /// The nearest whole number, for `|self| < 2²²`.
    fn nearest(self) -> Self;

    /// `2ᵏ` for a whole number `k` whose power is a normal number.
    fn exp2(self) -> Self;

    /// Splits a positive normal number.
    fn decompose(self) -> Parts<Self>;

    /// `Σ cᵢ selfⁱ` for an even number of coefficients: pairs are summed apart, so that a lone
    /// vector waits for half as many additions as in Horner's rule.
    #[inline(always)]
    fn polynomial(self, c: &[f64]) -> Self {
        let square = self * self;
        let pair = |i: usize| self.mul_add(self.of(c[i + 1]), self.of(c[i]));
        let mut i = c.len() - 2;
        let mut sum = pair(i);
        while i > 0 {
            i -= 2;
            sum = sum.mul_add(square, pair(i));
        }
        sum
    }

    /// `eˣ`; accuracy is in the table of the [module](super), here as below.
    #[inline(always)]
    fn exp(self) -> Self {
        exp::exp(self)
    }

    /// `eˣ − 1`, exact near 0.
    #[inline(always)]
    fn exp_m1(self) -> Self {
        exp::exp_m1(self)
    }

    /// Natural logarithm: −∞ at 0, NaN below.
    #[inline(always)]
    fn ln(self) -> Self {
        ln::ln(self)
    }

    /// `ln(1 + x)`, exact near 0: −∞ at −1, NaN below.
    #[inline(always)]
    fn ln_1p(self) -> Self {
        ln::ln_1p(self)
    }

    /// Hyperbolic tangent.
    #[inline(always)]
    fn tanh(self) -> Self {
        logistic::tanh(self)
    }

    /// Logistic function `1 / (1 + e⁻ˣ)`.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        logistic::sigmoid(self)
    }

    /// `ln(1 + eˣ)` without overflow or cancellation.
    #[inline(always)]
    fn softplus(self) -> Self {
        logistic::softplus(self)
    }
}

/// `x = 2ᵏ m` with `m` in `[√½, √2)`.
#[derive(Clone, Copy, Debug)]
pub struct Parts<V> {
    /// `k`.
    pub exponent: V,
    /// `m`.
    pub fraction: V,
    /// `2⁻ᵏ`, or nonsense for the largest binade.
    pub scale: V,
}
