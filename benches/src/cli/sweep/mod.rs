//! `bilevel sweep`: all runs, a part of them, what came of them, or a script that makes them.

mod collect;
mod emit;
mod jobs;
mod page;
mod queue;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use autodiff::bytes::parse_bytes;

use super::args::{Common, SweepArgs};
use super::failure::{Failure, input};
use super::out_folder::{self, SWEEP};
use super::output::{leave, line, say, write_whole};
use crate::runs::run_folder::RunFolder;
use crate::runs::sweep::{Summary, Sweep, read_percent, read_trace, summarise};
pub(super) use emit::Batch;
pub(super) use jobs::Shard;
use jobs::{Job, Outcome};
use page::{Swept, page, terminal};
use queue::Queue;

/// The settings of a configuration, for its runs.
const CONFIG: &str = "config.toml";

pub(super) fn run(args: &SweepArgs, common: &Common) -> Result<(), Failure> {
    let name = args.file.display();
    let text = std::fs::read_to_string(&args.file)
        .map_err(|e| Failure::Input(format!("{name}: cannot be read: {e}")))?;
    let sweep = Sweep::parse(&text).map_err(|e| Failure::Input(format!("{name}: {e}")))?;
    let Some(dir) = &common.out else {
        let reason = "sweep: expected --out DIR, where every run has a folder";
        return Err(Failure::Input(reason.into()));
    };
    let budget = args.memory.as_deref().map(parse_bytes).transpose();
    let budget = budget.map_err(|e| Failure::Input(format!("--memory: {e}")))?;
    let mut all = Job::all(&sweep, dir);
    if let Some(batch) = args.emit {
        out_folder::for_a_sweep(dir, common)?;
        return emit::script(batch, args, all.len(), dir, common)
            .map(|script| say(script.trim_end()));
    }
    if args.collect {
        return finish(
            &args.file,
            &sweep,
            &collect::outcomes(all, dir, common)?,
            common,
        );
    }
    if budget.is_some() && !Path::new("/proc/self/status").exists() {
        let reason = "--memory: this system does not tell what a process holds";
        return Err(Failure::Input(reason.into()));
    }
    let jobs = match args.jobs {
        None => std::thread::available_parallelism().map_or(1, usize::from),
        Some(jobs) => jobs,
    };
    out_folder::for_a_sweep(dir, common)?;
    // Its lock keeps a second whole sweep out. Parts have the locks of their runs alone: a lock
    // may not reach from one machine to another.
    let whole = args.shard.is_none().then(|| RunFolder::take(dir));
    let _folder = whole.transpose().map_err(input)?;
    write_configs(&sweep, &text, dir)?;
    if let Some(shard) = args.shard {
        let mut run = 0..;
        all.retain(|_| run.next().is_some_and(|run| shard.has(run)));
    }
    let mut queue = Queue::new(all, sweep.configurations.len(), common, jobs, budget);
    if common.force {
        queue.begin_anew()?;
    }
    queue.run()?;
    let outcomes = queue.outcomes();
    match args.shard {
        None => finish(&args.file, &sweep, &outcomes, common),
        Some(_) => {
            complaints(&outcomes)
                .iter()
                .for_each(|complaint| eprintln!("{complaint}"));
            ended(&outcomes)
        }
    }
}

/// The sweep's file, and the settings of every configuration as a file for its runs. What is there
/// and the same stays as it is, since parts write them side by side.
fn write_configs(sweep: &Sweep, text: &str, dir: &Path) -> Result<(), Failure> {
    let write = |dir: &Path, name: &str, text: &str| {
        let path = dir.join(name);
        let written = match std::fs::read(&path) {
            Ok(there) if there == text.as_bytes() => Ok(()),
            _ => std::fs::create_dir_all(dir).and_then(|()| write_whole(&path, text.as_bytes())),
        };
        let words =
            |e: io::Error| Failure::Input(format!("{}: cannot be written: {e}", path.display()));
        written.map_err(words)
    };
    write(dir, SWEEP, text)?;
    for configuration in &sweep.configurations {
        let settings = toml::to_string(&configuration.settings).expect("a table of settings");
        write(&dir.join(&configuration.name), CONFIG, &settings)?;
    }
    Ok(())
}

/// Prints and writes what came of it.
fn finish(
    file: &Path,
    sweep: &Sweep,
    outcomes: &[(Job<'_>, Outcome)],
    common: &Common,
) -> Result<(), Failure> {
    let summaries: Vec<Summary> = (0..)
        .zip(&sweep.configurations)
        .map(|(k, configuration)| {
            let own = outcomes.iter().filter(|(job, _)| job.configuration == k);
            let seeds = |of: fn(&Outcome) -> bool| {
                let of = own.clone().filter(move |(_, outcome)| of(outcome));
                of.map(|(job, _)| job.seed).collect()
            };
            let done = own.clone().filter(|(_, outcome)| *outcome == Outcome::Done);
            let traces: Vec<_> = done.map(|(job, _)| read_trace(&job.dir)).collect();
            let failed = seeds(|o| matches!(o, Outcome::Failed(_) | Outcome::Refused(_)));
            let missing = seeds(|o| matches!(o, Outcome::Missing(_)));
            summarise(&configuration.name, &traces, failed, missing)
        })
        .collect();
    let percent: BTreeSet<String> = outcomes
        .iter()
        .flat_map(|(job, _)| read_percent(&job.dir))
        .collect();
    if common.json {
        summaries.iter().for_each(|s| say(&line(s)));
    } else {
        say(&terminal(&summaries, &percent));
    }
    let failures = complaints(outcomes);
    failures.iter().for_each(|failure| eprintln!("{failure}"));
    let swept = Swept {
        file,
        sweep,
        summaries: &summaries,
        percent: &percent,
        failures: &failures,
    };
    let page = || page(&swept, common);
    leave(common, "summary.jsonl", &summaries, Some(&page))?;
    ended(outcomes)
}

/// What is to be said of runs that are not done.
fn complaints(outcomes: &[(Job<'_>, Outcome)]) -> Vec<String> {
    let complaint = |(job, outcome): &(Job<'_>, Outcome)| match outcome {
        Outcome::Done => None,
        Outcome::Failed(reason) | Outcome::Refused(reason) | Outcome::Missing(reason) => {
            Some(format!("{}, seed {}: {reason}", job.of.name, job.seed))
        }
    };
    outcomes.iter().filter_map(complaint).collect()
}

/// The exit code of a sweep, or of a part of one.
fn ended(outcomes: &[(Job<'_>, Outcome)]) -> Result<(), Failure> {
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, o)| wanted(o)).count();
    let refused = count(|o| matches!(o, Outcome::Refused(_)));
    let failed = count(|o| matches!(o, Outcome::Failed(_)));
    let missing = count(|o| matches!(o, Outcome::Missing(_)));
    let all = outcomes.len();
    match (refused, missing, failed) {
        (0, 0, 0) => Ok(()),
        (0, 0, failed) => Err(Failure::Numerical(format!(
            "{failed} of {all} runs reported a failure"
        ))),
        (0, missing, _) => Err(Failure::Input(format!(
            "{missing} of {all} runs are not at their end"
        ))),
        (refused, ..) => Err(Failure::Input(format!(
            "{refused} of {all} runs could not be run to their end"
        ))),
    }
}
