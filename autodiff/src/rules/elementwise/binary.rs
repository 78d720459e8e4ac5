//! Binary elementwise operations: rows of formulas over several numbers at once.

use nalgebra::{ComplexField, RealField};

use super::Domain;
use super::functions::{hypot, larger, logaddexp, ratio, scaled, share, vanishing};
use super::pair::{Along, ByA, ByAa, ByAb, ByB, ByBb, PairKernels, Row, Value};
use crate::real::Real;
use crate::vector::{Lanes, Vector};

macro_rules! binary_table {
    ($($(#[$doc:meta])* $Name:ident $name:ident $(($other:ident))? $left:ident $domain:ident
        : |$a0:pat_param, $b0:pat_param| $f:expr,
        |$a1:pat_param, $b1:pat_param| $fa:expr, |$a2:pat_param, $b2:pat_param| $fb:expr,
        |$a3:pat_param, $b3:pat_param| $faa:expr, |$a4:pat_param, $b4:pat_param| $fab:expr,
        |$a5:pat_param, $b5:pat_param| $fbb:expr;)*) => {
        /// A binary elementwise operation; a scalar operand goes with every entry of the other.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Binary { $($(#[$doc])* $Name,)* }

        impl Binary {
            /// Every row of the table.
            pub const ALL: &'static [Binary] = &[$(Binary::$Name),*];

            /// The operation's name.
            pub fn name(self) -> &'static str {
                match self { $(Binary::$Name => stringify!($name),)* }
            }

            /// Where the first operand may be.
            pub fn left_domain(self) -> Domain {
                match self { $(Binary::$Name => Domain::$left,)* }
            }

            /// Where the second operand may be.
            pub fn domain(self) -> Domain {
                match self { $(Binary::$Name => Domain::$domain,)* }
            }
        }

        /// The formulas by themselves, for a kernel that computes several operations.
        impl Binary {
            /// `f(a, b)`.
            #[inline(always)]
            pub(crate) fn value_at<V: Lanes>(self, a: V, b: V) -> V {
                match self { $(Binary::$Name => <rows::$Name as Row>::value(a, b),)* }
            }

            /// `∂f/∂by`.
            #[inline(always)]
            pub(crate) fn slope_at<V: Lanes>(self, by: Side, a: V, b: V) -> V {
                match (self, by) { $(
                    (Binary::$Name, Side::Left) => <rows::$Name as Row>::by_a(a, b),
                    (Binary::$Name, Side::Right) => <rows::$Name as Row>::by_b(a, b),
                )* }
            }
        }

        binary_table!(@kernels f64 $($Name)*);
        binary_table!(@kernels f32 $($Name)*);

        /// The formulas of each row, by its name.
        mod rows {
            $(#[derive(Clone, Copy)] pub(super) struct $Name;)*
        }

        $(impl Row for rows::$Name {
            #[inline(always)]
            fn value<V: Lanes>($a0: V, $b0: V) -> V { $f }
            #[inline(always)]
            fn by_a<V: Lanes>($a1: V, $b1: V) -> V { $fa }
            #[inline(always)]
            fn by_b<V: Lanes>($a2: V, $b2: V) -> V { $fb }
            #[inline(always)]
            fn by_aa<V: Lanes>($a3: V, $b3: V) -> V { $faa }
            #[inline(always)]
            fn by_ab<V: Lanes>($a4: V, $b4: V) -> V { $fab }
            #[inline(always)]
            fn by_bb<V: Lanes>($a5: V, $b5: V) -> V { $fbb }
        })*

        impl<'r, T: Real> crate::var::Var<'r, T> {
            $(binary_table!(@method $(#[$doc])* $Name $name $($other)?);)*
        }
    };
    (@kernels $T:ident $($Name:ident)*) => {
        impl PairKernels for $T {
            fn pair_value(row: Binary, a: &[&[$T]; 2], out: &mut [$T]) {
                match row { $(Binary::$Name => $T::each_spread(Value(rows::$Name), a, out, true),)* }
            }

            fn pair_first(
                row: Binary, by: Side, a: &[&[$T]; 3], out: &mut [$T], fresh: bool,
            ) {
                match (row, by) { $(
                    (Binary::$Name, Side::Left) => $T::each_spread(ByA(rows::$Name), a, out, fresh),
                    (Binary::$Name, Side::Right) => $T::each_spread(ByB(rows::$Name), a, out, fresh),
                )* }
            }

            fn pair_along(row: Binary, a: &[&[$T]; 4], out: &mut [$T]) {
                match row { $(Binary::$Name => $T::each_spread(Along(rows::$Name), a, out, true),)* }
            }

            fn pair_second(
                row: Binary, by: (Side, Side), a: &[&[$T]; 4], out: &mut [$T], fresh: bool,
            ) {
                use Side::{Left, Right};
                match (row, by) { $(
                    (Binary::$Name, (Left, Left)) => $T::each_spread(ByAa(rows::$Name), a, out, fresh),
                    (Binary::$Name, (Right, Right)) => $T::each_spread(ByBb(rows::$Name), a, out, fresh),
                    (Binary::$Name, _) => $T::each_spread(ByAb(rows::$Name), a, out, fresh),
                )* }
            }
        }
    };
    (@method $(#[$doc:meta])* $Name:ident $name:ident) => {};
    (@method $(#[$doc:meta])* $Name:ident $name:ident $other:ident) => {
        $(#[$doc])*
        #[must_use]
        #[track_caller]
        pub fn $name(self, $other: Self) -> Self { self.elementwise_with(Binary::$Name, $other) }
    };
}

/// Which operand of a binary operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Left,
    /// The second.
    Right,
}

impl Side {
    /// Both, in order.
    pub(crate) const BOTH: [Side; 2] = [Side::Left, Side::Right];
}

// Name name (operand, for a method of `Var`) domains of a and b: f, ∂a, ∂b, ∂²aa, ∂²ab, ∂²bb
binary_table! {
    /// `a + b`.
    Add add All All: |a, b| a + b, |a, _| a.one(), |a, _| a.one(),
        |a, _| a.zero(), |a, _| a.zero(), |a, _| a.zero();
    /// `a − b`.
    Sub sub All All: |a, b| a - b, |a, _| a.one(), |a, _| -a.one(),
        |a, _| a.zero(), |a, _| a.zero(), |a, _| a.zero();
    /// `a · b`, entry by entry.
    Mul mul All All: |a, b| a * b, |_, b| b, |a, _| a,
        |a, _| a.zero(), |a, _| a.one(), |a, _| a.zero();
    /// `a / b`, entry by entry.
    Div div All NonZero: |a, b| a / b, |_, b| b.recip(), |a, b| -a / (b * b),
        |a, _| a.zero(), |_, b| -(b * b).recip(), |a, b| a.of(2.0) * a / (b * b * b);
    /// `aᵇ` for `a ≥ 0`. At `a = 0` the derivatives are their limits where there are any: for
    /// `b > 0` that by `b` is 0.
    Pow pow(b) Positive All: |a, b| a.zip(b, |a, b| a.powf(b)),
        |a, b| a.zip(b, |a, b| scaled(b, || a.powf(b - V::Scalar::of(1.0)))),
        |a, b| a.zip(b, |a, b| vanishing(a, b, || a.powf(b) * a.ln())),
        |a, b| a.zip(b, |a, b| {
            scaled(b * (b - V::Scalar::of(1.0)), || a.powf(b - V::Scalar::of(2.0)))
        }),
        |a, b| a.zip(b, |a, b| {
            let (one, less) = (V::Scalar::of(1.0), b - V::Scalar::of(1.0));
            vanishing(a, less, || a.powf(less) * (one + b * a.ln()))
        }),
        |a, b| a.zip(b, |a, b| vanishing(a, b, || { let l = a.ln(); a.powf(b) * l * l }));
    /// The larger one. Where they are equal, each has half of the derivative, as in JAX; NaN if
    /// either is.
    Max max(b) All Unequal: |a, b| a.zip(b, larger),
        |a, b| a.zip(b, share), |a, b| b.zip(a, share),
        |a, _| a.zero(), |a, _| a.zero(), |a, _| a.zero();
    /// The smaller one. Where they are equal, each has half of the derivative, as in JAX; NaN if
    /// either is.
    Min min(b) All Unequal: |a, b| -(-a).zip(-b, larger),
        |a, b| b.zip(a, share), |a, b| a.zip(b, share),
        |a, _| a.zero(), |a, _| a.zero(), |a, _| a.zero();
    /// The angle of the point with height `a` and abscissa `b`, in (−π, π]: it jumps where `a`
    /// changes its sign at a `b` below 0. At the origin there is no derivative: it is NaN there.
    Atan2 atan2(b) NonZero All: |a, b| a.zip(b, |a, b| a.atan2(b)),
        |a, b| { let h = a.zip(b, hypot); b / h / h },
        |a, b| { let h = a.zip(b, hypot); -a / h / h },
        |a, b| { let h = a.zip(b, hypot); a.of(-2.0) * (a / h) * (b / h) / h / h },
        |a, b| { let h = a.zip(b, hypot); (a / h - b / h) * (a / h + b / h) / h / h },
        |a, b| { let h = a.zip(b, hypot); a.of(2.0) * (a / h) * (b / h) / h / h };
    /// `√(a² + b²)` without overflow. At the origin all derivatives are 0 by convention.
    Hypot hypot(b) All NonZero: |a, b| a.zip(b, hypot),
        |a, b| a.zip(a.zip(b, hypot), ratio), |a, b| b.zip(a.zip(b, hypot), ratio),
        |a, b| { let h = a.zip(b, hypot); let q = b.zip(h, ratio); (q * q).zip(h, ratio) },
        |a, b| { let h = a.zip(b, hypot); -(a.zip(h, ratio) * b.zip(h, ratio)).zip(h, ratio) },
        |a, b| { let h = a.zip(b, hypot); let q = a.zip(h, ratio); (q * q).zip(h, ratio) };
    /// `ln(eᵃ + eᵇ)` without overflow.
    LogAddExp logaddexp(b) All All: |a, b| a.zip(b, logaddexp),
        |a, b| (a - b).sigmoid(), |a, b| (b - a).sigmoid(),
        |a, b| (a - b).sigmoid() * (b - a).sigmoid(),
        |a, b| -(a - b).sigmoid() * (b - a).sigmoid(),
        |a, b| (a - b).sigmoid() * (b - a).sigmoid();
}
