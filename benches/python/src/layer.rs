//! A lower level as a layer of somebody else's program: batches of rows, on several threads.

use std::sync::{Arc, Mutex, PoisonError};

use nalgebra::{DMatrix, DVector};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use solvers::catalogue::strategy;
use solvers::{Bilevel, ConfigError, Estimate, Layer as Rows, Row, Sensitivities, Workspace};
use study::compare::AnyStrategy;

use crate::arrays::{Of, Scalar, array, each, numbers};
use crate::errors::{Raised, config};
use crate::guard::{computed, guarded};
use crate::problem::Given;
use crate::program::Program;
use crate::records::plain;
use crate::room::fits;
use crate::settings::settings;

/// A layer with the workspaces that wait for rows.
struct Kept<T: Scalar> {
    layer: Rows<T>,
    works: Mutex<Vec<Workspace<T>>>,
}

/// A lower level whose solution is a function of x.
#[pyclass(frozen)]
pub(crate) struct Layer {
    of: Of<Arc<Kept<f32>>, Arc<Kept<f64>>>,
    /// Whether its rules call Python: then its rows are called one after the other, where they were
    /// asked for.
    calls: bool,
}

/// The solutions, the cotangents of x, the solutions of the linear systems, and what is said of each row.
type Called<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Bound<'py, PyList>,
);

/// The solution, the matrix column by column, what is said of each system and whether these are of the
/// rows, and what is said of the solution.
type Derivatives<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Bound<'py, PyList>,
    bool,
    Bound<'py, PyDict>,
);

#[pymethods]
impl Layer {
    /// The layer of a recorded lower level, started from `start`.
    #[new]
    fn new(lower: &Program, dim_x: usize, start: &Bound<'_, PyAny>) -> PyResult<Self> {
        guarded(|| {
            let of = match &lower.of {
                Of::F32(lower) => Of::F32(kept(lower, dim_x, numbers(start)?)?),
                Of::F64(lower) => Of::F64(kept(lower, dim_x, numbers(start)?)?),
            };
            Ok(Layer {
                of,
                calls: lower.calls,
            })
        })
    }

    /// Calls the rows of `x`, from these starts, and pulls these cotangents back, with these guesses of
    /// the linear systems; one vector each, row after row.
    #[pyo3(signature = (strategy, given, x, starts=None, cotangents=None, guesses=None))]
    #[allow(clippy::too_many_arguments)]
    fn call<'py>(
        &self,
        py: Python<'py>,
        strategy: &str,
        given: Given,
        x: &Bound<'py, PyAny>,
        starts: Option<Bound<'py, PyAny>>,
        cotangents: Option<Bound<'py, PyAny>>,
        guesses: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Called<'py>> {
        guarded(|| {
            each!(&self.of, kept => {
                let others = [starts, cotangents, guesses];
                let rows = rows(kept, x, others.each_ref().map(Option::as_ref))?;
                let chosen: AnyStrategy<_> =
                    self::strategy(strategy, &settings(&given)?).map_err(config)?;
                fits(strategy, &*chosen, kept.layer.problem())?;
                called(py, kept, chosen, rows, self.calls)
            })
        })
    }

    /// Solves the level at one x, from this start, and differentiates the solution by x; with cotangents,
    /// one vector after the other, each is pulled back instead.
    #[pyo3(signature = (strategy, given, x, start=None, cotangents=None))]
    fn sensitivities<'py>(
        &self,
        py: Python<'py>,
        strategy: &str,
        given: Given,
        x: &Bound<'py, PyAny>,
        start: Option<Bound<'py, PyAny>>,
        cotangents: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Derivatives<'py>> {
        guarded(|| {
            each!(&self.of, kept => {
                let dim_y = kept.layer.problem().dim_y();
                let mut row = rows(kept, x, [start.as_ref(), None, None])?;
                let row = row.swap_remove(0);
                let cotangents = cotangents.as_ref().map(numbers).transpose()?;
                let cotangents =
                    cotangents.map(|all| DMatrix::from_vec(dim_y, all.len() / dim_y, all));
                let chosen: AnyStrategy<_> =
                    self::strategy(strategy, &settings(&given)?).map_err(config)?;
                fits(strategy, &*chosen, kept.layer.problem())?;
                derivatives(py, kept, chosen, (row, cotangents), self.calls)
            })
        })
    }
}

impl<T: Scalar> Kept<T> {
    /// With so many workspaces, which wait for the next call afterwards.
    fn with<R>(
        &self,
        wanted: usize,
        call: impl FnOnce(&mut [Workspace<T>]) -> Result<R, ConfigError>,
    ) -> PyResult<R> {
        let free = || self.works.lock().unwrap_or_else(PoisonError::into_inner);
        let mut works: Vec<Workspace<T>> = {
            let mut free = free();
            let from = free.len().saturating_sub(wanted);
            free.split_off(from)
        };
        works.resize_with(wanted, || self.layer.workspace());
        let called = call(&mut works);
        free().extend(works);
        called.map_err(Raised::raised)
    }
}

