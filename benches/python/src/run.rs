//! Runs of methods: each lives in a thread of its own, which is asked for one record at a time.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use autodiff::bytes::Interrupt;
use bilevel_benches::catalogue::methods;
use bilevel_benches::catalogue::settings::SolveSettings;
use bilevel_benches::cli::memory;
use nalgebra::DVector;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use solvers::Method;
use solvers::catalogue;
use study::Subject;
use study::solve::{Outcome, Record, Session, SoFar};
use study::worth::Gain;

use crate::arrays::{Of, Scalar, array, each};
use crate::errors::{InternalError, Raised, RestoreError, config};
use crate::guard::{self, Answers, answers, guarded};
use crate::held::Held;
use crate::problem::{Given, Problem};
use crate::records::{Kind, Records, plain};
use crate::saved;
use crate::settings::{keyed, settings};

/// What a run is asked for.
enum Ask {
    /// The iterations of one record.
    Step,
    /// The state between two iterations.
    Save,
    /// To go on from such a state.
    Restore(SoFar, Vec<u64>),
    /// What x is worth where it began and where it stands.
    Gain,
    /// The run as it ends here, with these records.
    Outcome(Vec<Record>),
}

/// What it answers.
enum Answer {
    /// A record, and whether there may be more.
    Stepped(Option<Record>),
    Saved(SoFar, Vec<u64>),
    Restored,
    /// With a remark where x is worth less.
    Gain(Option<Box<Gain>>, Option<String>),
    Outcome(Box<Outcome>),
}

/// x and y, what was said so far, and the records.
type Ended<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Bound<'py, PyDict>,
    Records,
);

/// What a run is.
#[derive(Clone)]
struct About {
    settings: SolveSettings,
    method: String,
    iterations: usize,
}

/// A run that is asked for one record at a time.
#[pyclass(frozen)]
pub(crate) struct Run {
    asks: Mutex<Sender<Ask>>,
    answers: Answers<Answer>,
    about: About,
    of: Of<Arc<Held<f32>>, Arc<Held<f64>>>,
    records: Mutex<Vec<Record>>,
    /// Whether a signal ended it in the middle of an iteration.
    broken: AtomicBool,
    over: Over,
}

/// How long an iteration may go on after a signal: most are over by then, and the run is between two.
const SOON: Duration = Duration::from_millis(150);
/// How long a thread may take to its next sweep, where it is interrupted.
const SWEEP: Duration = Duration::from_secs(10);

/// Stops the thread of a run that nobody has any more.
struct Over(Interrupt);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// The settings of a method, the seed left out.
fn chosen<T: Scalar>(
    held: &Held<T>,
    method: &str,
    given: &Given,
    seed: u64,
) -> PyResult<SolveSettings> {
    let given = settings(given)?;
    // The catalogue's defaults are for its own problems alone.
    let problem = if held.task().is_some() {
        held.name()
    } else {
        ""
    };
    let all = SolveSettings {
        seed,
        ..SolveSettings::of(problem, method, given.clone())
    };
    methods::refuse_foreign(method, &given, keyed).map_err(config)?;
    methods::refuse_idle(method, &given, &all.method, keyed).map_err(config)?;
    Ok(all)
}

fn method<T: Scalar>(
    held: &Held<T>,
    subject: &Subject<'_, T>,
    name: &str,
    settings: &SolveSettings,
) -> PyResult<Arc<dyn Method<T>>> {
    let made = match held.task() {
        Some(task) => methods::method(name, task, settings),
        None => catalogue::method(name, &settings.method, &subject.place(settings.seed)),
    };
    let made = made.map_err(config)?;
    let dim_y = subject.problem().dim_y();
    let room = made.room(dim_y).check(name, dim_y, memory());
    room.map_err(config)?;
    Ok(made)
}

/// Answers until nobody asks any more.
fn answer<T: Scalar>(
    session: &mut Session<'_, T>,
    asks: &Receiver<Ask>,
    tell: &Sender<PyResult<Answer>>,
) {
    while let Ok(ask) = asks.recv() {
        let answer = guarded(|| {
            Ok(match ask {
                Ask::Step => Answer::Stepped(session.step()),
                Ask::Save => {
                    let state = session.save();
                    Answer::Saved(session.so_far().clone(), state)
                }
                Ask::Restore(so_far, state) => {
                    let restored = session.restore(so_far, &state);
                    restored.map_err(|e| RestoreError::new_err(e.to_string()))?;
                    Answer::Restored
                }
                Ask::Gain => {
                    let gain = session.gain();
                    let warning = gain.as_ref().and_then(|gain| gain.warning(T::EPSILON));
                    Answer::Gain(gain.map(Box::new), warning)
                }
                Ask::Outcome(records) => Answer::Outcome(Box::new(session.outcome(records, None))),
            })
        });
        if tell.send(answer).is_err() {
            return;
        }
    }
}

