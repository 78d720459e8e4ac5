//! Problems, and what is asked of them.

use std::path::PathBuf;
use std::sync::Arc;

use autodiff::bytes::parse_bytes;
use bilevel_benches::catalogue::subject;
use models::Task;
use models::catalogue::{Source, named};
use models::data::{Format, Reading};
use nalgebra::DVector;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvers::catalogue::{Settings, strategy};
use solvers::{At, Bilevel, Itd, Strategy};
use study::compare::{self, AnyStrategy, DEFAULT, DEFAULT_PROXIMAL, Reference};
use study::{Subject, check, memory, plan};

use crate::arrays::{Of, Scalar, array, each, vector};
use crate::errors::{ConfigError, ProblemError, Raised, config};
use crate::guard::{computed, guarded};
use crate::recording::Program;
use crate::records::{Kind, Records, plain};
use crate::settings::{keyed, policy, settings};

/// A problem with its point: of the catalogue, or one's own.
pub(crate) struct Held<T: Scalar> {
    name: String,
    bilevel: Bilevel<T>,
    x: DVector<T>,
    bounds: Option<(f64, f64)>,
    task: Option<Task<T>>,
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

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The task of the catalogue that it is.
    pub(crate) fn task(&self) -> Option<&Task<T>> {
        self.task.as_ref()
    }

    fn look_at(&self, what: &str, found: usize, expected: usize) -> PyResult<()> {
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

/// A problem in either precision.
#[pyclass(frozen)]
pub(crate) struct Problem {
    pub(crate) of: Of<Arc<Held<f32>>, Arc<Held<f64>>>,
}

/// The record of an estimate, the estimate, its vector and the inner variable.
type Estimated<'py> = (
    Bound<'py, PyDict>,
    Bound<'py, PyDict>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
);
/// Keys and values of settings.
pub(crate) type Given = Vec<(String, String)>;

#[pymethods]
impl Problem {
    /// The problem of two recordings, at x, with the lower level started from y.
    #[new]
    fn new(
        name: String,
        upper: &Program,
        lower: &Program,
        x: &Bound<'_, PyAny>,
        y: &Bound<'_, PyAny>,
        bounds: Option<(f64, f64)>,
    ) -> PyResult<Self> {
        guarded(|| {
            Ok(Problem {
                of: match (&upper.of, &lower.of) {
                    (Of::F32(upper), Of::F32(lower)) => {
                        Of::F32(own(name, upper, lower, (x, y), bounds)?)
                    }
                    (Of::F64(upper), Of::F64(lower)) => {
                        Of::F64(own(name, upper, lower, (x, y), bounds)?)
                    }
                    _ => return Err(ProblemError::new_err("recordings of two precisions")),
                },
            })
        })
    }

