//! Objectives of a bilevel problem: functions of an outer variable x and an inner variable y.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::program::Program;
use crate::real::Real;
use crate::shape::Shape;
use crate::var::Var;

/// A scalar function of two vectors that can be recorded.
///
/// Made from a closure by [`objective`], or a program recorded before.
pub trait Objective<T: Real> {
    /// Records the function, for `x` of `dim_x` and `y` of `dim_y` entries.
    fn record(&self, dim_x: usize, dim_y: usize) -> Arc<Program<T>>;
}

/// A closure as an objective; made by [`objective`].
pub struct Closure<T, F> {
    f: F,
    scalar: PhantomData<fn() -> T>,
}

impl<T: Real, F> fmt::Debug for Closure<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Closure<{}>", T::NAME)
    }
}

/// Makes an objective of a closure.
///
/// ```
/// use autodiff::{Objective, Var, objective};
///
/// let g = objective(|x: Var, y: Var| 0.5 * x.exp().dot(y.square()));
/// let program = g.record(2, 2);
/// assert_eq!(program.point().value(&[&[0.0, 0.0], &[1.0, 2.0]]), 2.5);
/// ```
///
/// The closure stands in the call. Bound by `let` before, each `Var` gets a lifetime of its own, and
/// the compiler says four times that one "may not live long enough". Bind the objective instead, as
/// above, or name the function:
///
/// ```
/// use autodiff::{Objective, Var, objective};
///
/// fn g<'r>(x: Var<'r>, y: Var<'r>) -> Var<'r> {
///     0.5 * (y - x).norm_squared()
/// }
/// assert_eq!(objective(g).record(1, 1).point().value(&[&[1.0], &[3.0]]), 2.0);
/// ```
pub fn objective<T, F>(f: F) -> Closure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
{
    Closure {
        f,
        scalar: PhantomData,
    }
}

impl<T, F> Closure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
{
    pub(crate) fn apply<'r>(&self, x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
        (self.f)(x, y)
    }
}

impl<T, F> Objective<T> for Closure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T>,
{
    fn record(&self, dim_x: usize, dim_y: usize) -> Arc<Program<T>> {
        let shapes = [Shape::vector(dim_x), Shape::vector(dim_y)];
        Program::record(&shapes, |v| (self.f)(v[0], v[1]))
    }
}

impl<T: Real> Objective<T> for Arc<Program<T>> {
    fn record(&self, _: usize, _: usize) -> Arc<Program<T>> {
        self.clone()
    }
}
