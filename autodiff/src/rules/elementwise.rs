//! Elementwise operations: one row each gives every sweep.
//!
//! A unary row holds `f`, `f′` and `f″` as functions of the operand `a`, the value `u = f(a)` and a
//! parameter `p`; a binary row holds the value and its five derivatives. Adding an operation is
//! adding a row: the method on [`Var`](crate::Var), the sweeps and the list that the tests draw
//! from all come from it.

use crate::Real;

/// Where an operation may be evaluated: what a test may draw operands from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// All reals.
    All,
    /// All reals but a neighbourhood of 0, where a derivative jumps or grows without bound.
    NonZero,
    /// Positive reals.
    Positive,
    /// The open interval from −1 to 1.
    Unit,
}

macro_rules! unary_table {
    ($($(#[$doc:meta])* $Name:ident $method:ident $domain:ident $(($param:ident))?
        : $f:expr, $d1:expr, $d2:expr;)*) => {
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

            /// Where the operation and its two derivatives are finite.
            pub fn domain(self) -> Domain {
                match self { $(Unary::$Name => Domain::$domain,)* }
            }

            /// Whether the operation takes a parameter.
            pub fn takes_parameter(self) -> bool {
                match self { $(Unary::$Name => unary_table!(@has $($param)?),)* }
            }

            /// `out = f(a)`.
            pub(crate) fn eval<T: Real>(self, p: T, a: &[T], out: &mut [T]) {
                match self { $(Unary::$Name => {
                    let f: fn(T, T) -> T = $f;
                    for (o, a) in out.iter_mut().zip(a) { *o = f(*a, p); }
                })* }
            }

            /// `out += f′(a) · t`.
            pub(crate) fn first<T: Real>(self, p: T, a: &[T], u: &[T], t: &[T], out: &mut [T]) {
                match self { $(Unary::$Name => {
                    let d1: fn(T, T, T) -> T = $d1;
                    for i in 0..out.len() { out[i] += d1(a[i], u[i], p) * t[i]; }
                })* }
            }

            /// `out += f″(a) · s · t`.
            pub(crate) fn second<T: Real>(
                self, p: T, a: &[T], u: &[T], s: &[T], t: &[T], out: &mut [T],
            ) {
                match self { $(Unary::$Name => {
                    let d2: fn(T, T, T) -> T = $d2;
                    for i in 0..out.len() { out[i] += d2(a[i], u[i], p) * s[i] * t[i]; }
                })* }
            }
        }

        impl<'r, T: Real> crate::Var<'r, T> {
            $(unary_table!(@method $(#[$doc])* $Name $method $($param)?);)*
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
    (@method $(#[$doc:meta])* $Name:ident $method:ident $param:ident) => {
        $(#[$doc])*
        #[must_use]
        #[track_caller]
        pub fn $method(self, $param: f64) -> Self { self.unary(Unary::$Name, T::of($param)) }
    };
}

// Name method domain (parameter): f(a, p), f′(a, u, p), f″(a, u, p)
unary_table! {
    /// Minus `a`.
    Neg neg_ All: |a, _| -a, |_, _, _| -T::one(), |_, _, _| T::zero();
    /// `eᵃ`.
    Exp exp All: |a, _| a.exp(), |_, u, _| u, |_, u, _| u;
    /// Natural logarithm.
    Ln ln Positive: |a, _| a.ln(), |a, _, _| a.recip(), |a, _, _| -(a * a).recip();
    /// Square root. At 0 the derivative is infinite: see [`smooth_abs`](crate::Var::smooth_abs).
    Sqrt sqrt Positive: |a, _| a.sqrt(), |_, u, _| T::of(0.5) / u, |a, u, _| T::of(-0.25) / (a * u);
    /// `a²`.
    Square square All: |a, _| a * a, |a, _, _| a + a, |_, _, _| T::of(2.0);
    /// `1/a`.
    Recip recip NonZero: |a, _| a.recip(), |_, u, _| -(u * u), |_, u, _| T::of(2.0) * u * u * u;
    /// Sine.
    Sin sin All: |a, _| a.sin(), |a, _, _| a.cos(), |_, u, _| -u;
    /// Cosine.
    Cos cos All: |a, _| a.cos(), |a, _, _| -a.sin(), |_, u, _| -u;
    /// Hyperbolic tangent.
    Tanh tanh All: |a, _| a.tanh(), |_, u, _| T::one() - u * u,
        |_, u, _| T::of(-2.0) * u * (T::one() - u * u);
    /// Logistic function `1 / (1 + e⁻ᵃ)`.
    Sigmoid sigmoid All: |a, _| sigmoid(a), |_, u, _| u * (T::one() - u),
        |_, u, _| u * (T::one() - u) * (T::one() - u - u);
    /// `ln(1 + eᵃ)`, without overflow.
    Softplus softplus All: |a, _| softplus(a), |a, _, _| sigmoid(a),
        |a, _, _| { let s = sigmoid(a); s * (T::one() - s) };
    /// Absolute value; the derivative at 0 is 0.
    Abs abs NonZero: |a, _| a.abs(),
        |a, _, _| if a == T::zero() { a } else { a.signum() }, |_, _, _| T::zero();
    /// `max(a, 0)`, and NaN for NaN; the derivative at 0 is 0.
    Relu relu NonZero: |a, _| if a <= T::zero() { T::zero() } else { a },
        |a, _, _| if a > T::zero() { T::one() } else { T::zero() }, |_, _, _| T::zero();
    /// `√(a² + ν²)`, the smoothed absolute value with parameter ν.
    SmoothAbs smooth_abs All (nu): |a, p| (a * a + p * p).sqrt(), |a, u, _| a / u,
        |_, u, p| p * p / (u * u * u);
    /// `aᵖ` for a real exponent; the operand must be positive.
    Powf powf Positive (p): |a, p| a.powf(p), |a, _, p| p * a.powf(p - T::one()),
        |a, _, p| p * (p - T::one()) * a.powf(p - T::of(2.0));
}

macro_rules! binary_table {
    ($($(#[$doc:meta])* $Name:ident $name:ident $domain:ident
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
    };
}

/// Which operand of a binary operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

// Name name domain of b: f, ∂a, ∂b, ∂²aa, ∂²ab, ∂²bb
binary_table! {
    /// `a + b`.
    Add add All: |a, b| a + b, |_, _| T::one(), |_, _| T::one(),
        |_, _| T::zero(), |_, _| T::zero(), |_, _| T::zero();
    /// `a − b`.
    Sub sub All: |a, b| a - b, |_, _| T::one(), |_, _| -T::one(),
        |_, _| T::zero(), |_, _| T::zero(), |_, _| T::zero();
    /// `a · b`, entry by entry.
    Mul mul All: |a, b| a * b, |_, b| b, |a, _| a,
        |_, _| T::zero(), |_, _| T::one(), |_, _| T::zero();
    /// `a / b`, entry by entry.
    Div div NonZero: |a, b| a / b, |_, b| b.recip(), |a, b| -a / (b * b),
        |_, _| T::zero(), |_, b| -(b * b).recip(), |a, b| T::of(2.0) * a / (b * b * b);
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

/// `1 / (1 + e⁻ᵃ)`, from the side whose exponential cannot overflow.
#[inline]
pub fn sigmoid<T: Real>(a: T) -> T {
    let e = (-a.abs()).exp();
    let r = (T::one() + e).recip();
    if a >= T::zero() { r } else { e * r }
}

/// `ln(1 + eᵃ)` without overflow or cancellation.
#[inline]
pub fn softplus<T: Real>(a: T) -> T {
    a.max(T::zero()) + (-a.abs()).exp().ln_1p()
}