    /// A problem of the catalogue.
    #[staticmethod]
    #[pyo3(signature = (name, single, seed, data, reading, bias, large))]
    fn named(
        py: Python<'_>,
        name: String,
        single: bool,
        seed: u64,
        data: Option<PathBuf>,
        reading: &Bound<'_, PyDict>,
        bias: bool,
        large: bool,
    ) -> PyResult<Self> {
        guarded(|| {
            let reading = read_as(reading)?;
            let source = Source {
                data,
                reading,
                seed,
                bias,
                large,
            };
            // Reading may take a while.
            let of = match single {
                true => Of::F32(computed(py, move || catalogued(&name, &source))?),
                false => Of::F64(computed(py, move || catalogued(&name, &source))?),
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
            Of::F32(held) => (
                Program {
                    of: Of::F32(held.bilevel.upper().clone()),
                },
                Program {
                    of: Of::F32(held.bilevel.lower().clone()),
                },
            ),
            Of::F64(held) => (
                Program {
                    of: Of::F64(held.bilevel.upper().clone()),
                },
                Program {
                    of: Of::F64(held.bilevel.lower().clone()),
                },
            ),
        }
    }

    /// How the user's data was read, in words.
    #[getter]
    fn read(&self) -> Option<String> {
        each!(&self.of, held => {
            let task = held.task.as_ref()?;
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
                computed(py, move || compared(&held, x, names, &settings))
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
                computed(py, move || held.at(x, |subject| {
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
                computed(py, move || held.at(None, |subject| {
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
                computed(py, move || held.at(x, |subject| {
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

fn own<T: Scalar>(
    name: String,
    upper: &Arc<autodiff::Program<T>>,
    lower: &Arc<autodiff::Program<T>>,
    (x, y): (&Bound<'_, PyAny>, &Bound<'_, PyAny>),
    bounds: Option<(f64, f64)>,
) -> PyResult<Arc<Held<T>>> {
    let (x, y): (DVector<T>, DVector<T>) = (vector(x)?, vector(y)?);
    let bilevel = Bilevel::new(upper.clone(), lower.clone(), x.len(), y.len());
    let bilevel = bilevel.map_err(Raised::raised)?.starting_from(y);
    Ok(Arc::new(Held {
        name,
        bilevel,
        x,
        bounds,
        task: None,
    }))
}

fn catalogued<T: Scalar>(name: &str, source: &Source) -> PyResult<Arc<Held<T>>> {
    let task = named(name).and_then(|entry| entry.task(source));
    let task: Task<T> = task.map_err(Raised::raised)?;
    Ok(Arc::new(Held {
        name: task.name.to_owned(),
        bilevel: task.bilevel.clone(),
        x: task.x.clone(),
        bounds: task.bounds,
        task: Some(task),
    }))
}

/// How a table is read: the keys of `--header`, `--first-index`, `--format`, … that are given.
fn read_as(given: &Bound<'_, PyDict>) -> PyResult<Reading> {
    let mut reading = Reading::default();
    for (key, value) in given {
        let key: String = key.extract()?;
        let wrong = |expected: &str| config(format!("{key} {value}: expected {expected}"));
        match key.as_str() {
            "header" => reading.header = Some(value.extract().map_err(|_| wrong("True or False"))?),
            "first_index" => {
                let index: u8 = value.extract().map_err(|_| wrong("0 or 1"))?;
                reading.first_index = Some(index).filter(|i| *i < 2);
                reading.first_index.ok_or_else(|| wrong("0 or 1"))?;
            }
            "format" => {
                let formats = "\"npz\", \"csv\" or \"libsvm\"";
                let format: String = value.extract().map_err(|_| wrong(formats))?;
                let known = [
                    ("npz", Format::Npz),
                    ("csv", Format::Csv),
                    ("libsvm", Format::Libsvm),
                ];
                let known = known.into_iter().find(|(name, _)| *name == format);
                reading.format = Some(known.ok_or_else(|| wrong(formats))?.1);
            }
            "keep_index" => {
                reading.keep_index = value.extract().map_err(|_| wrong("True or False"))?;
            }
            "standardise" => {
                reading.standardise = value.extract().map_err(|_| wrong("True or False"))?;
            }
            _ => {
                return Err(config(format!(
                    "unknown setting `{key}` of a reader: expected one of header, first_index, \
                     format, keep_index, standardise"
                )));
            }
        }
    }
    Ok(reading)
}

fn bytes(text: &str) -> PyResult<usize> {
    parse_bytes(text).map_err(|e| config(format!("budget {e}")))
}

/// What is unrolled, for each depth.
fn unrolled(settings: Settings) -> impl Fn(usize) -> Itd + Send {
    move |depth| {
        let itd = Itd::reverse(depth).inner(settings.inner());
        match settings.step {
            Some(length) => itd.step(length),
            None => itd,
        }
    }
}

fn remembered<T: Scalar>(
    subject: &Subject<'_, T>,
    depths: &[usize],
    policies: Option<Vec<memory::Policy>>,
    unrolled: impl Fn(usize) -> Itd,
    budget: Option<usize>,
) -> PyResult<Records> {
    let policies = match policies {
        None => memory::Policy::default_for::<T>(subject.problem().dim_x(), &unrolled(1)),
        Some(given) => {
            for policy in &given {
                policy.check::<T>(&unrolled(1)).map_err(Raised::raised)?;
            }
            given
        }
    };
    let each = policies
        .iter()
        .flat_map(|p| depths.iter().map(move |d| (*p, *d)));
    let records = each
        .map(|(policy, depth)| memory::measure(subject, &unrolled(depth), depth, policy, budget));
    let records = records.collect::<Result<Vec<_>, _>>();
    Ok(Kind::Memory(records.map_err(Raised::raised)?).into())
}

fn hypergradient<'py, T: Scalar>(
    py: Python<'py>,
    held: &Arc<Held<T>>,
    name: String,
    settings: Settings,
    x: Option<Bound<'py, PyAny>>,
    start: Option<Bound<'py, PyAny>>,
) -> PyResult<Estimated<'py>> {
    let x = held.point(x.as_ref())?;
    let start: Option<DVector<T>> = start.as_ref().map(vector).transpose()?;
    if let Some(start) = &start {
        held.look_at("start", start.len(), held.bilevel.dim_y())?;
    }
    let chosen: AnyStrategy<T> = strategy(&name, &settings).map_err(config)?;
    compare::refuse_foreign(&[&name], &settings, keyed).map_err(config)?;
    let dim_y = held.bilevel.dim_y();
    let room = chosen.room(dim_y).check(&name, dim_y, usize::MAX);
    room.map_err(ConfigError::new_err)?;
    let held = held.clone();
    let (record, mut estimate) = computed(py, move || {
        held.at(x, |subject| {
            let problem = subject.problem();
            let at = At::new(subject.x());
            let at = match &start {
                Some(start) => at.start(start),
                None => at,
            };
            let estimate = chosen.hypergradient_at(problem, at, &mut problem.workspace());
            let estimate = estimate.map_err(Raised::raised)?;
            Ok((
                compare::record(subject, &name, &estimate, None, false),
                estimate,
            ))
        })
    })?;
    let empty = || DVector::zeros(0);
    let h = std::mem::replace(&mut estimate.hypergradient, empty());
    let y = std::mem::replace(&mut estimate.y, empty());
    let (message, success) = (estimate.status.to_string(), estimate.status.is_success());
    let (record, estimate) = (plain(py, &record)?, plain(py, &estimate)?);
    estimate.set_item("message", message)?;
    estimate.set_item("success", success)?;
    Ok((
        record,
        estimate,
        array(py, h.as_slice()),
        array(py, y.as_slice()),
    ))
}

/// As `bilevel compare` on one problem: what is named must suit, what nobody named is left out where
/// it does not, or takes more than its share of the time.
fn compared<T: Scalar>(
    held: &Held<T>,
    x: Option<DVector<T>>,
    names: Option<Vec<String>>,
    settings: &Settings,
) -> PyResult<Records> {
    let unasked = names.is_none();
    let names = names.unwrap_or_else(|| {
        let default = match settings.inner().is_proximal() {
            true => DEFAULT_PROXIMAL,
            false => DEFAULT,
        };
        default.iter().map(|name| (*name).to_owned()).collect()
    });
    let texts: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    compare::refuse_foreign(&texts, settings, keyed).map_err(config)?;
    let dim_y = held.bilevel.dim_y();
    let mut chosen: Vec<(&str, AnyStrategy<T>)> = Vec::new();
    let mut rooms = Vec::new();
    for name in texts {
        let strategy: AnyStrategy<T> = strategy(name, settings).map_err(config)?;
        strategy.validate().map_err(Raised::raised)?;
        let room = strategy.room(dim_y);
        let dear = room.is_too_dense(dim_y) || room.is_dear(dim_y, settings.depth());
        let suits = strategy.suits(&held.bilevel);
        rooms.push((name, room));
        match unasked {
            true if dear || suits.is_err() => continue,
            true => {}
            false => {
                suits.map_err(Raised::raised)?;
                let room = strategy.room(dim_y).check(name, dim_y, usize::MAX);
                room.map_err(ConfigError::new_err)?;
            }
        }
        chosen.push((name, strategy));
    }
    let left_out = compare::left_out(rooms.into_iter().filter(|_| unasked), dim_y, settings);
    held.at(x, |subject| {
        let reference = Reference::of(subject, settings);
        let record = |(name, strategy): &(&str, AnyStrategy<T>)| {
            let estimate = compare::estimate(subject, strategy).map_err(Raised::raised)?;
            let mut record = compare::record(subject, name, &estimate, reference.as_ref(), true);
            record.left_out.clone_from(&left_out);
            Ok(record)
        };
        let records = chosen.iter().map(record).collect::<PyResult<Vec<_>>>()?;
        Ok(Kind::Compare(records).into())
    })
}
