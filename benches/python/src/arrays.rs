//! Arrays in and out: one-dimensional, contiguous and of the problem's precision, which
//! `python/bilevel/_arrays.py` sees to.

use autodiff::Real;
use nalgebra::DVector;
use numpy::{Element, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

/// A scalar of the engine that NumPy has too.
pub(crate) trait Scalar: Real + Element {}
impl Scalar for f32 {}
impl Scalar for f64 {}

/// What there is of either precision.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of<A, B> {
    /// Single precision.
    F32(A),
    /// Double precision.
    F64(B),
}

/// One expression for either precision.
macro_rules! each {
    ($of:expr, $one:ident => $body:expr) => {
        match $of {
            $crate::arrays::Of::F32($one) => $body,
            $crate::arrays::Of::F64($one) => $body,
        }
    };
}
pub(crate) use each;

/// The numbers of an array.
pub(crate) fn numbers<T: Scalar>(array: &Bound<'_, PyAny>) -> PyResult<Vec<T>> {
    let array: PyReadonlyArray1<'_, T> = array.extract()?;
    Ok(array.as_slice()?.to_vec())
}

/// The same as a vector.
pub(crate) fn vector<T: Scalar>(array: &Bound<'_, PyAny>) -> PyResult<DVector<T>> {
    numbers(array).map(DVector::from_vec)
}

/// An array that takes these numbers over.
pub(crate) fn taken<T: Scalar>(py: Python<'_>, numbers: Vec<T>) -> Bound<'_, PyAny> {
    PyArray1::from_vec(py, numbers).into_any()
}

/// An array of these numbers.
pub(crate) fn array<'py, T: Scalar>(py: Python<'py>, numbers: &[T]) -> Bound<'py, PyAny> {
    PyArray1::from_slice(py, numbers).into_any()
}
