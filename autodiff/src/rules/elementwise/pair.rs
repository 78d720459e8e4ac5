//! What the sweeps make of a binary row.

use super::binary::{Binary, Side};
use crate::real::Real;
use crate::vector::{Formula, Lanes};

/// The formulas of a row, of the operands `a` and `b`: the value and its five derivatives.
pub(super) trait Row: Copy {
    fn value<V: Lanes>(a: V, b: V) -> V;
    fn by_a<V: Lanes>(a: V, b: V) -> V;
    fn by_b<V: Lanes>(a: V, b: V) -> V;
    fn by_aa<V: Lanes>(a: V, b: V) -> V;
    fn by_ab<V: Lanes>(a: V, b: V) -> V;
    fn by_bb<V: Lanes>(a: V, b: V) -> V;
}

/// All rows compiled for a scalar type, here and not again in each crate that records programs; all
/// slices have the length of `out`, or one entry that goes with all of the others'.
pub trait PairKernels: Sized {
    /// `out = f(a, b)` for `[a, b]`.
    fn pair_value(row: Binary, a: &[&[Self]; 2], out: &mut [Self]);
    /// `out += ∂f/∂by · t` for `[a, b, t]`; here as below `out` is overwritten if it is `fresh`.
    fn pair_first(row: Binary, by: Side, a: &[&[Self]; 3], out: &mut [Self], fresh: bool);
    /// `out = ∂f/∂a · t`, then `out += ∂f/∂b · w`, for `[a, b, t, w]`.
    fn pair_along(row: Binary, a: &[&[Self]; 4], out: &mut [Self]);
    /// `out += ∂²f/∂by · s · t` for `[a, b, s, t]`.
    fn pair_second(row: Binary, by: (Side, Side), a: &[&[Self]; 4], out: &mut [Self], fresh: bool);
}

macro_rules! formulas {
    ($($(#[$doc:meta])* $Name:ident $n:literal: |$operands:pat_param, $old:pat_param|
        $formula:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $Name<R>(pub(super) R);

        impl<R: Row> Formula<$n> for $Name<R> {
            #[inline(always)]
            fn of<V: Lanes>(self, a: [V; $n], old: V) -> V {
                let ($operands, $old) = (a, old);
                $formula
            }
        }
    )*};
}

formulas! {
    /// `f`.
    Value 2: |[a, b], _| R::value(a, b);
    /// `old + ∂f/∂a · t`.
    ByA 3: |[a, b, t], old| old + R::by_a(a, b) * t;
    /// `old + ∂f/∂b · t`.
    ByB 3: |[a, b, t], old| old + R::by_b(a, b) * t;
    /// The two sums, one after the other.
    Along 4: |[a, b, t, w], old| old + R::by_a(a, b) * t + R::by_b(a, b) * w;
    /// `old + ∂²f/∂a² · s · t`.
    ByAa 4: |[a, b, s, t], old| old + R::by_aa(a, b) * s * t;
    /// `old + ∂²f/∂a∂b · s · t`.
    ByAb 4: |[a, b, s, t], old| old + R::by_ab(a, b) * s * t;
    /// `old + ∂²f/∂b² · s · t`.
    ByBb 4: |[a, b, s, t], old| old + R::by_bb(a, b) * s * t;
}

impl Binary {
    /// Whether there is a second derivative by these operands that is not zero.
    pub(crate) fn bends(self, by: Side, along: Side) -> bool {
        match self {
            Binary::Add | Binary::Sub => false,
            Binary::Mul => by != along,
            Binary::Div => (by, along) != (Side::Left, Side::Left),
            _ => true,
        }
    }

    /// Whether the derivative by this operand is 1, so that what comes back is handed on as it is.
    pub(crate) fn hands_on(self, by: Side) -> bool {
        matches!((self, by), (Binary::Add, _) | (Binary::Sub, Side::Left))
    }

    /// `out = f(a, b)`; here as below an operand of one entry goes with all of the others'.
    #[inline]
    pub(crate) fn eval<T: Real>(self, a: &[T], b: &[T], out: &mut [T]) {
        T::pair_value(self, &[a, b], out);
    }

    /// `out += ∂f/∂by · t`; here as below `out` is overwritten if it is `fresh`.
    #[inline]
    pub(crate) fn first<T: Real>(
        self,
        by: Side,
        [a, b]: [&[T]; 2],
        t: &[T],
        out: &mut [T],
        fresh: bool,
    ) {
        T::pair_first(self, by, &[a, b, t], out, fresh);
    }

    /// [`first`](Binary::first) by the left operand, with t, then by the right one, with w, in one pass.
    #[inline]
    pub(crate) fn along<T: Real>(self, [a, b]: [&[T]; 2], [t, w]: [&[T]; 2], out: &mut [T]) {
        T::pair_along(self, &[a, b, t, w], out);
    }

    /// `out += ∂²f/∂by∂along · s · t`.
    #[inline]
    pub(crate) fn second<T: Real>(
        self,
        by: (Side, Side),
        [a, b]: [&[T]; 2],
        s: &[T],
        t: &[T],
        out: &mut [T],
        fresh: bool,
    ) {
        T::pair_second(self, by, &[a, b, s, t], out, fresh);
    }
}
