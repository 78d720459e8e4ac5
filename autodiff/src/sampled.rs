//! Objectives that are means over samples, of which a part can be recorded.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::batch::Batch;
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

    /// The same objective as one that is recorded once for each length of a batch, if it can be.
    fn batched(&self) -> Option<&dyn Batched<T>> {
        None
    }

    /// Records the mean over a batch as a program, for `x` of `dim_x` and `y` of `dim_y` entries.
    fn program(&self, dim_x: usize, dim_y: usize, batch: &[usize]) -> Arc<Program<T>> {
        let shapes = [Shape::vector(dim_x), Shape::vector(dim_y)];
        Program::record(&shapes, |v| self.record(v[0], v[1], batch))
    }
}

/// A scalar function of two vectors that is a mean over samples, which are chosen when it runs.
///
/// Made from a closure by [`batched`]. Each is a [`Sampled`] objective too.
pub trait Batched<T: Real>: Send + Sync {
    /// Records the mean over a batch.
    fn record_batch<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: Batch<'r, T>) -> Var<'r, T>;

    /// Records the mean over batches of `len` samples as a program of three inputs, for `x` of `dim_x`
    /// and `y` of `dim_y` entries: the third holds the indices of the samples.
    /// [`Point::hold`](crate::Point::hold) sets it.
    fn batch_program(&self, dim_x: usize, dim_y: usize, len: usize) -> Arc<Program<T>> {
        let shapes = [dim_x, dim_y, len].map(Shape::vector);
        Program::record(&shapes, |v| {
            let batch = Batch::picked(v[2].stop_gradient());
            self.record_batch(v[0], v[1], batch)
        })
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

/// A closure as a mean over samples that are chosen when it runs; made by [`batched`].
pub struct BatchedClosure<T, F> {
    samples: usize,
    f: F,
    scalar: PhantomData<fn() -> T>,
}

impl<T: Real, F> fmt::Debug for BatchedClosure<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchedClosure<{}> of {} samples", T::NAME, self.samples)
    }
}

/// Makes a mean over `samples` samples of a closure that records it for whichever batch there will be:
/// a [`Batch`] stands for the samples, and picks what belongs to them.
///
/// It is recorded once for each length of a batch, where [`sampled`] is for each batch: methods that
/// draw batches then record nothing, and allocate nothing, while they run. The numbers are the same.
///
/// # Example
/// ```
/// use autodiff::{Batch, Batched, Sampled, Table, Var, batched};
///
/// // The mean of ½(y − bᵢ)²
/// let b = Table::of_entries(&[1.0, 2.0, 6.0]);
/// let g = batched(3, move |_: Var, y: Var, batch: Batch| {
///     0.5 * (y - batch.rows(&b)).norm_squared() / batch.len() as f64
/// });
/// // Recorded for two samples, whichever they are.
/// let mut point = g.batch_program(1, 1, 2).point();
/// point.hold(&[&[0.0, 1.0]]);
/// assert_eq!(point.value(&[&[0.0], &[0.0]]), 1.25);
/// point.hold(&[&[2.0, 2.0]]);
/// assert_eq!(point.value(&[&[0.0], &[0.0]]), 18.0);
/// assert_eq!(g.program(1, 1, &[0, 1]).point().value(&[&[0.0], &[0.0]]), 1.25);
/// ```
pub fn batched<T, F>(samples: usize, f: F) -> BatchedClosure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>, Batch<'r, T>) -> Var<'r, T> + Send + Sync,
{
    BatchedClosure {
        samples,
        f,
        scalar: PhantomData,
    }
}

impl<T, F> Sampled<T> for BatchedClosure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>, Batch<'r, T>) -> Var<'r, T> + Send + Sync,
{
    fn samples(&self) -> usize {
        self.samples
    }

    fn record<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: &[usize]) -> Var<'r, T> {
        let all = batch.iter().copied().eq(0..self.samples);
        let batch = match all {
            true => Batch::all(x, self.samples),
            false => {
                let indices = batch.iter().map(|i| T::of(*i as f64));
                Batch::picked(x.vector(&Vec::from_iter(indices)))
            }
        };
        (self.f)(x, y, batch)
    }

    /// Wherever the indices are exact in the scalar type.
    fn batched(&self) -> Option<&dyn Batched<T>> {
        (self.samples as f64 * T::EPSILON <= 1.0).then_some(self)
    }
}

impl<T, F> Batched<T> for BatchedClosure<T, F>
where
    T: Real,
    F: for<'r> Fn(Var<'r, T>, Var<'r, T>, Batch<'r, T>) -> Var<'r, T> + Send + Sync,
{
    fn record_batch<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: Batch<'r, T>) -> Var<'r, T> {
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

    fn batched(&self) -> Option<&dyn Batched<T>> {
        (**self).batched()
    }
}
