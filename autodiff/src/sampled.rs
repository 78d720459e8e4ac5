//! Objectives that are means over samples, of which a part can be recorded.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::objective::Closure;
use crate::program::Program;
use crate::real::Real;
use crate::shape::Shape;
use crate::var::Var;

/// A scalar function of two vectors that is a mean over samples 0, 1, …, n − 1.
///
/// Terms without samples, such as a penalty, belong to every batch in full. Made from a closure by
/// [`sampled`]; an [`objective`](fn@crate::objective) of a closure is one of a single sample.
pub trait Sampled<T: Real>: Send + Sync {
    /// The number of samples, n.
    fn samples(&self) -> usize;

    /// Records the mean over the samples in `batch`: indices below n, at least one, perhaps some more
    /// than once.
    fn record<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: &[usize]) -> Var<'r, T>;

    /// Records the mean over a batch as a program, for `x` of `dim_x` and `y` of `dim_y` entries.
    fn program(&self, dim_x: usize, dim_y: usize, batch: &[usize]) -> Arc<Program<T>> {
        let shapes = [Shape::vector(dim_x), Shape::vector(dim_y)];
        Program::record(&shapes, |v| self.record(v[0], v[1], batch))
    }
}

/// A closure as a mean over samples; made by [`sampled`].
pub struct SampledClosure<T, F> {
    samples: usize,
    f: F,
    scalar: PhantomData<fn() -> T>,
}

impl<T: Real, F> fmt::Debug for SampledClosure<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SampledClosure<{}> of {} samples", T::NAME, self.samples)
    }
}

/// Makes a mean over `samples` samples of a closure that records the mean over a batch of them.
///
/// ```
/// use autodiff::{Sampled, Var, sampled};
///
/// // The mean of ½(y − bᵢ)²
/// let b = [1.0, 2.0, 6.0];
/// let g = sampled(3, move |_: Var, y: Var, batch: &[usize]| {
///     let terms = batch.iter().map(|i| 0.5 * (y - b[*i]).norm_squared());
///     Var::sum_of(terms) / batch.len() as f64
/// });
/// let value = |batch: &[usize]| g.program(1, 1, batch).point().value(&[&[0.0], &[0.0]]);
/// assert_eq!(value(&[2]), 18.0);
/// assert_eq!(value(&[0, 1]), 1.25);
/// ```
pub fn sampled<T, F>(samples: usize, f: F) -> SampledClosure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>, &[usize]) -> Var<'r, T> + Send + Sync,
{
    SampledClosure {
        samples,
        f,
        scalar: PhantomData,
    }
}

impl<T, F> Sampled<T> for SampledClosure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>, &[usize]) -> Var<'r, T> + Send + Sync,
{
    fn samples(&self) -> usize {
        self.samples
    }

    fn record<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: &[usize]) -> Var<'r, T> {
        (self.f)(x, y, batch)
    }
}

impl<T, F> Sampled<T> for Closure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T> + Send + Sync,
{
    fn samples(&self) -> usize {
        1
    }

    fn record<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, _: &[usize]) -> Var<'r, T> {
        self.apply(x, y)
    }
}

impl<T: Real, S: Sampled<T> + ?Sized> Sampled<T> for Arc<S> {
    fn samples(&self) -> usize {
        (**self).samples()
    }

    fn record<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: &[usize]) -> Var<'r, T> {
        (**self).record(x, y, batch)
    }
}
