//! The folder that results go to: what it holds already is kept, unless --force is given.

use std::path::Path;

use super::args::Common;
use super::escaped;
use super::failure::{Failure, input};
use super::output::prepare;
use crate::runs::race::KEPT;
use crate::runs::run_folder::{CHECKPOINT, RunFolder, TRACE};

/// The copy of its file that a sweep leaves in its folder.
pub(super) const SWEEP: &str = "sweep.toml";

const ANOTHER: &str = "expected another folder, or --force to write into it all the same";

/// The folder for the records of a command, if one was asked for: not that of a run, a sweep or a race.
pub(super) fn for_records(common: &Common) -> Result<(), Failure> {
    match &common.out {
        Some(dir) => for_pages(dir, common),
        None => Ok(()),
    }
}

/// A folder for a page and what it is made from: not that of a run, a sweep or a race.
pub(super) fn for_pages(dir: &Path, common: &Common) -> Result<(), Failure> {
    refuse(dir, common, run(dir).or(sweep(dir)).or(race(dir)), ANOTHER)?;
    prepare(dir)
}

/// A folder for a run: one without a run, a sweep or a race.
pub(super) fn for_a_run(dir: &Path, common: &Common) -> Result<RunFolder, Failure> {
    refuse(dir, common, sweep(dir).or(race(dir)), ANOTHER)?;
    prepare(dir)?;
    let folder = take(dir)?;
    let again = format!(
        "expected another folder, --resume {} to go on with it, or --force to overwrite it",
        dir.display()
    );
    refuse(dir, common, run(dir), &again)?;
    Ok(folder)
}

/// A folder for a sweep, or of one that goes on: not that of a run or a race.
pub(super) fn for_a_sweep(dir: &Path, common: &Common) -> Result<(), Failure> {
    refuse(dir, common, run(dir).or(race(dir)), ANOTHER)?;
    prepare(dir)
}

/// A folder for a race, or of one that goes on: not that of a run or a sweep.
pub(super) fn for_a_race(dir: &Path, common: &Common) -> Result<RunFolder, Failure> {
    refuse(dir, common, run(dir).or(sweep(dir)), ANOTHER)?;
    prepare(dir)?;
    take(dir)
}

/// Takes a folder, and says so where no lock can keep others out of it.
pub(super) fn take(dir: &Path) -> Result<RunFolder, Failure> {
    let folder = RunFolder::take(dir).map_err(input)?;
    if let Some(unlocked) = folder.unlocked() {
        eprintln!("warning: {}", escaped(&unlocked));
    }
    Ok(folder)
}

fn refuse(
    dir: &Path,
    common: &Common,
    holds: Option<String>,
    expected: &str,
) -> Result<(), Failure> {
    match holds {
        Some(what) if !common.force => Err(Failure::Input(format!(
            "--out {}: holds {what}: {expected}",
            dir.display()
        ))),
        _ => Ok(()),
    }
}

/// The run that a folder holds, in words.
fn run(dir: &Path) -> Option<String> {
    if dir.join(CHECKPOINT).exists() {
        return Some(match RunFolder::checkpoint_in(dir) {
            Ok(Some(run)) => match run.finished {
                Some(end) => format!("a run that is finished, after iteration {}", end.iteration),
                None => format!(
                    "a run that stopped after iteration {}",
                    run.so_far.iteration
                ),
            },
            Ok(None) => "a run".into(),
            Err(_) => "a run whose checkpoint this version cannot read".into(),
        });
    }
    // Of a run without a checkpoint there is nothing but its records.
    let trace = Some(dir.join(TRACE)).filter(|trace| trace.is_file());
    let trace = std::fs::read_to_string(trace?).unwrap_or_default();
    (trace.lines().count() > 1).then(|| format!("the records of a run, {TRACE}"))
}

/// The sweep that a folder holds, in words.
fn sweep(dir: &Path) -> Option<String> {
    dir.join(SWEEP).exists().then(|| "a sweep".to_owned())
}

/// The race that a folder holds, in words.
fn race(dir: &Path) -> Option<String> {
    dir.join(KEPT).exists().then(|| "a race".to_owned())
}

/// Whether two names are of one folder.
pub(super) fn same_folder(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
