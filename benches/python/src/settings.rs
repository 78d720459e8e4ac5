//! Names of the catalogue, settings as they are given, and threads.

use std::sync::{Arc, Mutex, PoisonError};

use autodiff::unroll::Memory;
use models::PROBLEMS;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use solvers::catalogue::{self, Row, SETTINGS, Settings, unknown};
use study::memory::Policy;

use crate::errors::config;
use crate::guard::guarded;

/// Settings of these keys, each value as the text that the command line takes.
pub(crate) fn settings(given: &[(String, String)]) -> PyResult<Settings> {
    let mut settings = Settings::NONE;
    for (key, text) in given {
        let setting = SETTINGS.iter().find(|s| s.key == key);
        let setting = setting.ok_or_else(|| {
            let row = |s: &catalogue::Setting| Row {
                name: s.key,
                about: s.help,
            };
            let rows: Vec<Row> = SETTINGS.iter().map(row).collect();
            config(unknown("setting", key, &rows))
        })?;
        let value = setting.kind.read(text);
        let value = value.map_err(|reason| config(format!("{key} {reason}")))?;
        settings.set(setting.key, value);
    }
    Ok(settings)
}

/// A setting as it is shown in complaints: by its key.
pub(crate) fn keyed(setting: &catalogue::Setting) -> String {
    setting.key.to_owned()
}

/// A memory policy by its name.
pub(crate) fn policy(text: &str) -> PyResult<Policy> {
    match text.parse() {
        Ok(Policy::Fixed(Memory::Truncated { steps: 0 })) => {
            Err(config("truncated:0: expected at least 1 step"))
        }
        Ok(policy) => Ok(policy),
        Err(error) => Err(config(error)),
    }
}

/// A name, what it stands for, and the keys of the settings that it takes.
type Named = (String, String, Vec<String>);

fn named<'a>(rows: &[Row], accepts: impl Iterator<Item = &'a &'static str>) -> Vec<Named> {
    let accepts: Vec<String> = accepts.map(|key| (*key).to_owned()).collect();
    let row = |row: &Row| (row.name.to_owned(), row.about.to_owned(), accepts.clone());
    rows.iter().map(row).collect()
}

/// Every strategy of the catalogue.
#[pyfunction]
pub(crate) fn strategies() -> PyResult<Vec<Named>> {
    guarded(|| {
        let all = catalogue::strategies::<f64>().into_iter();
        Ok(all
            .flat_map(|entry| named(&entry.rows, entry.accepts.iter()))
            .collect())
    })
}

/// Every method of the catalogue.
#[pyfunction]
pub(crate) fn methods() -> PyResult<Vec<Named>> {
    guarded(|| {
        let all = catalogue::methods::<f64>().into_iter();
        Ok(all
            .flat_map(|entry| named(&entry.rows, entry.accepts.iter()))
            .collect())
    })
}

/// Every problem of the catalogue, with what it takes for data.
#[pyfunction]
pub(crate) fn problems() -> Vec<(&'static str, &'static str, String)> {
    let row = |entry: &&'static models::catalogue::Entry| {
        (entry.row.name, entry.row.about, entry.data.to_string())
    };
    PROBLEMS.iter().map(row).collect()
}

/// The pool that was asked for; without one, the engine's own threads.
static POOL: Mutex<Option<Arc<ThreadPool>>> = Mutex::new(None);

/// The pool that was asked for.
pub(crate) fn pool() -> Option<Arc<ThreadPool>> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Sets the number of threads that passes over samples and matrix products use.
#[pyfunction]
pub(crate) fn set_threads(count: usize) -> PyResult<()> {
    guarded(|| {
        if count == 0 {
            return Err(config("0 threads: expected at least 1"));
        }
        let pool = ThreadPoolBuilder::new().num_threads(count).build();
        let pool = pool.map_err(|e| config(format!("{count} threads: {e}")))?;
        *POOL.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(pool));
        Ok(())
    })
}

/// That number.
#[pyfunction]
pub(crate) fn threads() -> usize {
    pool().map_or_else(rayon::current_num_threads, |pool| {
        pool.current_num_threads()
    })
}
