//! A program that is linearised once, for many products.

use std::sync::{Mutex, PoisonError};

use autodiff::{Inputs, Real};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{Of, Scalar, each, numbers, taken};
use crate::guard::guarded;
use crate::program::{Program, inputs_of, slices};

/// A program with its buffers; two threads take turns.
#[pyclass(frozen)]
pub(crate) struct Point {
    of: Of<Mutex<autodiff::Point<f32>>, Mutex<autodiff::Point<f64>>>,
}

pub(crate) type Arrays<'py> = Vec<Bound<'py, PyAny>>;
/// `None` is 0.
pub(crate) type Directions<'py> = Vec<Option<Bound<'py, PyAny>>>;

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

#[pymethods]
impl Point {
    /// The value at the inputs, and the gradients by all of them: products may follow.
    fn linearise<'py>(&self, py: Python<'py>, inputs: Arrays<'py>) -> PyResult<(f64, Arrays<'py>)> {
        guarded(|| {
            each!(&self.of, point => {
                let program = py.detach(|| held(point, |point| point.program().clone()));
                let inputs = inputs_of(&program, &inputs)?;
                let inputs = slices(&inputs);
                let (value, found) = py.detach(|| held(point, |point| {
                    let value = point.linearise(&inputs);
                    (value, gradients(point, &Vec::from_iter(0..inputs.len())))
                }));
                Ok((value.f64(), found.into_iter().map(|g| taken(py, g)).collect()))
            })
        })
    }

    /// The Hessian times a direction in each input, or `width` of them one after the other, at the point
    /// that was linearised last: for each of the inputs `by`.
    fn product<'py>(
        &self,
        py: Python<'py>,
        directions: Directions<'py>,
        width: usize,
        by: Vec<usize>,
    ) -> PyResult<Arrays<'py>> {
        guarded(|| {
            each!(&self.of, point => {
                let program = py.detach(|| held(point, |point| point.program().clone()));
                let along = Along::of(&program, &directions, width, &by)?;
                let found = py.detach(|| held(point, |point| along.products(point)));
                Ok(found.into_iter().map(|p| taken(py, p)).collect())
            })
        })
    }
}

/// The lock is waited for, and held, away from the interpreter alone.
fn held<T: Scalar, R>(
    point: &Mutex<autodiff::Point<T>>,
    f: impl FnOnce(&mut autodiff::Point<T>) -> R,
) -> R {
    f(&mut point.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The gradients by these inputs.
pub(crate) fn gradients<T: Scalar>(point: &autodiff::Point<T>, by: &[usize]) -> Vec<Vec<T>> {
    by.iter().map(|k| point.gradient(*k).to_vec()).collect()
}

/// Looks whether there are these inputs.
pub(crate) fn named(by: &[usize], inputs: usize) -> PyResult<()> {
    match by.iter().find(|k| **k >= inputs) {
        None => Ok(()),
        Some(k) => Err(PyValueError::new_err(format!(
            "by argument {k}: there are {inputs}, from 0 on"
        ))),
    }
}

/// These inputs as a set.
pub(crate) fn wanted(by: &[usize]) -> Inputs {
    let one = by.iter().map(|k| Inputs::one(*k));
    one.fold(Inputs::NONE, Inputs::union)
}

/// Directions that were looked at, and the inputs whose products are asked for.
pub(crate) struct Along<'a, T> {
    directions: Vec<Option<Vec<T>>>,
    width: usize,
    by: &'a [usize],
}

impl<'a, T: Scalar> Along<'a, T> {
    pub(crate) fn of(
        program: &autodiff::Program<T>,
        directions: &[Option<Bound<'_, PyAny>>],
        width: usize,
        by: &'a [usize],
    ) -> PyResult<Self> {
        let (found, expected) = (directions.len(), program.inputs());
        named(by, expected)?;
        if found != expected || width == 0 {
            let reason =
                format!("{width} times {found} directions: expected 1 for each of {expected}");
            return Err(PyValueError::new_err(reason));
        }
        let mut along = Vec::new();
        for (k, direction) in directions.iter().enumerate() {
            let direction: Option<Vec<T>> = direction.as_ref().map(numbers).transpose()?;
            let expected = width * program.input_shape(k).len();
            if let Some(found) = direction.as_ref().map(Vec::len)
                && found != expected
            {
                let reason = format!("direction {k} has {found} entries: expected {expected}");
                return Err(PyValueError::new_err(reason));
            }
            along.push(direction);
        }
        Ok(Along {
            directions: along,
            width,
            by,
        })
    }

    /// The products where a point is linearised.
    pub(crate) fn products(&self, point: &mut autodiff::Point<T>) -> Vec<Vec<T>> {
        point.second_block(self.width, &self.slices(), wanted(self.by));
        self.found(point)
    }

    /// The products elsewhere.
    pub(crate) fn products_at(&self, point: &mut autodiff::Point<T>, at: &[&[T]]) -> Vec<Vec<T>> {
        if self.width > 1 {
            point.linearise(at);
            return self.products(point);
        }
        point.second_at(at, &self.slices(), wanted(self.by));
        self.found(point)
    }

    fn slices(&self) -> Vec<Option<&[T]>> {
        self.directions.iter().map(Option::as_deref).collect()
    }

    fn found(&self, point: &autodiff::Point<T>) -> Vec<Vec<T>> {
        self.by.iter().map(|k| point.product(*k).to_vec()).collect()
    }
}
