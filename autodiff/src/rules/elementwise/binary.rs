//! Binary elementwise operations.

use super::Domain;
use super::functions::{hypot, larger, logaddexp, ratio, scaled, share, sigmoid, vanishing};
use crate::Real;

macro_rules! binary_table {
    ($($(#[$doc:meta])* $Name:ident $name:ident $(($other:ident))? $left:ident $domain:ident
        : $f:expr, $fa:expr, $fb:expr, $faa:expr, $fab:expr, $fbb:expr;)*) => {
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

            /// `out = f(a, b)`.
            pub(crate) fn eval<T: Real>(self, a: &[T], b: &[T], out: &mut [T]) {
                match self { $(Binary::$Name => {
                    let f: fn(T, T) -> T = $f;
                    each(a, b, out.len(), |i, a, b| out[i] = f(a, b));
                })* }
            }

            /// `add(i, ∂f/∂a · t)` or `add(i, ∂f/∂b · t)` for every entry.
            pub(crate) fn first<T: Real>(
                self, by: Side, a: &[T], b: &[T], t: &[T], n: usize, mut add: impl FnMut(usize, T),
            ) {
                let t = spread(t);
                match self { $(Binary::$Name => {
                    let fa: fn(T, T) -> T = $fa;
                    let fb: fn(T, T) -> T = $fb;
                    match by {
                        Side::Left => each(a, b, n, |i, a, b| add(i, fa(a, b) * t(i))),
                        Side::Right => each(a, b, n, |i, a, b| add(i, fb(a, b) * t(i))),
                    }
                })* }
            }

            /// `add(i, ∂²f/∂by∂along · s · t)` for every entry.
            #[allow(clippy::too_many_arguments)]
            pub(crate) fn second<T: Real>(
                self, by: Side, along: Side, a: &[T], b: &[T], s: &[T], t: &[T], n: usize,
                mut add: impl FnMut(usize, T),
            ) {
                let (s, t) = (spread(s), spread(t));
                match self { $(Binary::$Name => {
                    let faa: fn(T, T) -> T = $faa;
                    let fab: fn(T, T) -> T = $fab;
                    let fbb: fn(T, T) -> T = $fbb;
                    let f = match (by, along) {
                        (Side::Left, Side::Left) => faa,
                        (Side::Right, Side::Right) => fbb,
                        _ => fab,
                    };
                    each(a, b, n, |i, a, b| add(i, f(a, b) * s(i) * t(i)));
                })* }
            }
        }

        impl<'r, T: Real> crate::Var<'r, T> {
            $(binary_table!(@method $(#[$doc])* $Name $name $($other)?);)*
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
pub(crate) enum Side {
    Left,
    Right,
}

// Name name (operand, for a method of `Var`) domains of a and b: f, ∂a, ∂b, ∂²aa, ∂²ab, ∂²bb
binary_table! {
    /// `a + b`.
    Add add All All: |a, b| a + b, |_, _| T::one(), |_, _| T::one(),
        |_, _| T::zero(), |_, _| T::zero(), |_, _| T::zero();
    /// `a − b`.
    Sub sub All All: |a, b| a - b, |_, _| T::one(), |_, _| -T::one(),
        |_, _| T::zero(), |_, _| T::zero(), |_, _| T::zero();
    /// `a · b`, entry by entry.
    Mul mul All All: |a, b| a * b, |_, b| b, |a, _| a,
        |_, _| T::zero(), |_, _| T::one(), |_, _| T::zero();
    /// `a / b`, entry by entry.
    Div div All NonZero: |a, b| a / b, |_, b| b.recip(), |a, b| -a / (b * b),
        |_, _| T::zero(), |_, b| -(b * b).recip(), |a, b| T::of(2.0) * a / (b * b * b);
    /// `aᵇ` for `a ≥ 0`. At `a = 0` the derivatives are their limits where there are any: for
    /// `b > 0` that by `b` is 0.
    Pow pow(b) Positive All: |a, b| a.powf(b),
        |a, b| scaled(b, || a.powf(b - T::one())),
        |a, b| vanishing(a, b, || a.powf(b) * a.ln()),
        |a, b| scaled(b * (b - T::one()), || a.powf(b - T::of(2.0))),
        |a, b| vanishing(a, b - T::one(), || a.powf(b - T::one()) * (T::one() + b * a.ln())),
        |a, b| vanishing(a, b, || { let l = a.ln(); a.powf(b) * l * l });
    /// The larger one. Where they are equal, each has half of the derivative, as in JAX; NaN if
    /// either is.
    Max max(b) All Unequal: |a, b| larger(a, b), |a, b| share(a, b), |a, b| share(b, a),
        |_, _| T::zero(), |_, _| T::zero(), |_, _| T::zero();
    /// The smaller one. Where they are equal, each has half of the derivative, as in JAX; NaN if
    /// either is.
    Min min(b) All Unequal: |a, b| -larger(-a, -b), |a, b| share(b, a), |a, b| share(a, b),
        |_, _| T::zero(), |_, _| T::zero(), |_, _| T::zero();
    /// The angle of the point with height `a` and abscissa `b`, in (−π, π]. At the origin there is
    /// no derivative: it is NaN there.
    Atan2 atan2(b) All NonZero: |a, b| a.atan2(b),
        |a, b| { let h = hypot(a, b); b / h / h },
        |a, b| { let h = hypot(a, b); -a / h / h },
        |a, b| { let h = hypot(a, b); T::of(-2.0) * (a / h) * (b / h) / h / h },
        |a, b| { let h = hypot(a, b); (a / h - b / h) * (a / h + b / h) / h / h },
        |a, b| { let h = hypot(a, b); T::of(2.0) * (a / h) * (b / h) / h / h };
    /// `√(a² + b²)` without overflow. At the origin all derivatives are 0 by convention.
    Hypot hypot(b) All NonZero: |a, b| hypot(a, b),
        |a, b| ratio(a, hypot(a, b)), |a, b| ratio(b, hypot(a, b)),
        |a, b| { let h = hypot(a, b); let q = ratio(b, h); ratio(q * q, h) },
        |a, b| { let h = hypot(a, b); -ratio(ratio(a, h) * ratio(b, h), h) },
        |a, b| { let h = hypot(a, b); let q = ratio(a, h); ratio(q * q, h) };
    /// `ln(eᵃ + eᵇ)` without overflow.
    LogAddExp logaddexp(b) All All: |a, b| logaddexp(a, b),
        |a, b| sigmoid(a - b), |a, b| sigmoid(b - a),
        |a, b| sigmoid(a - b) * sigmoid(b - a), |a, b| -sigmoid(a - b) * sigmoid(b - a),
        |a, b| sigmoid(a - b) * sigmoid(b - a);
}

/// Calls `f(i, aᵢ, bᵢ)` for `i < n`; an operand of length 1 is repeated.
#[inline(always)]
fn each<T: Real>(a: &[T], b: &[T], n: usize, mut f: impl FnMut(usize, T, T)) {
    match (a.len() == n, b.len() == n) {
        (true, true) => (0..n).for_each(|i| f(i, a[i], b[i])),
        (true, false) => (0..n).for_each(|i| f(i, a[i], b[0])),
        (false, true) => (0..n).for_each(|i| f(i, a[0], b[i])),
        (false, false) => (0..n).for_each(|i| f(i, a[0], b[0])),
    }
}

#[inline(always)]
fn spread<T: Real>(t: &[T]) -> impl Fn(usize) -> T + '_ {
    let step = usize::from(t.len() > 1);
    move |i| t[i * step]
}
