//! Elementwise operations: one row each gives every sweep.
//!
//! A unary row holds `f`, `f′` and `f″` as functions of the operand `a`, the value `u = f(a)` and a
//! parameter `p`; a [binary](Binary) row holds the value and its five derivatives. Adding an
//! operation is adding a row: the method on [`Var`](crate::var::Var), the sweeps and the list that the
//! tests draw from all come from it. This is all there is of the hyperbolic tangent:
//!
//! ```text
//! /// Hyperbolic tangent.
//! Tanh tanh All: |a, _| a.tanh(), |_, u, _| u.one() - u * u,
//!     |_, u, _| u.of(-2.0) * u * (u.one() - u * u);
//! ```
//!
//! In turn: the documentation of the method, the name in [`Unary`] and that of the method, the
//! [`Domain`] that tests draw operands from, and the three formulas. A parameter stands after the
//! domain, `SmoothAbs smooth_abs All (nu: f64)`, and is the last argument of each formula.
//!
//! Unary formulas are over [`Lanes`]: several numbers at once. `a.of(2.0)` is a constant, and
//! `V::choose(a.le(b), x, y)` stands for a branch. A function without a vector kernel is called
//! number by number: `a.map(|a| a.atan())`, or with the parameter `a.zip(p, |a, p| a.powf(p))`.
//!
//! Three rules hold for every row:
//! * a NaN operand gives a NaN value: `max` and comparisons are written so that they keep it;
//! * at the edge of the domain a derivative is its limit where there is one, else what the
//!   formula gives, and the documentation says so; at a kink it is what the documentation says;
//! * a formula neither overflows nor cancels where its value is moderate.

mod binary;
mod corners;
mod functions;
mod pair;
mod unary;

use std::f64::consts::FRAC_2_SQRT_PI;

pub use binary::Binary;
pub(crate) use binary::Side;
pub(crate) use corners::Corner;
use functions::{asinh_slope, gelu, integer, log_cosh, positive, scaled, sign};
pub use functions::{erf, sigmoid};
use nalgebra::{ComplexField, one};
pub(crate) use pair::PairKernels;
pub(crate) use unary::Kernels;
use unary::{Both, First, Row, Second, Value};

use crate::real::Real;
use crate::vector::{Lanes, Vector};

/// Where a test may draw the operands of an operation from: there the value and two derivatives
/// are finite, and moderate for operands and parameters that are. Parameters in [½, 2] suit every
/// row. An operation may well be defined on more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// All reals.
    All,
    /// All reals but a neighbourhood of 0, where the value or a derivative jumps or grows without
    /// bound.
    NonZero,
    /// Positive reals, away from 0.
    Positive,
    /// The open interval from −1 to 1.
    Unit,
    /// All reals but neighbourhoods of ± the parameter, where a derivative jumps.
    OffParameter,
    /// Of a second operand: all reals but a neighbourhood of the first one.
    Unequal,
}

