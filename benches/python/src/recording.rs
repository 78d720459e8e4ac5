//! Recordings that Python makes step by step.

use std::sync::{Arc, Mutex, PoisonError};

use autodiff::rules::elementwise::{Binary, Unary};
use autodiff::{Batch, Builder, Padding, Shape, Var};
use models::Dataset;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{Of, Scalar, each, numbers};
use crate::errors::{InternalError, TraceError};
use crate::guard::guarded;
use crate::losses::{Samples, loss};
use crate::program::Program;
use crate::sampled::Table;

type Open<T> = Mutex<Option<Builder<T>>>;

/// A recording until it is finished.
#[pyclass(frozen)]
pub(crate) struct Recording {
    of: Of<Open<f32>, Open<f64>>,
    inputs: Vec<Value>,
}

/// A value of a recording: a name with a shape, rows first.
#[pyclass(frozen)]
#[derive(Clone, Copy)]
pub(crate) struct Value(autodiff::Value);

#[pymethods]
impl Value {
    /// Rows and columns in the engine, which are the columns and rows in NumPy.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        let Shape { rows, cols } = self.0.shape();
        (rows, cols)
    }
}

fn open<T: Scalar>(shapes: &[Shape]) -> (Open<T>, Vec<Value>) {
    let (builder, inputs) = Builder::new(shapes);
    (
        Mutex::new(Some(builder)),
        inputs.into_iter().map(Value).collect(),
    )
}

#[pymethods]
impl Recording {
    #[new]
    fn new(single: bool, inputs: Vec<(usize, usize)>) -> PyResult<Self> {
        guarded(|| {
            let shape = |(rows, cols): (usize, usize)| Shape::matrix(rows, cols);
            let shapes: Vec<Shape> = inputs.into_iter().map(shape).collect();
            Ok(match single {
                true => {
                    let (builder, inputs) = open(&shapes);
                    Recording {
                        of: Of::F32(builder),
                        inputs,
                    }
                }
                false => {
                    let (builder, inputs) = open(&shapes);
                    Recording {
                        of: Of::F64(builder),
                        inputs,
                    }
                }
            })
        })
    }

    /// The values of the inputs.
    #[getter]
    fn inputs(&self) -> Vec<Value> {
        self.inputs.clone()
    }

    /// Whether it goes on.
    #[getter]
    fn is_open(&self) -> bool {
        each!(&self.of, builder => lock(builder).is_some())
    }

    /// A constant of these numbers, column by column. `site` is the user's line, here as below.
    fn constant(
        &self,
        data: &Bound<'_, PyAny>,
        rows: usize,
        cols: usize,
        site: &str,
    ) -> PyResult<Value> {
        guarded(
            || each!(&self.of, builder => constant(builder, self.inputs[0], data, (rows, cols), site)),
        )
    }

    /// An operation of [`operations`] on values.
    fn apply(
        &self,
        name: &str,
        operands: Vec<PyRef<'_, Value>>,
        counts: Vec<usize>,
        parameter: f64,
        site: &str,
    ) -> PyResult<Value> {
        guarded(|| {
            each!(&self.of, builder => step(builder, &operands, site, |v| {
                operation(name, v, &counts, parameter)
            }))
        })
    }

    /// A fused loss over samples: all of them, or those whose indices are the first operand.
    fn loss(
        &self,
        name: &str,
        samples: &Samples,
        operands: Vec<PyRef<'_, Value>>,
        picked: bool,
        site: &str,
    ) -> PyResult<Value> {
        guarded(|| match (&self.of, &samples.of) {
            (Of::F32(to), Of::F32(data)) => {
                step(to, &operands, site, |v| loss_over(name, data, v, picked))
            }
            (Of::F64(to), Of::F64(data)) => {
                step(to, &operands, site, |v| loss_over(name, data, v, picked))
            }
            _ => Err(another_precision()),
        })
    }

