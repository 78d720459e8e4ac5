//! Finished recordings, with what can be asked of them once.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use autodiff::Real;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{Of, Scalar, each, numbers, taken};
use crate::guard::guarded;
use crate::point::{Along, Arrays, Directions, Point, gradients, named, wanted};

/// A program, and its buffers that nobody uses now.
pub(crate) struct Kept<T: Scalar> {
    program: Arc<autodiff::Program<T>>,
    free: Mutex<Vec<autodiff::Point<T>>>,
}

impl<T: Scalar> From<Arc<autodiff::Program<T>>> for Kept<T> {
    fn from(program: Arc<autodiff::Program<T>>) -> Self {
        Kept {
            program,
            free: Mutex::default(),
        }
    }
}

impl<T: Scalar> Deref for Kept<T> {
    type Target = Arc<autodiff::Program<T>>;

    fn deref(&self) -> &Self::Target {
        &self.program
    }
}

impl<T: Scalar> Kept<T> {
    /// Calls `f` with buffers of its own. Nobody waits for another, who may be waiting for Python.
    fn swept<R>(&self, f: impl FnOnce(&mut autodiff::Point<T>) -> R) -> R {
        let taken = self.free().pop();
        let mut point = taken.unwrap_or_else(|| self.program.point());
        let found = f(&mut point);
        self.free().push(point);
        found
    }

    fn free(&self) -> MutexGuard<'_, Vec<autodiff::Point<T>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A finished recording, or functions of Python.
#[pyclass(frozen)]
pub(crate) struct Program {
    pub(crate) of: Of<Kept<f32>, Kept<f64>>,
    /// Whether its rules call functions of Python.
    pub(crate) calls: bool,
}

#[pymethods]
impl Program {
    /// How many operations it has.
    #[getter]
    fn operations(&self) -> usize {
        each!(&self.of, kept => kept.operations().count())
    }

    /// The program with buffers of its own.
    fn point(&self) -> PyResult<Point> {
        guarded(|| Ok(Point::of(self)))
    }

    /// Entries of the output, column by column.
    fn evaluate<'py>(&self, py: Python<'py>, inputs: Arrays<'py>) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            each!(&self.of, kept => {
                let inputs = inputs_of(kept, &inputs)?;
                let inputs = slices(&inputs);
                let found = py.detach(|| kept.swept(|point| point.evaluate(&inputs).to_vec()));
                Ok(taken(py, found))
            })
        })
    }

    /// The value at the inputs, and the gradients by those of them that are named.
    fn gradients<'py>(
        &self,
        py: Python<'py>,
        inputs: Arrays<'py>,
        by: Vec<usize>,
    ) -> PyResult<(f64, Arrays<'py>)> {
        guarded(|| {
            each!(&self.of, kept => {
                let inputs = inputs_of(kept, &inputs)?;
                let inputs = slices(&inputs);
                named(&by, inputs.len())?;
                let (value, found) = py.detach(|| kept.swept(|point| {
                    let value = point.differentiate(&inputs, wanted(&by));
                    (value, gradients(point, &by))
                }));
                Ok((value.f64(), found.into_iter().map(|g| taken(py, g)).collect()))
            })
        })
    }

    /// The Hessian at the inputs times a direction in each, or `width` of them one after the other: for
    /// each of the inputs `by`.
    fn product<'py>(
        &self,
        py: Python<'py>,
        inputs: Arrays<'py>,
        directions: Directions<'py>,
        width: usize,
        by: Vec<usize>,
    ) -> PyResult<Arrays<'py>> {
        guarded(|| {
            each!(&self.of, kept => {
                let inputs = inputs_of(kept, &inputs)?;
                let inputs = slices(&inputs);
                let along = Along::of(kept, &directions, width, &by)?;
                let found = py.detach(|| kept.swept(|point| along.products_at(point, &inputs)));
                Ok(found.into_iter().map(|p| taken(py, p)).collect())
            })
        })
    }

    /// The recorded operations, one a line.
    fn __repr__(&self) -> String {
        each!(&self.of, kept => format!("{:?}", kept.program))
    }
}

/// Arrays as the inputs of a program, looked at.
pub(crate) fn inputs_of<T: Scalar>(
    program: &autodiff::Program<T>,
    arrays: &[Bound<'_, PyAny>],
) -> PyResult<Vec<Vec<T>>> {
    let (found, expected) = (arrays.len(), program.inputs());
    if found != expected {
        let reason = format!("{found} arrays for {expected} inputs");
        return Err(PyValueError::new_err(reason));
    }
    let input = |(k, array): (usize, &Bound<'_, PyAny>)| {
        let input: Vec<T> = numbers(array)?;
        let (found, expected) = (input.len(), program.input_shape(k).len());
        match found == expected {
            true => Ok(input),
            false => Err(PyValueError::new_err(format!(
                "input {k} has {found} entries: expected {expected}"
            ))),
        }
    };
    arrays.iter().enumerate().map(input).collect()
}

/// The same as slices.
pub(crate) fn slices<T>(inputs: &[Vec<T>]) -> Vec<&[T]> {
    inputs.iter().map(|v| &v[..]).collect()
}