macro_rules! unary_table {
    ($($(#[$doc:meta])* $Name:ident $method:ident $domain:ident $(($param:ident: $type:ty))?
        : |$a0:pat_param, $p0:pat_param| $f:expr,
        |$a1:pat_param, $u1:pat_param, $p1:pat_param| $d1:expr,
        |$a2:pat_param, $u2:pat_param, $p2:pat_param| $d2:expr;)*) => {
        /// A unary elementwise operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Unary { $($(#[$doc])* $Name,)* }

        impl Unary {
            /// Every row of the table.
            pub const ALL: &'static [Unary] = &[$(Unary::$Name),*];

            /// The operation's name: that of its method on `Var`.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$Name => stringify!($method),)* }
            }

            /// Where a test may draw the operand from.
            pub fn domain(self) -> Domain {
                match self { $(Unary::$Name => Domain::$domain,)* }
            }

            /// Whether the operation takes a parameter.
            pub fn takes_parameter(self) -> bool {
                match self { $(Unary::$Name => unary_table!(@has $($param)?),)* }
            }

            /// `out = f(a)`.
            pub(crate) fn eval<T: Real>(self, p: T, a: &[T], out: &mut [T]) {
                T::value(self, p, a, out);
            }

            /// `out += f′(a) · t`; here as below `out` is overwritten if it is `fresh`.
            pub(crate) fn first<T: Real>(
                self, p: T, a_u_t: [&[T]; 3], out: &mut [T], fresh: bool,
            ) {
                T::first(self, p, &a_u_t, out, fresh);
            }

            /// `out += f″(a) · s · t`.
            pub(crate) fn second<T: Real>(
                self, p: T, a_u_s_t: [&[T]; 4], out: &mut [T], fresh: bool,
            ) {
                T::second(self, p, &a_u_s_t, out, fresh);
            }

            /// [`first`](Unary::first) with r, then [`second`](Unary::second), in one pass.
            pub(crate) fn both<T: Real>(
                self, p: T, a_u_r_s_t: [&[T]; 5], out: &mut [T], fresh: bool,
            ) {
                T::both(self, p, &a_u_r_s_t, out, fresh);
            }
        }

        /// The formulas by themselves, for a kernel that computes several operations.
        impl Unary {
            /// `f(a)`.
            #[inline(always)]
            pub(crate) fn value_at<V: Lanes>(self, a: V, p: V) -> V {
                match self { $(Unary::$Name => <rows::$Name as Row>::value(a, p),)* }
            }

            /// `f′(a)` for u = f(a).
            #[inline(always)]
            pub(crate) fn slope_at<V: Lanes>(self, a: V, u: V, p: V) -> V {
                match self { $(Unary::$Name => <rows::$Name as Row>::first(a, u, p),)* }
            }
        }

        unary_table!(@kernels f64 $($Name)*);
        unary_table!(@kernels f32 $($Name)*);

        /// The formulas of each row, by its name.
        mod rows {
            $(#[derive(Clone, Copy)] pub(super) struct $Name;)*
        }

        $(impl Row for rows::$Name {
            #[inline(always)]
            fn value<V: Lanes>($a0: V, $p0: V) -> V { $f }
            #[inline(always)]
            fn first<V: Lanes>($a1: V, $u1: V, $p1: V) -> V { $d1 }
            #[inline(always)]
            fn second<V: Lanes>($a2: V, $u2: V, $p2: V) -> V { $d2 }
        })*

        impl<'r, T: Real> crate::var::Var<'r, T> {
            $(unary_table!(@method $(#[$doc])* $Name $method $($param: $type)?);)*
        }
    };
    (@kernels $T:ident $($Name:ident)*) => {
        impl Kernels for $T {
            fn value(row: Unary, p: $T, a: &[$T], out: &mut [$T]) {
                match row { $(Unary::$Name => {
                    $T::each(Value::<rows::$Name>::new(p), &[a], out, true)
                })* }
            }

            fn first(row: Unary, p: $T, a: &[&[$T]; 3], out: &mut [$T], fresh: bool) {
                match row { $(Unary::$Name => {
                    $T::each(First::<rows::$Name>::new(p), a, out, fresh)
                })* }
            }

            fn second(row: Unary, p: $T, a: &[&[$T]; 4], out: &mut [$T], fresh: bool) {
                match row { $(Unary::$Name => {
                    $T::each(Second::<rows::$Name>::new(p), a, out, fresh)
                })* }
            }

            fn both(row: Unary, p: $T, a: &[&[$T]; 5], out: &mut [$T], fresh: bool) {
                match row { $(Unary::$Name => {
                    $T::each(Both::<rows::$Name>::new(p), a, out, fresh)
                })* }
            }
        }
    };
    (@has) => { false };
    (@has $param:ident) => { true };
    (@method $(#[$doc:meta])* $Name:ident $method:ident) => {
        $(#[$doc])*
        #[must_use]
        #[track_caller]
        pub fn $method(self) -> Self { self.unary(Unary::$Name, T::zero()) }
    };
    (@method $(#[$doc:meta])* $Name:ident $method:ident $param:ident: $type:ty) => {
        $(#[$doc])*
        #[must_use]
        #[track_caller]
        pub fn $method(self, $param: $type) -> Self {
            self.unary(Unary::$Name, T::of($param.into()))
        }
    };
}

// Name method domain (parameter: type): f(a, p), f′(a, u, p), f″(a, u, p)
unary_table! {
    /// Minus `a`.
    Neg neg_ All: |a, _| -a, |a, _, _| -a.one(), |a, _, _| a.zero();
    /// `eᵃ`.
    Exp exp All: |a, _| a.exp(), |_, u, _| u, |_, u, _| u;
    /// Natural logarithm.
    Ln ln Positive: |a, _| a.ln(), |a, _, _| a.recip(), |a, _, _| -(a * a).recip();
    /// Square root. At 0 the derivative is infinite: see [`smooth_abs`](crate::var::Var::smooth_abs).
    Sqrt sqrt Positive: |a, _| a.sqrt(), |_, u, _| u.of(0.5) / u,
        |_, u, _| { let r = u.of(0.5) / u; r.of(-2.0) * r * r * r };
    /// `a²`.
    Square square All: |a, _| a * a, |a, _, _| a + a, |a, _, _| a.of(2.0);
    /// `1/a`.
    Recip recip NonZero: |a, _| a.recip(), |_, u, _| -(u * u), |_, u, _| u.of(2.0) * u * u * u;
    /// Sine.
    Sin sin All: |a, _| a.map(|a| a.sin()), |a, _, _| a.map(|a| a.cos()), |_, u, _| -u;
    /// Cosine.
    Cos cos All: |a, _| a.map(|a| a.cos()), |a, _, _| -a.map(|a| a.sin()), |_, u, _| -u;
    /// Hyperbolic tangent.
    Tanh tanh All: |a, _| a.tanh(), |_, u, _| u.one() - u * u,
        |_, u, _| u.of(-2.0) * u * (u.one() - u * u);
    /// Logistic function `1 / (1 + e⁻ᵃ)`.
    Sigmoid sigmoid All: |a, _| a.sigmoid(), |_, u, _| u * (u.one() - u),
        |_, u, _| u * (u.one() - u) * (u.one() - u - u);
    /// `ln(1 + eᵃ)`, without overflow.
    Softplus softplus All: |a, _| a.softplus(), |a, _, _| a.sigmoid(),
        |a, _, _| { let s = a.sigmoid(); s * (s.one() - s) };
    /// Absolute value; the derivative at 0 is 0.
    Abs abs NonZero: |a, _| a.abs(),
        |a, _, _| sign(a), |a, _, _| a.zero();
    /// `max(a, 0)`, and NaN for NaN; the derivative at 0 is 0.
    Relu relu NonZero: |a, _| V::choose(a.le(a.zero()), a.zero(), a),
        |a, _, _| positive(a), |a, _, _| a.zero();
    /// `max(a, 0)²`, and NaN for NaN; the second derivative jumps at 0 and is its mean 1 there, so
    /// that `max(a, 0)² + max(−a, 0)²` has that of `a²`.
    SquaredRelu squared_relu NonZero:
        |a, _| { let r = V::choose(a.le(a.zero()), a.zero(), a); r * r },
        |a, _, _| { let r = V::choose(a.le(a.zero()), a.zero(), a); r + r },
        |a, _, _| V::choose(a.eq(a.zero()), a.one(), a.of(2.0) * positive(a));
    /// `√(a² + ν²)`, the smoothed absolute value with parameter ν.
    SmoothAbs smooth_abs All (nu: f64): |a, p| (a * a + p * p).sqrt(), |a, u, _| a / u,
        |_, u, p| p * p / (u * u * u);
    /// `aᵖ` for a real exponent; the operand must be positive.
    Powf powf Positive (p: f64): |a, p| a.zip(p, |a, p| a.powf(p)),
        |a, _, p| a.zip(p, |a, p| scaled(p, || a.powf(p - one()))),
        |a, _, p| a.zip(p, |a, p| scaled(p * (p - one()), || a.powf(p - Real::of(2.0))));
    /// `aⁿ` for a whole exponent and any operand but 0 with `n < 0`.
    Powi powi NonZero (n: i32): |a, p| a.zip(p, |a, p| a.powi(integer(p))),
        |a, _, p| a.zip(p, |a, p| scaled(p.round(), || a.powi(integer(p) - 1))),
        |a, _, p| a.zip(p, |a, p| {
            let n = p.round();
            scaled(n * (n - one()), || a.powi(integer(p) - 2))
        });
    /// Cube root, of either sign. At 0 the derivative is infinite.
    Cbrt cbrt NonZero: |a, _| a.map(|a| a.cbrt()), |_, u, _| (u.of(3.0) * u * u).recip(),
        |a, u, _| a.of(-2.0 / 9.0) / (a * u * u);
    /// `ln(1 + a)`, exact near 0; the operand must exceed −1.
    Log1p log1p Positive: |a, _| a.ln_1p(), |a, _, _| (a.one() + a).recip(),
        |a, _, _| { let r = (a.one() + a).recip(); -(r * r) };
    /// `eᵃ − 1`, exact near 0.
    Expm1 expm1 All: |a, _| a.exp_m1(), |a, _, _| a.exp(), |a, _, _| a.exp();
    /// `a ln a`, and 0 at 0, where the derivative is −∞; the operand must not be negative.
    Xlogx xlogx Positive: |a, _| V::choose(a.eq(a.zero()), a, a * a.ln()),
        |a, _, _| a.ln() + a.one(), |a, _, _| a.recip();
    /// Hyperbolic sine.
    Sinh sinh All: |a, _| a.map(|a| a.sinh()), |a, _, _| a.map(|a| a.cosh()), |_, u, _| u;
    /// Hyperbolic cosine.
    Cosh cosh All: |a, _| a.map(|a| a.cosh()), |a, _, _| a.map(|a| a.sinh()), |_, u, _| u;
    /// Inverse hyperbolic sine.
    Asinh asinh All: |a, _| a.map(|a| a.asinh()), |a, _, _| asinh_slope(a),
        |a, _, _| { let r = asinh_slope(a); -(a * r) * r * r };
    /// Tangent.
    Tan tan Unit: |a, _| a.map(|a| a.tan()), |_, u, _| u.one() + u * u,
        |_, u, _| u.of(2.0) * u * (u.one() + u * u);
    /// Inverse tangent.
    Atan atan All: |a, _| a.map(|a| a.atan()), |a, _, _| (a.one() + a * a).recip(),
        |a, _, _| { let r = (a.one() + a * a).recip(); a.of(-2.0) * a * r * r };
    /// Error function `2/√π ∫₀ᵃ e^(−t²) dt`.
    Erf erf All: |a, _| a.map(erf), |a, _, _| a.of(FRAC_2_SQRT_PI) * (-a * a).exp(),
        |a, _, _| a.of(-2.0 * FRAC_2_SQRT_PI) * a * (-a * a).exp();
    /// `ln σ(a)` of the logistic function σ, without overflow.
    LogSigmoid log_sigmoid All: |a, _| -(-a).softplus(), |a, _, _| (-a).sigmoid(),
        |a, _, _| -a.sigmoid() * (-a).sigmoid();
    /// `ln cosh a`, without overflow, exact near 0.
    LogCosh log_cosh All: |a, _| log_cosh(a),
        |a, _, _| a.tanh(), |a, _, _| { let t = a.tanh(); t.one() - t * t };
    /// `a / (1 + |a|)`; the second derivative jumps at 0 and is 0 there.
    SoftSign soft_sign NonZero: |a, _| a / (a.one() + a.abs()),
        |a, _, _| { let r = (a.one() + a.abs()).recip(); r * r },
        |a, _, _| { let r = (a.one() + a.abs()).recip(); a.of(-2.0) * sign(a) * r * r * r };
    /// `a σ(a)` of the logistic function σ, also called swish.
    Silu silu All: |a, _| a * a.sigmoid(),
        |a, _, _| a.sigmoid() * (a.one() + a * (-a).sigmoid()),
        |a, _, _| {
            let (s, c) = (a.sigmoid(), (-a).sigmoid());
            s * c * (a.of(2.0) + a * (c - s))
        };
    /// Gaussian error linear unit, in the tanh form `½a (1 + tanh(√(2/π) (a + 0.044715 a³)))`
    /// that JAX takes by default; it differs from the one with erf by less than 0.0005.
    Gelu gelu All: |a, _| { let (t, ..) = gelu(a); a.of(0.5) * a * (a.one() + t) },
        |a, _, _| {
            let (t, q, _) = gelu(a);
            a.of(0.5) * (a.one() + t + a * (a.one() - t * t) * q)
        },
        |a, _, _| {
            let (t, q, dq) = gelu(a);
            (a.one() - t * t) * (q + a * (a.of(0.5) * dq - t * q * q))
        };
    /// `a` where positive, else `α (eᵃ − 1)`; at 0 the derivatives are those from the left.
    Elu elu NonZero (alpha: f64): |a, p| V::choose(a.zero().lt(a), a, p * a.exp_m1()),
        |a, _, p| V::choose(a.zero().lt(a), a.one(), p * a.exp()),
        |a, _, p| V::choose(a.zero().lt(a), a.zero(), p * a.exp());
    /// `a` where positive, else `s·a` for the slope s, which is also the derivative at 0.
    LeakyRelu leaky_relu NonZero (slope: f64): |a, p| V::choose(a.zero().lt(a), a, p * a),
        |a, _, p| { let s = positive(a); s + (a.one() - s) * p }, |a, _, _| a.zero();
    /// Huber's loss: `a²/2` up to `|a| = δ`, then `δ (|a| − δ/2)`; at ±δ, where the second
    /// derivative jumps, it is that from within.
    Huber huber OffParameter (delta: f64):
        |a, p| {
            let s = a.abs();
            V::choose(s.le(p), a.of(0.5) * a * a, p * (s - a.of(0.5) * p))
        },
        |a, _, p| V::choose(a.abs().le(p), a, p * sign(a)),
        |a, _, p| V::choose(a.abs().le(p), a.one(), a.zero());
}
