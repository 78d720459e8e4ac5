//! Problems in either precision, for Python.

use std::path::PathBuf;
use std::sync::Arc;

use bilevel_benches::catalogue::reading::GivenProblem;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use study::{check, plan};

use crate::arrays::{Of, array, each};
use crate::errors::{ProblemError, Raised};
use crate::guard::{computed, guarded};
use crate::held::{GivenSource, Held, catalogued, own, part_of, read_as};
use crate::program::Program;
use crate::records::{Kind, Records};
use crate::sampled::Samples;
use crate::settings::{policy, settings};
use crate::studies::{Estimated, bytes, compared, hypergradient, remembered, unrolled};

/// A problem in either precision.
#[pyclass(frozen)]
pub(crate) struct Problem {
    pub(crate) of: Of<Arc<Held<f32>>, Arc<Held<f64>>>,
}
/// Keys and values of settings.
pub(crate) type Given = Vec<(String, String)>;

#[pymethods]
impl Problem {
    /// The problem of two recordings, at x, with the lower level started from y.
    /// With `samples`, both are means over so many, of which batches are recorded; with `part`, that is
    /// beside the lower objective.
    #[new]
    #[pyo3(signature = (name, upper, lower, x, y, bounds, samples=None, part=None))]
    // One argument for each that Python gives.
    #[allow(clippy::too_many_arguments)]
    fn new(
        name: String,
        upper: &Program,
        lower: &Program,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        bounds: Option<(f64, f64)>,
        samples: Option<(Samples, Samples)>,
        part: Option<String>,
    ) -> PyResult<Self> {
        guarded(|| {
            let (calls, part) = (upper.calls || lower.calls, part_of(part)?);
            Ok(Problem {
                of: match (&upper.of, &lower.of) {
                    (Of::F32(upper), Of::F32(lower)) => Of::F32(own(
                        name,
                        upper,
                        lower,
                        (x, y),
                        (bounds, part),
                        calls,
                        samples,
                    )?),
                    (Of::F64(upper), Of::F64(lower)) => Of::F64(own(
                        name,
                        upper,
                        lower,
                        (x, y),
                        (bounds, part),
                        calls,
                        samples,
                    )?),
                    _ => return Err(ProblemError::new_err("recordings of two precisions")),
                },
            })
        })
    }

    /// A problem of the catalogue.
    // One argument for each that Python gives.
    #[allow(clippy::too_many_arguments)]
    #[staticmethod]
    #[pyo3(signature = (name, single, seed, data, reading, bias, large, part=None))]
    fn named(
        py: Python<'_>,
        name: String,
        single: bool,
        seed: u64,
        data: Option<PathBuf>,
        reading: &Bound<'_, PyDict>,
        bias: bool,
        large: bool,
        part: Option<String>,
    ) -> PyResult<Self> {
        guarded(|| {
            let given = GivenProblem {
                part: part_of(part)?,
                ..read_as(reading)?
            };
            let source = GivenSource {
                data,
                given,
                seed,
                bias,
                large,
            };
            // Reading may take a while.
            let of = match single {
                true => Of::F32(computed(py, false, move || catalogued(&name, source))?),
                false => Of::F64(computed(py, false, move || catalogued(&name, source))?),
            };
            Ok(Problem { of })
        })
    }

    /// The name in records.
    #[getter]
    fn name(&self) -> String {
        each!(&self.of, held => held.name.clone())
    }

    /// Whether it is in single precision.
    #[getter]
    fn single(&self) -> bool {
        matches!(self.of, Of::F32(_))
    }

    /// Entries of x and of y.
    #[getter]
    fn dims(&self) -> (usize, usize) {
        each!(&self.of, held => (held.bilevel.dim_x(), held.bilevel.dim_y()))
    }

