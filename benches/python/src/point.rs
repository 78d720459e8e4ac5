//! A program with its buffers, linearised once for many products.

use std::sync::{Mutex, PoisonError};

use autodiff::Inputs;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{Of, Scalar, array, each, numbers};
use crate::guard::guarded;
use crate::recording::{Program, inputs_of};

/// A program with its buffers; two threads take turns.
#[pyclass(frozen)]
pub(crate) struct Point {
    of: Of<Mutex<autodiff::Point<f32>>, Mutex<autodiff::Point<f64>>>,
}

impl Point {
    pub(crate) fn of(program: &Program) -> Self {
        Point {
            of: match &program.of {
                Of::F32(program) => Of::F32(Mutex::new(program.point())),
                Of::F64(program) => Of::F64(Mutex::new(program.point())),
            },
        }
    }
}

/// A value with the gradients by every input.
type Linear<'py> = (f64, Vec<Bound<'py, PyAny>>);

#[pymethods]
impl Point {
    /// The value at the inputs, and the gradients by all of them.
    fn linearise<'py>(
        &self,
        py: Python<'py>,
        inputs: Vec<Bound<'py, PyAny>>,
    ) -> PyResult<Linear<'py>> {
        guarded(|| each!(&self.of, point => linearise(py, point, &inputs)))
    }

    /// The Hessian times a direction in each input, of which `None` is 0: a vector for each of the
    /// inputs `by`, at the point that was linearised last.
    fn product<'py>(
        &self,
        py: Python<'py>,
        directions: Vec<Option<Bound<'py, PyAny>>>,
        by: Vec<usize>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        guarded(|| each!(&self.of, point => product(py, point, &directions, &by)))
    }
}

/// The lock is waited for, and held, away from the interpreter alone.
fn held<T: Scalar, R>(
    point: &Mutex<autodiff::Point<T>>,
    f: impl FnOnce(&mut autodiff::Point<T>) -> R,
) -> R {
    f(&mut point.lock().unwrap_or_else(PoisonError::into_inner))
}

fn linearise<'py, T: Scalar>(
    py: Python<'py>,
    point: &Mutex<autodiff::Point<T>>,
    inputs: &[Bound<'py, PyAny>],
) -> PyResult<Linear<'py>> {
    let program = py.detach(|| held(point, |point| point.program().clone()));
    let inputs = inputs_of(&program, inputs)?;
    let (value, gradients) = py.detach(|| {
        held(point, |point| {
            let inputs: Vec<&[T]> = inputs.iter().map(|v| &v[..]).collect();
            let value = point.linearise(&inputs);
            let gradients = (0..inputs.len()).map(|k| point.gradient(k).to_vec());
            (value, gradients.collect::<Vec<_>>())
        })
    });
    Ok((
        value.f64(),
        gradients.iter().map(|g| array(py, g)).collect(),
    ))
}

fn product<'py, T: Scalar>(
    py: Python<'py>,
    point: &Mutex<autodiff::Point<T>>,
    directions: &[Option<Bound<'py, PyAny>>],
    by: &[usize],
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let program = py.detach(|| held(point, |point| point.program().clone()));
    let (found, expected) = (directions.len(), program.inputs());
    if found != expected || by.iter().any(|k| *k >= expected) {
        let reason = format!("{found} directions, by inputs {by:?}: there are {expected} inputs");
        return Err(PyValueError::new_err(reason));
    }
    let mut along: Vec<Option<Vec<T>>> = Vec::new();
    for (k, direction) in directions.iter().enumerate() {
        let direction: Option<Vec<T>> = direction.as_ref().map(numbers).transpose()?;
        let expected = program.input_shape(k).len();
        if let Some(given) = &direction
            && given.len() != expected
        {
            let reason = format!(
                "direction {k} has {} entries: expected {expected}",
                given.len()
            );
            return Err(PyValueError::new_err(reason));
        }
        along.push(direction);
    }
    let products = py.detach(|| {
        held(point, |point| {
            let along: Vec<Option<&[T]>> = along.iter().map(Option::as_deref).collect();
            let wanted = by
                .iter()
                .fold(Inputs::NONE, |all, k| all.union(Inputs::one(*k)));
            point.second_by(&along, wanted);
            by.iter()
                .map(|k| point.product(*k).to_vec())
                .collect::<Vec<_>>()
        })
    });
    Ok(products.iter().map(|p| array(py, p)).collect())
}
