//! Objectives of Python that are means over samples: recorded whole, and once for each length of a
//! batch, when one is first drawn.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::Arc;

use autodiff::{Batch, Batched, Program as Recorded, Sampled, Var};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{Of, Scalar, each, numbers};
use crate::errors::InternalError;
use crate::guard::guarded;
use crate::program::Program;

/// Numbers of samples, a row for each, that recordings share: as narrow as they are exact.
#[pyclass(frozen)]
pub(crate) struct Table {
    pub(crate) of: Of<autodiff::Table<f32>, autodiff::Table<f64>>,
}

#[pymethods]
impl Table {
    /// The table of these numbers, row after row.
    #[new]
    fn new(single: bool, entries: &Bound<'_, PyAny>, width: usize) -> PyResult<Self> {
        guarded(|| {
            Ok(Table {
                of: match single {
                    true => Of::F32(table(entries, width)?),
                    false => Of::F64(table(entries, width)?),
                },
            })
        })
    }
}

fn table<T: Scalar>(entries: &Bound<'_, PyAny>, width: usize) -> PyResult<autodiff::Table<T>> {
    let entries: Vec<T> = numbers(entries)?;
    match width > 0 && !entries.is_empty() && entries.len().is_multiple_of(width) {
        true => Ok(autodiff::Table::of_samples(&entries, width)),
        false => {
            let reason = format!("{} numbers in rows of {width}", entries.len());
            Err(PyValueError::new_err(reason))
        }
    }
}

/// How many samples an objective is a mean over, and the function that records it for a length of a
/// batch, as a program of x, y and indices. An objective of no samples is one of a single sample.
pub(crate) type Samples = (usize, Option<Py<PyAny>>);

/// An objective with what records its batches.
pub(crate) struct Mean<T: Scalar> {
    whole: Arc<Recorded<T>>,
    samples: usize,
    of: Option<Py<PyAny>>,
}

impl<T: Scalar> Mean<T> {
    pub(crate) fn new(whole: &Arc<Recorded<T>>, (samples, of): Samples) -> Self {
        Mean {
            whole: whole.clone(),
            samples,
            of,
        }
    }
}

impl<T: Scalar> Sampled<T> for Mean<T> {
    fn samples(&self) -> usize {
        self.samples
    }

    fn record<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: &[usize]) -> Var<'r, T> {
        if batch.iter().copied().eq(0..self.samples) {
            return Var::sum_of_leaves(&[(self.whole.clone(), T::one(), vec![x, y])]);
        }
        let indices: Vec<T> = batch.iter().map(|i| T::of(*i as f64)).collect();
        self.record_batch(x, y, Batch::picked(x.vector(&indices)))
    }

    fn batched(&self) -> Option<&dyn Batched<T>> {
        self.of.is_some().then_some(self)
    }

    fn program(&self, dim_x: usize, dim_y: usize, batch: &[usize]) -> Arc<Recorded<T>> {
        if batch.iter().copied().eq(0..self.samples) {
            return self.whole.clone();
        }
        let shapes = [dim_x, dim_y].map(autodiff::Shape::vector);
        Recorded::record(&shapes, |v| self.record(v[0], v[1], batch))
    }
}

impl<T: Scalar> Batched<T> for Mean<T> {
    fn record_batch<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, batch: Batch<'r, T>) -> Var<'r, T> {
        let indices = batch.indices().expect("a batch of some of the samples");
        let program = self.batch_program(x.len(), y.len(), batch.len());
        Var::sum_of_leaves(&[(program, T::one(), vec![x, y, indices])])
    }

    /// What Python raises goes through the engine as a panic, which the guard turns back.
    fn batch_program(&self, _: usize, _: usize, len: usize) -> Arc<Recorded<T>> {
        let of = self.of.as_ref().expect("a mean over samples");
        let recorded = Python::attach(|py| {
            let program = of.bind(py).call1((len,))?;
            let program: PyRef<'_, Program> = program.extract()?;
            let own = each!(&program.of, of => (&**of as &dyn Any).downcast_ref().cloned());
            own.ok_or_else(|| InternalError::new_err("a batch in another precision"))
        });
        recorded.unwrap_or_else(|error: PyErr| resume_unwind(Box::new(error)))
    }
}
