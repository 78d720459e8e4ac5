//! Elementary functions of many numbers at once, in vector instructions.
//!
//! ```
//! let mut out = [0.0; 3];
//! autodiff::vector::exp(&[0.0, 1.0, f64::NEG_INFINITY], &mut out);
//! assert_eq!(out, [1.0, std::f64::consts::E, 0.0]);
//! ```
//!
//! Each function has no branches and serves all arguments: NaN, ±∞, ±0, and numbers below the
//! normal ones, as arguments and as results. Its bits depend on the argument alone: not on the place
//! in the slice, and not on the processor, since every step is correctly rounded. (Without fused
//! multiply-adds in hardware the C library supplies them, exact but slow.)
//!
//! Bounds on the error in units in the last place of the exact value, gradual underflow included.
//! Tests hold them against two hundred thousand `f64` arguments and two million of type `f32`; with
//! `BILEVEL_ULP=full`, against every `f32`.
//!
//! | function | `f64` | `f32` |
//! |---|---|---|
//! | `exp` | 1 | 1 |
//! | `exp_m1` | 2 | 2 |
//! | `ln`, `ln_1p` | 1 | 1 |
//! | `tanh` | 3 | 3 |
//! | `sigmoid` | 2.5 | 2.5 |
//! | `softplus` | 2 | 2 |
//!
//! Vectors are the widest of the processor, or as narrow as [`limit_width`] says.
//!
//! In the midst of a [`pulp`] kernel the same functions are the methods of [`Lanes`]:
//! `f64::load(simd, &[x]).exp()`.

mod each;
mod exp;
mod head;
mod lanes;
mod ln;
mod logistic;
mod packs;

pub(crate) use each::Formula;
pub use each::Vector;
pub(crate) use head::Head;
pub use lanes::Lanes;

pub use crate::simd::{Width, limit_width, width};

use crate::real::Real;

macro_rules! slices {
    ($($(#[$doc:meta])* $function:ident)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// If the slices differ in length.
        #[track_caller]
        pub fn $function<T: Real>(a: &[T], out: &mut [T]) {
            #[derive(Clone, Copy)]
            struct Function;

            impl Formula<1> for Function {
                #[inline(always)]
                fn of<V: Lanes>(self, [a]: [V; 1], _: V) -> V {
                    a.$function()
                }
            }

            let (n, m) = (a.len(), out.len());
            assert!(n == m, "{n} arguments do not go with {m} results");
            T::each(Function, &[a], out, true);
        }
    )*};
}

slices! {
    /// `out = eᵃ`.
    exp
    /// `out = eᵃ − 1`, exact near 0.
    exp_m1
    /// `out = ln a`: −∞ at 0, NaN below.
    ln
    /// `out = ln(1 + a)`, exact near 0: −∞ at −1, NaN below.
    ln_1p
    /// `out = tanh a`.
    tanh
    /// `out = 1 / (1 + e⁻ᵃ)`.
    sigmoid
    /// `out = ln(1 + eᵃ)` without overflow or cancellation.
    softplus
}