    /// The rows of a table whose indices are a vector: in NumPy's shape an array with a row for each, or
    /// a vector if `flat`.
    fn rows(
        &self,
        table: &Table,
        indices: PyRef<'_, Value>,
        flat: bool,
        site: &str,
    ) -> PyResult<Value> {
        guarded(|| {
            let operands = [indices];
            match (&self.of, &table.of) {
                (Of::F32(to), Of::F32(table)) => step(to, &operands, site, |v| {
                    Some(picked_rows(v[0], table, flat))
                }),
                (Of::F64(to), Of::F64(table)) => step(to, &operands, site, |v| {
                    Some(picked_rows(v[0], table, flat))
                }),
                _ => Err(another_precision()),
            }
        })
    }

    /// Ends the recording.
    fn finish(&self, output: &Value) -> PyResult<Program> {
        guarded(|| {
            let of = match &self.of {
                Of::F32(builder) => Of::F32(finish(builder, output)?.into()),
                Of::F64(builder) => Of::F64(finish(builder, output)?.into()),
            };
            Ok(Program { of, calls: false })
        })
    }
}

fn lock<T: Scalar>(builder: &Open<T>) -> std::sync::MutexGuard<'_, Option<Builder<T>>> {
    // A panic leaves the recording fit to go on.
    builder.lock().unwrap_or_else(PoisonError::into_inner)
}

fn another_precision() -> PyErr {
    TraceError::new_err("samples of another precision than the recording")
}

fn loss_over<'r, T: Scalar>(
    name: &str,
    data: &Dataset<T>,
    v: &[Var<'r, T>],
    picked: bool,
) -> Option<Var<'r, T>> {
    match (picked, v) {
        (true, [indices, rest @ ..]) => loss(name, data, Some(Batch::picked(*indices)), rest),
        _ => loss(name, data, None, v),
    }
}

fn picked_rows<'r, T: Scalar>(
    indices: Var<'r, T>,
    table: &autodiff::Table<T>,
    flat: bool,
) -> Var<'r, T> {
    match flat {
        true => Batch::picked(indices).rows(table),
        // Kept transposed, as all that has two dimensions.
        false => Batch::picked(indices).columns(table),
    }
}

fn ended() -> PyErr {
    TraceError::new_err(
        "a value of a recording that is over: a recorded function must not keep its values, \
         nor return more than its result",
    )
}

fn finish<T: Scalar>(builder: &Open<T>, output: &Value) -> PyResult<Arc<autodiff::Program<T>>> {
    let builder = lock(builder).take().ok_or_else(ended)?;
    Ok(builder.finish(output.0))
}

fn constant<T: Scalar>(
    builder: &Open<T>,
    at: Value,
    data: &Bound<'_, PyAny>,
    (rows, cols): (usize, usize),
    site: &str,
) -> PyResult<Value> {
    let data: Vec<T> = numbers(data)?;
    if data.len() != rows * cols {
        let reason = format!("{} numbers as {rows}×{cols}", data.len());
        return Err(PyValueError::new_err(reason));
    }
    let builder = lock(builder);
    let builder = builder.as_ref().ok_or_else(ended)?;
    Ok(Value(builder.extend(&[at.0], |v| {
        v[0].recorded_at(site, |at| match (rows, cols) {
            (1, 1) => at.scalar(data[0]),
            _ => at.vector(&data).reshape(rows, cols),
        })
    })))
}

fn step<T: Scalar>(
    builder: &Open<T>,
    operands: &[PyRef<'_, Value>],
    site: &str,
    f: impl for<'r> FnOnce(&[Var<'r, T>]) -> Option<Var<'r, T>>,
) -> PyResult<Value> {
    let builder = lock(builder);
    let builder = builder.as_ref().ok_or_else(ended)?;
    let operands: Vec<autodiff::Value> = operands.iter().map(|v| v.0).collect();
    let mut known = true;
    let value = builder.extend(&operands, |v| {
        let made = v[0].recorded_at(site, |_| f(v));
        known = made.is_some();
        made.unwrap_or(v[0])
    });
    match known {
        true => Ok(Value(value)),
        false => Err(InternalError::new_err(
            "an operation that the engine does not have",
        )),
    }
}