fn begin<T: Scalar>(
    py: Python<'_>,
    held: &Arc<Held<T>>,
    name: String,
    settings: SolveSettings,
    x: Option<DVector<T>>,
    of: &Problem,
) -> PyResult<Run> {
    let (held, of) = (held.clone(), of.of.clone());
    let (asks, asked) = channel();
    let (tell, told) = answers();
    let (ready, begun) = answers();
    let (of_thread, called) = (settings.clone(), name.clone());
    let interrupt = Interrupt::new();
    let over = interrupt.clone();
    let calls = held.calls();
    let run = move || {
        let refused = guarded(|| {
            guard::in_own_pool(|| {
                over.over(|| {
                    let (ready, asked) = (ready.clone(), asked);
                    held.at(x, |subject| {
                        let method = method(&held, subject, &called, &of_thread)?;
                        let mut session =
                            Session::begin(subject, &called, &*method).map_err(Raised::raised)?;
                        let _ = ready.send(Ok(session.iterations()));
                        answer(&mut session, &asked, &tell);
                        Ok(())
                    })
                })
            })
        });
        if let Err(error) = refused {
            let _ = ready.send(Err(error));
        }
    };
    guard::begin(move || match calls {
        // The thread is one of Python's until it ends: what its callbacks keep by thread stays.
        true => Python::attach(|py| py.detach(run)),
        false => run(),
    })?;
    let over = Over(interrupt);
    let iterations = begun.wait(py)?;
    Ok(Run {
        asks: Mutex::new(asks),
        answers: told,
        about: About {
            settings,
            method: name,
            iterations,
        },
        of,
        records: Mutex::default(),
        broken: AtomicBool::new(false),
        over,
    })
}

impl Run {
    /// Asks, and waits. Where a signal raises something meanwhile, an iteration that is soon over is
    /// finished and recorded, and the run can be asked for more; a longer one is ended at its next sweep,
    /// and the run with it.
    fn ask(&self, py: Python<'_>, ask: Ask) -> PyResult<Answer> {
        if self.broken.load(Ordering::Relaxed) {
            let reason = "this run was interrupted in the middle of an iteration: expected one that is \
                          begun again, or goes on from where it was saved";
            return Err(RestoreError::new_err(reason));
        }
        let asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = |_| InternalError::new_err("a run of bilevel is gone");
        asks.send(ask).map_err(gone)?;
        self.answers
            .wait(py)
            .inspect_err(|_| match self.answers.within(py, SOON) {
                Some(Ok(Answer::Stepped(Some(record)))) => self.records().push(record),
                Some(_) => {}
                None => {
                    self.broken.store(true, Ordering::Relaxed);
                    self.over.0.set(true);
                    let _ = self.answers.within(py, SWEEP);
                }
            })
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Run {
    /// Begins a method's run.
    #[new]
    #[pyo3(signature = (problem, method, given, seed, x=None))]
    fn new(
        py: Python<'_>,
        problem: &Problem,
        method: String,
        given: Given,
        seed: u64,
        x: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        guarded(|| {
            each!(&problem.of, held => {
                let settings = chosen(held, &method, &given, seed)?;
                let x = held.point(x.as_ref())?;
                begin(py, held, method, settings, x, problem)
            })
        })
    }

    /// A run that goes on from where it was saved.
    #[staticmethod]
    fn resume(py: Python<'_>, problem: &Problem, folder: PathBuf) -> PyResult<Self> {
        guarded(|| {
            let (saved, records) = saved::read(&folder)?;
            let (method, settings) = (saved.origin.method.clone(), saved.origin.settings.clone());
            let run = each!(&problem.of, held => {
                saved::same(held, &saved.origin)?;
                begin(py, held, method, settings, None, problem)?
            });
            run.ask(py, Ask::Restore(saved.so_far, saved.state))?;
            *run.records() = records;
            Ok(run)
        })
    }

    /// Leaves the run in a folder, as it is between two iterations.
    fn save(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        guarded(|| {
            let Answer::Saved(so_far, state) = self.ask(py, Ask::Save)? else {
                return Err(InternalError::new_err("a run answers something else"));
            };
            let records = self.records().clone();
            each!(&self.of, held => {
                let origin = saved::origin(held, &self.about.method, &self.about.settings)?;
                saved::save(&folder, held, origin, (so_far, state), &records)
            })
        })
    }

    /// The method's name.
    #[getter]
    fn method(&self) -> String {
        self.about.method.clone()
    }

    /// Iterations in all.
    #[getter]
    fn iterations(&self) -> usize {
        self.about.iterations
    }

    /// Every setting of the run, and the seed.
    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        guarded(|| plain(py, &self.about.settings))
    }

    /// Makes the iterations of one record; `None` when there are no more.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        guarded(|| match self.ask(py, Ask::Step)? {
            Answer::Stepped(Some(record)) => {
                let row = plain(py, &record)?;
                self.records().push(record);
                Ok(Some(row))
            }
            _ => Ok(None),
        })
    }

    /// What x is worth where the run began and where it stands, and a remark where that is less.
    fn gain<'py>(&self, py: Python<'py>) -> PyResult<(Option<Bound<'py, PyDict>>, Option<String>)> {
        guarded(|| {
            let Answer::Gain(gain, warning) = self.ask(py, Ask::Gain)? else {
                return Err(InternalError::new_err("a run answers something else"));
            };
            Ok((gain.map(|gain| plain(py, &gain)).transpose()?, warning))
        })
    }

    /// x and y as they are now, whether an iteration failed, the remarks, and the records so far.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<Ended<'py>> {
        guarded(|| {
            let records = self.records().clone();
            let Answer::Outcome(outcome) = self.ask(py, Ask::Outcome(records))? else {
                return Err(InternalError::new_err("a run answers something else"));
            };
            let (x, y) = (array(py, &outcome.x), array(py, &outcome.y));
            let so_far = plain(py, &outcome.so_far)?;
            Ok((x, y, so_far, Kind::Solve(outcome).into()))
        })
    }
}
