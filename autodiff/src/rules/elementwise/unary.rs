//! What the sweeps make of a unary row.

use std::marker::PhantomData;

use super::Unary;
use crate::real::Real;
use crate::vector::{Formula, Lanes};

/// The formulas of a row, of the operand `a`, the value `u` and the parameter `p`.
pub(super) trait Row: Copy {
    fn value<V: Lanes>(a: V, p: V) -> V;
    fn first<V: Lanes>(a: V, u: V, p: V) -> V;
    fn second<V: Lanes>(a: V, u: V, p: V) -> V;
}

/// All rows compiled for a scalar type, here and not again in each crate that records programs.
pub trait Kernels: Sized {
    /// `out = f(a)`.
    fn value(row: Unary, p: Self, a: &[Self], out: &mut [Self]);
    /// `out += f′(a) · t` for `[a, u, t]`; here as below `out` is overwritten if it is `fresh`.
    fn first(row: Unary, p: Self, a: &[&[Self]; 3], out: &mut [Self], fresh: bool);
    /// `out += f″(a) · s · t` for `[a, u, s, t]`.
    fn second(row: Unary, p: Self, a: &[&[Self]; 4], out: &mut [Self], fresh: bool);
    /// `out += f′(a) · r`, then `out += f″(a) · s · t`, for `[a, u, r, s, t]`.
    fn both(row: Unary, p: Self, a: &[&[Self]; 5], out: &mut [Self], fresh: bool);
}

macro_rules! formulas {
    ($($(#[$doc:meta])* $Name:ident $n:literal: |$operands:pat_param, $old:pat_param, $p:ident|
        $formula:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $Name<R> {
            parameter: f64,
            row: PhantomData<R>,
        }

        impl<R> $Name<R> {
            pub(super) fn new<T: Real>(p: T) -> Self {
                $Name { parameter: p.f64(), row: PhantomData }
            }
        }

        impl<R: Row> Formula<$n> for $Name<R> {
            #[inline(always)]
            fn of<V: Lanes>(self, a: [V; $n], old: V) -> V {
                let ($operands, $old, $p) = (a, old, old.of(self.parameter));
                $formula
            }
        }
    )*};
}

formulas! {
    /// `f(a)`.
    Value 1: |[a], _, p| R::value(a, p);
    /// `old + f′(a) · t`.
    First 3: |[a, u, t], old, p| old + R::first(a, u, p) * t;
    /// `old + f″(a) · s · t`.
    Second 4: |[a, u, s, t], old, p| old + R::second(a, u, p) * s * t;
    /// The two sums, one after the other.
    Both 5: |[a, u, r, s, t], old, p| old + R::first(a, u, p) * r + R::second(a, u, p) * s * t;
}
