//! A problem in one precision, and what it was made of.

use std::path::PathBuf;
use std::sync::Arc;

use bilevel_benches::catalogue::reading::{GivenPart, GivenProblem};
use bilevel_benches::catalogue::subject;
use models::Task;
use models::catalogue::{Source, named};
use nalgebra::DVector;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::depythonize;
use solvers::Bilevel;
use solvers::catalogue::{Row, unknown};
use study::Subject;

use crate::arrays::{Scalar, vector};
use crate::errors::{Raised, config};
use crate::sampled::{Mean, Samples};

/// A problem with its point: of the catalogue, or one's own.
pub(crate) struct Held<T: Scalar> {
    pub(crate) name: String,
    pub(crate) bilevel: Bilevel<T>,
    pub(crate) x: DVector<T>,
    bounds: Option<(f64, f64)>,
    task: Option<Task<T>>,
    /// Whether an objective calls Python: it is then run where it was asked for.
    calls: bool,
    source: GivenSource,
}

/// What a problem of the catalogue was made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenSource {
    pub(crate) data: Option<PathBuf>,
    pub(crate) given: GivenProblem,
    pub(crate) seed: u64,
    pub(crate) bias: bool,
    pub(crate) large: bool,
}

impl GivenSource {
    fn source(&self) -> Source {
        Source {
            data: self.data.clone(),
            reading: self.given.reading(),
            seed: self.seed,
            bias: self.bias,
            large: self.large,
            part: self.given.part.map(|part| part.0),
        }
    }
}

impl<T: Scalar> Held<T> {
    /// What is studied, at the problem's own point or at another.
    pub(crate) fn at<R>(&self, x: Option<DVector<T>>, f: impl FnOnce(&Subject<'_, T>) -> R) -> R {
        let x = x.unwrap_or_else(|| self.x.clone());
        match &self.task {
            Some(task) => f(&subject(&Task { x, ..task.clone() })),
            None => {
                let own = Subject::new(&*self.name, &self.bilevel, x);
                f(&match self.bounds {
                    Some(bounds) => own.with_bounds(bounds),
                    None => own,
                })
            }
        }
    }

    /// Whether an objective calls Python.
    pub(crate) fn calls(&self) -> bool {
        self.calls
    }

    /// The recordings of the upper and of the lower objective.
    pub(crate) fn programs(&self) -> [&Arc<autodiff::Program<T>>; 2] {
        [self.bilevel.upper(), self.bilevel.lower()]
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it was made of.
    pub(crate) fn source(&self) -> &GivenSource {
        &self.source
    }

    /// The task of the catalogue that it is.
    pub(crate) fn task(&self) -> Option<&Task<T>> {
        self.task.as_ref()
    }

    pub(crate) fn look_at(&self, what: &str, found: usize, expected: usize) -> PyResult<()> {
        match found == expected {
            true => Ok(()),
            false => Err(PyValueError::new_err(format!(
                "{what} of `{}` has {found} entries: expected {expected}",
                self.name
            ))),
        }
    }

    pub(crate) fn point(&self, x: Option<&Bound<'_, PyAny>>) -> PyResult<Option<DVector<T>>> {
        let Some(x) = x else { return Ok(None) };
        let x = vector(x)?;
        self.look_at("x", x.len(), self.bilevel.dim_x())?;
        Ok(Some(x))
    }
}

pub(crate) fn own<T: Scalar>(
    name: String,
    upper: &Arc<autodiff::Program<T>>,
    lower: &Arc<autodiff::Program<T>>,
    (x, y): (&Bound<'_, PyAny>, &Bound<'_, PyAny>),
    (bounds, part): (Option<(f64, f64)>, Option<GivenPart>),
    calls: bool,
    samples: Option<(Samples, Samples)>,
) -> PyResult<Arc<Held<T>>> {
    let (x, y): (DVector<T>, DVector<T>) = (vector(x)?, vector(y)?);
    let bilevel = match samples {
        None => Bilevel::new(upper.clone(), lower.clone(), x.len(), y.len()),
        Some((f, g)) => {
            let (f, g) = (Mean::new(upper, f), Mean::new(lower, g));
            Bilevel::sampled(f, g, x.len(), y.len())
        }
    };
    let bilevel = bilevel.map_err(Raised::raised)?.starting_from(y);
    let bilevel = match part {
        Some(part) => bilevel.with_part(part.0.into()).map_err(Raised::raised)?,
        None => bilevel,
    };
    Ok(Arc::new(Held {
        name,
        bilevel,
        x,
        bounds,
        task: None,
        calls,
        source: GivenSource {
            given: GivenProblem {
                part,
                ..GivenProblem::default()
            },
            ..GivenSource::default()
        },
    }))
}

pub(crate) fn catalogued<T: Scalar>(name: &str, source: GivenSource) -> PyResult<Arc<Held<T>>> {
    let task = named(name).and_then(|entry| entry.task(&source.source()));
    let task: Task<T> = task.map_err(Raised::raised)?;
    Ok(Arc::new(Held {
        name: task.name.to_owned(),
        bilevel: task.bilevel.clone(),
        x: task.x.clone(),
        bounds: task.bounds,
        task: Some(task),
        calls: false,
        source,
    }))
}

/// A part of numbers by name.
pub(crate) fn part_of(given: Option<String>) -> PyResult<Option<GivenPart>> {
    let read = |text: String| text.parse::<GivenPart>();
    let read = given.map(read).transpose();
    read.map_err(|e| config(format!("part {e}")))
}

/// How a table is read.
pub(crate) fn read_as(given: &Bound<'_, PyDict>) -> PyResult<GivenProblem> {
    for key in given.keys() {
        let key: String = key.extract()?;
        // A part is no setting of a reader.
        let known = GivenProblem::KEYS.into_iter().filter(|key| *key != "part");
        let rows: Vec<Row> = known.map(|name| Row { name, about: "" }).collect();
        if !rows.iter().any(|row| row.name == key) {
            return Err(config(unknown("setting", &key, &rows)));
        }
    }
    depythonize(given).map_err(|e| config(format!("reading: {e}")))
}