/// The names of [`Recording::apply`].
#[pyfunction]
pub(crate) fn operations() -> Vec<&'static str> {
    let (unary, binary) = (Unary::ALL.iter(), Binary::ALL.iter());
    let elementwise = unary.map(|f| f.name()).chain(binary.map(|f| f.name()));
    elementwise.chain(STRUCTURAL.iter().copied()).collect()
}

macro_rules! structural {
    ($($name:literal: |[$($v:ident),+ $(; $others:ident)?], [$($n:ident),*]| $body:expr;)+) => {
        /// Operations that are in no table of the engine.
        const STRUCTURAL: &[&str] = &["gather", $($name),+];

        fn structural<'r, T: Scalar>(
            name: &str,
            values: &[Var<'r, T>],
            counts: &[usize],
        ) -> Option<Var<'r, T>> {
            match (name, values, counts) {
                $(($name, [$($v),+ $(, $others @ ..)?], [$($n),*]) => Some($body),)+
                // As many counts as there are.
                ("gather", [a], positions) => Some(a.gather(positions)),
                _ => None,
            }
        }
    };
}

structural! {
    "matmul": |[a, b], []| a.matmul(*b);
    "tr_matmul": |[a, b], []| a.tr_matmul(*b);
    "matmul_tr": |[a, b], []| a.matmul_tr(*b);
    "dot": |[a, b], []| a.dot(*b);
    "conv2d_reflect": |[a, k], []| a.conv2d(*k, Padding::Reflect);
    "conv2d_wrap": |[a, k], []| a.conv2d(*k, Padding::Wrap);
    "conv2d_zero": |[a, k], []| a.conv2d(*k, Padding::Zero);
    "conv2d_valid": |[a, k], []| a.conv2d(*k, Padding::Valid);
    "sum": |[a], []| a.sum();
    "sum_rows": |[a], []| a.sum_rows();
    "sum_cols": |[a], []| a.sum_cols();
    "norm": |[a], []| a.norm();
    "log_sum_exp": |[a], []| a.log_sum_exp();
    "max_rows": |[a], []| a.max_rows();
    "min_rows": |[a], []| a.min_rows();
    "reshape": |[a], [rows, cols]| a.reshape(*rows, *cols);
    "broadcast": |[a], [rows, cols]| a.broadcast(Shape::matrix(*rows, *cols));
    "slice": |[a], [start, len]| a.slice(*start, *len);
    "rows": |[a], [from, to]| a.rows(*from..*to);
    "columns": |[a], [from, to]| a.columns(*from..*to);
    "transpose": |[a], []| a.transpose();
    "concat": |[a; others], []| a.concat(others);
    "hstack": |[a; others], []| a.hstack(others);
    "vstack": |[a; others], []| a.vstack(others);
    "diag": |[a], []| a.diag();
    "diagonal": |[a], []| a.diagonal();
    "cumsum": |[a], []| a.cumsum();
    "dx": |[a], []| a.dx();
    "dy": |[a], []| a.dy();
    "stop_gradient": |[a], []| a.stop_gradient();
    "outputs": |[a], []| a.outputs();
    "pick": |[a, at], []| a.pick(*at);
}

fn operation<'r, T: Scalar>(
    name: &str,
    values: &[Var<'r, T>],
    counts: &[usize],
    parameter: f64,
) -> Option<Var<'r, T>> {
    if let [a] = values
        && let Some(f) = Unary::ALL.iter().find(|f| f.name() == name)
    {
        return Some(a.elementwise(*f, parameter));
    }
    if let [a, b] = values
        && let Some(f) = Binary::ALL.iter().find(|f| f.name() == name)
    {
        return Some(a.elementwise_with(*f, *b));
    }
    structural(name, values, counts)
}