    /// The point x.
    #[getter]
    fn x<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        each!(&self.of, held => array(py, held.x.as_slice()))
    }

    /// Where the lower level starts.
    #[getter]
    fn start<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        each!(&self.of, held => array(py, held.bilevel.start().as_slice()))
    }

    /// The recordings of the upper and of the lower objective.
    #[getter]
    fn programs(&self) -> (Program, Program) {
        match &self.of {
            Of::F32(held) => held
                .programs()
                .map(|p| (Of::F32(p.clone().into()), held.calls())),
            Of::F64(held) => held
                .programs()
                .map(|p| (Of::F64(p.clone().into()), held.calls())),
        }
        .map(|(of, calls)| Program { of, calls })
        .into()
    }

    /// How the user's data was read, in words.
    #[getter]
    fn read(&self) -> Option<String> {
        each!(&self.of, held => {
            let task = held.task()?;
            task.read.as_ref().map(ToString::to_string)
        })
    }

    /// The hypergradient of a strategy.
    #[pyo3(signature = (strategy, given, x=None, start=None))]
    fn hypergradient<'py>(
        &self,
        py: Python<'py>,
        strategy: String,
        given: Given,
        x: Option<Bound<'py, PyAny>>,
        start: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Estimated<'py>> {
        guarded(|| {
            let settings = settings(&given)?;
            each!(&self.of, held => hypergradient(py, held, strategy, settings, x, start))
        })
    }

    /// The records of strategies; those that suit where none is named.
    #[pyo3(signature = (names, given, x=None))]
    fn compare(
        &self,
        py: Python<'_>,
        names: Option<Vec<String>>,
        given: Given,
        x: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Records> {
        guarded(|| {
            let settings = settings(&given)?;
            each!(&self.of, held => {
                let (held, x) = (held.clone(), held.point(x.as_ref())?);
                computed(py, held.calls(), move || compared(&held, x, names, &settings))
            })
        })
    }

    /// The records of memory policies at depths.
    #[pyo3(signature = (depths, policies, given, budget=None, x=None))]
    fn memory(
        &self,
        py: Python<'_>,
        depths: Vec<usize>,
        policies: Option<Vec<String>>,
        given: Given,
        budget: Option<String>,
        x: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Records> {
        guarded(|| {
            let unrolled = unrolled(settings(&given)?);
            let budget = budget.map(|text| bytes(&text)).transpose()?;
            let policies: Option<Vec<_>> = policies
                .map(|names| names.iter().map(|name| policy(name)).collect())
                .transpose()?;
            each!(&self.of, held => {
                let (held, x) = (held.clone(), held.point(x.as_ref())?);
                computed(py, held.calls(), move || held.at(x, |subject| {
                    remembered(subject, &depths, policies, unrolled, budget)
                }))
            })
        })
    }

    /// The fastest schedule of a depth for a budget, or the deepest loop of each policy; with the
    /// reason where nothing fits.
    #[pyo3(signature = (depth, budget, given))]
    fn plan(
        &self,
        py: Python<'_>,
        depth: Option<usize>,
        budget: String,
        given: Given,
    ) -> PyResult<(Records, Option<String>)> {
        guarded(|| {
            let unrolled = unrolled(settings(&given)?);
            let budget = bytes(&budget)?;
            each!(&self.of, held => {
                let held = held.clone();
                computed(py, held.calls(), move || held.at(None, |subject| {
                    Ok(match depth {
                        Some(depth) => {
                            let planned = plan::fastest(subject, &unrolled(depth), budget);
                            let (record, refused) = planned.map_err(Raised::raised)?;
                            (Kind::Plan(vec![record]).into(), refused.map(|e| e.to_string()))
                        }
                        None => {
                            let records = plan::deepest(subject, &unrolled, budget);
                            (Kind::Plan(records.map_err(Raised::raised)?).into(), None)
                        }
                    })
                }))
            })
        })
    }

    /// The checker over both objectives and, if asked for, over every strategy that suits.
    fn check(
        &self,
        py: Python<'_>,
        seed: u64,
        strategies: bool,
        x: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Records> {
        guarded(|| {
            each!(&self.of, held => {
                let (held, x) = (held.clone(), held.point(x.as_ref())?);
                computed(py, held.calls(), move || held.at(x, |subject| {
                    let records = match strategies {
                        true => check::run(subject, seed),
                        false => {
                            let reports = check::objectives(subject, seed);
                            reports.iter().flat_map(check::records).collect()
                        }
                    };
                    Ok(Kind::Check(records).into())
                }))
            })
        })
    }
}