fn kept<T: Scalar>(
    lower: &Arc<autodiff::Program<T>>,
    dim_x: usize,
    start: Vec<T>,
) -> PyResult<Arc<Kept<T>>> {
    let (lower, dim_y) = (lower.clone(), start.len());
    // The upper objective is not looked at.
    let problem = Bilevel::new(lower.clone(), lower, dim_x, dim_y).map_err(Raised::raised)?;
    let layer = Rows::of(&problem.starting_from(DVector::from_vec(start)));
    Ok(Arc::new(Kept {
        layer,
        works: Mutex::default(),
    }))
}

fn rows<T: Scalar>(
    kept: &Kept<T>,
    x: &Bound<'_, PyAny>,
    others: [Option<&Bound<'_, PyAny>>; 3],
) -> PyResult<Vec<Row<T>>> {
    let problem = kept.layer.problem();
    let (dim_x, dim_y) = (problem.dim_x(), problem.dim_y());
    let x: Vec<T> = numbers(x)?;
    let count = x.len() / dim_x;
    let mut rows: Vec<Row<T>> = x
        .chunks_exact(dim_x)
        .map(|x| Row::new(DVector::from_column_slice(x)))
        .collect();
    type Set<T> = fn(Row<T>, DVector<T>) -> Row<T>;
    let set: [Set<T>; 3] = [Row::start, Row::cotangent, Row::guess];
    for (given, set) in others.into_iter().zip(set) {
        let Some(given) = given else { continue };
        let given: Vec<T> = numbers(given)?;
        if given.len() != count * dim_y {
            let (found, expected) = (given.len(), count * dim_y);
            let reason = format!("{found} entries for {count} rows: expected {expected}");
            return Err(PyValueError::new_err(reason));
        }
        let each = rows.into_iter().zip(given.chunks_exact(dim_y));
        rows = each
            .map(|(row, v)| set(row, DVector::from_column_slice(v)))
            .collect();
    }
    Ok(rows)
}

fn called<'py, T: Scalar>(
    py: Python<'py>,
    kept: &Arc<Kept<T>>,
    strategy: AnyStrategy<T>,
    mut rows: Vec<Row<T>>,
    calls: bool,
) -> PyResult<Called<'py>> {
    let kept = kept.clone();
    let job = move || {
        let threads = if calls {
            1
        } else {
            rayon::current_num_threads()
        };
        let wanted = threads.min(rows.len()).max(1);
        let work = |works: &mut [Workspace<T>]| kept.layer.batch(&*strategy, &mut rows, works);
        let batch = kept.with(wanted, work)?;
        Ok((batch, rows))
    };
    let (batch, rows) = computed(py, calls, job)?;
    let all = |of: &dyn Fn(usize) -> Option<Vec<T>>| {
        let each: Vec<T> = (0..batch.len()).filter_map(of).flatten().collect();
        array(py, &each)
    };
    let y = all(&|r| Some(batch[r].y.as_slice().to_vec()));
    let by_x = all(&|r| Some(batch[r].hypergradient.as_slice().to_vec()));
    let linear = all(&|r| rows[r].solution().map(|v| v.as_slice().to_vec()));
    let said: Vec<_> = batch.iter().map(|e| said(py, e)).collect::<PyResult<_>>()?;
    Ok((y, by_x, linear, PyList::new(py, said)?))
}

fn derivatives<'py, T: Scalar>(
    py: Python<'py>,
    kept: &Arc<Kept<T>>,
    strategy: AnyStrategy<T>,
    (row, cotangents): (Row<T>, Option<DMatrix<T>>),
    calls: bool,
) -> PyResult<Derivatives<'py>> {
    let kept = kept.clone();
    let job = move || {
        kept.with(1, |works| match &cotangents {
            Some(of) => kept.layer.pull_back(&*strategy, &row, of, &mut works[0]),
            None => kept.layer.jacobian(&*strategy, &row, &mut works[0]),
        })
    };
    let found: Sensitivities<T> = computed(py, calls, job)?;
    let systems = found.systems.iter().map(|system| {
        let said = PyDict::new(py);
        said.set_item("status", system.status.code())?;
        said.set_item("message", system.status.to_string())?;
        said.set_item("success", system.status.is_success())?;
        said.set_item("residual", system.residual)?;
        said.set_item("iterations", system.iterations)?;
        Ok(said)
    });
    let systems = PyList::new(py, systems.collect::<PyResult<Vec<_>>>()?)?;
    let y = array(py, found.estimate.y.as_slice());
    let matrix = array(py, found.matrix.as_slice());
    let said = said(py, &found.estimate)?;
    Ok((y, matrix, systems, found.by_rows, said))
}

/// What an estimate says beside its vectors.
fn said<'py, T: Scalar>(py: Python<'py>, estimate: &Estimate<T>) -> PyResult<Bound<'py, PyDict>> {
    let empty = || DVector::zeros(0);
    let mut bare = estimate.clone();
    (bare.hypergradient, bare.y) = (empty(), empty());
    let said = plain(py, &bare)?;
    said.set_item("message", estimate.status.to_string())?;
    said.set_item("success", estimate.status.is_success())?;
    Ok(said)
}
