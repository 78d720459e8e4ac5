//! What came of runs that were made in parts, from their folders alone.

use std::path::Path;

use super::jobs::{Job, Outcome};
use crate::catalogue::settings::Given;
use crate::cli::args::Common;
use crate::cli::failure::{Failure, input};
use crate::cli::out_folder::SWEEP;
use crate::cli::processes::last_words;
use crate::cli::resume::differing_setting;
use crate::runs::checkpoint::{Checkpoint, Origin};
use crate::runs::run_folder::RunFolder;

/// How each run came out so far. Nothing is run, and no folder is taken.
///
/// # Errors
/// If the folder is that of no sweep, or a run in it is of other settings.
pub(super) fn outcomes<'s>(
    all: Vec<Job<'s>>,
    dir: &Path,
    common: &Common,
) -> Result<Vec<(Job<'s>, Outcome)>, Failure> {
    if !dir.join(SWEEP).is_file() {
        let dir = dir.display();
        let reason = format!("--out {dir}: no {SWEEP}: expected the folder of a sweep");
        return Err(Failure::Input(reason));
    }
    let outcome = |job: Job<'s>| {
        let checkpoint = RunFolder::checkpoint_in(&job.dir).map_err(input)?;
        if let Some(origin) = checkpoint.as_ref().map(|c| &c.origin)
            && let Some(differs) = other_run(&job, origin, common)
        {
            let dir = job.dir.display();
            return Err(Failure::Input(format!("{dir}: the run has {differs}")));
        }
        let outcome = read(&job, checkpoint);
        Ok((job, outcome))
    };
    all.into_iter().map(outcome).collect()
}

fn read(job: &Job<'_>, checkpoint: Option<Checkpoint>) -> Outcome {
    match checkpoint {
        Some(Checkpoint {
            finished: Some(end),
            ..
        }) => match end.failure {
            None => Outcome::Done,
            Some(failure) => Outcome::Failed(failure),
        },
        Some(run) => {
            let after = run.so_far.iteration;
            Outcome::Missing(format!("not at its end: saved after iteration {after}"))
        }
        None => match last_words(&job.messages()) {
            None => Outcome::Missing("not begun".into()),
            Some(words) => Outcome::Refused(words),
        },
    }
}

/// What a run has that the sweep's file does not ask for.
fn other_run(job: &Job<'_>, origin: &Origin, common: &Common) -> Option<String> {
    let differ = |what: &str, here: &str, there: &str| {
        (here != there).then(|| format!("{what} {there}, not {here}"))
    };
    let given = toml::Value::Table(job.of.settings.clone()).try_into::<Given>();
    let given = given.expect("settings that were read before");
    differ("problem", &job.of.problem, &origin.problem)
        .or(differ("method", &job.of.method, &origin.method))
        .or(differ("dtype", common.dtype.name(), &origin.dtype))
        .or(differing_setting(&given, origin))
}
