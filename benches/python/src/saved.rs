//! Runs in folders, as `bilevel solve --out` leaves them: either goes on with what the other saved.

use std::path::Path;

use bilevel_benches::catalogue::reading;
use bilevel_benches::catalogue::settings::SolveSettings;
use bilevel_benches::runs::checkpoint::{Checkpoint, FileMark, Origin};
use bilevel_benches::runs::run_folder::{FolderError, RunFolder};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use study::solve::{Record, SoFar};

use crate::arrays::Scalar;
use crate::errors::{InternalError, RestoreError};
use crate::held::Held;
use crate::settings::threads;

/// What a run follows from.
pub(crate) fn origin<T: Scalar>(
    held: &Held<T>,
    method: &str,
    settings: &SolveSettings,
) -> PyResult<Origin> {
    let source = held.source();
    let data = source.data.as_deref().map(FileMark::of).transpose();
    Ok(Origin {
        problem: held.name().to_owned(),
        method: method.to_owned(),
        data: data.map_err(|e| PyOSError::new_err(e.to_string()))?,
        point: None,
        bias: source.bias,
        large: source.large,
        seed: settings.seed,
        dtype: T::NAME.to_owned(),
        settings: SolveSettings {
            problem: source.given,
            ..settings.clone()
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Leaves a run in a folder: a new one, or that of the same run, which then goes on from there.
pub(crate) fn save<T: Scalar>(
    dir: &Path,
    held: &Held<T>,
    origin: Origin,
    (so_far, state): (SoFar, Vec<u64>),
    records: &[Record],
) -> PyResult<()> {
    std::fs::create_dir_all(dir)?;
    let folder = RunFolder::take(dir).map_err(raised)?;
    let refuse = |reason: &str| {
        RestoreError::new_err(format!(
            "{}: {reason}: expected another folder",
            dir.display()
        ))
    };
    let (mut trace, written) = match folder.checkpoint().map_err(raised)? {
        None => {
            let task = held.task();
            let read = task
                .and_then(|task| task.read.as_ref())
                .map(reading::record);
            let percent: Vec<String> = task
                .iter()
                .flat_map(|task| task.percent())
                .map(str::to_owned)
                .collect();
            let files = [held.source().data.as_deref(), None];
            let header = origin.header(files, read.as_ref(), &percent, threads());
            (folder.new_trace(&line(&header)?).map_err(raised)?, 0)
        }
        Some(before) if before.origin == origin => {
            let so_far = folder.trace_so_far(before.trace).map_err(raised)?;
            let written = so_far.records().count();
            if written > records.len() {
                return Err(refuse("holds more of this run"));
            }
            let iterations = origin.settings.method.iterations();
            (
                folder.resume_trace(&so_far, iterations).map_err(raised)?,
                written,
            )
        }
        Some(_) => return Err(refuse("holds another run")),
    };
    for record in &records[written..] {
        trace.append(&line(record)?).map_err(raised)?;
    }
    let trace = trace.mark().map_err(raised)?;
    let checkpoint = Checkpoint {
        origin,
        so_far,
        finished: None,
        trace,
        state,
    };
    folder.write_checkpoint(&checkpoint).map_err(raised)
}

/// A run that was left in a folder, with its records so far.
pub(crate) fn read(dir: &Path) -> PyResult<(Checkpoint, Vec<Record>)> {
    let gone = || RestoreError::new_err(format!("{}: holds no run", dir.display()));
    if !dir.is_dir() {
        return Err(gone());
    }
    let checkpoint = RunFolder::checkpoint_in(dir)
        .map_err(raised)?
        .ok_or_else(gone)?;
    let folder = RunFolder::take(dir).map_err(raised)?;
    let so_far = folder.trace_so_far(checkpoint.trace).map_err(raised)?;
    let records = so_far
        .records()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>();
    let records = records.map_err(|e| RestoreError::new_err(e.to_string()))?;
    Ok((checkpoint, records))
}

/// Looks whether a problem is the one of a run.
pub(crate) fn same<T: Scalar>(held: &Held<T>, run: &Origin) -> PyResult<()> {
    let here = origin(held, &run.method, &run.settings)?;
    let differ = |what: &str, here: &str, there: &str| {
        RestoreError::new_err(format!("the run is of {what} {there}, not {here}"))
    };
    if here.problem != run.problem {
        return Err(differ("problem", &here.problem, &run.problem));
    }
    if here.dtype != run.dtype {
        return Err(differ("dtype", &here.dtype, &run.dtype));
    }
    if here.version != run.version {
        return Err(differ("version", &here.version, &run.version));
    }
    let same_data = match (&here.data, &run.data) {
        (Some(here), Some(there)) => here.same_contents(there),
        (here, there) => here.is_none() && there.is_none(),
    };
    match same_data && (here.bias, here.large) == (run.bias, run.large) && run.point.is_none() {
        true => Ok(()),
        false => Err(RestoreError::new_err(
            "the run is of other data, size or point",
        )),
    }
}

fn line(record: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(record).map_err(|e| InternalError::new_err(e.to_string()))
}

fn raised(error: FolderError) -> PyErr {
    match error {
        FolderError::Write { .. } => PyOSError::new_err(error.to_string()),
        other => RestoreError::new_err(other.to_string()),
    }
}
