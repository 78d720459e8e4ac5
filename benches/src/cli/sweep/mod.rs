//! `bilevel sweep`: all runs, a part of them, what came of them, or a script that makes them.

mod collect;
mod emit;
mod jobs;
mod page;
mod queue;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use autodiff::bytes::parse_bytes;

use super::args::{Common, Dtype};
use super::failure::{Failure, input};
use super::out_folder::{self, SWEEP};
use super::output::{leave, line, say, write_whole};
use super::values::count;
use crate::runs::run_folder::RunFolder;
use crate::runs::sweep::{Summary, Sweep, Traced, summarise};
use emit::Batch;
use jobs::{Job, Outcome, Shard};
use page::{Swept, page, terminal};
use queue::Queue;

/// A sweep.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The file: `seeds = [0, 1, 2]`, a table [base] that every run has (problem, method, data,
    /// bias, large, and the settings of `solve`), a table [grid] of lists of which every
    /// combination is run, and tables [[run]] that are one configuration each. Each run has a
    /// folder in --out; the same command goes on after a stop or a kill
    #[arg(value_name = "FILE.toml")]
    pub(in crate::cli) file: PathBuf,
    /// Processes at one time; as many as cores unless given. Each has --threads, or one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(in crate::cli) jobs: Option<usize>,
    /// Bytes that all processes together may hold, such as 2GiB: what does not fit waits, and where
    /// more is held the youngest stops and goes on later
    #[arg(long, value_name = "BYTES")]
    pub(in crate::cli) memory: Option<String>,
    /// The runs K, K + N, K + 2N, … alone, K from 0 to N − 1: parts may run side by side on several
    /// machines, in any order, and again after a kill. --collect then says what came of all
    #[arg(long, value_name = "K/N", allow_hyphen_values = true)]
    pub(in crate::cli) shard: Option<Shard>,
    /// Run nothing: the summary and the page of what there is in --out
    #[arg(long, conflicts_with_all = ["shard", "jobs", "memory"])]
    pub(in crate::cli) collect: bool,
    /// Print a script that makes the sweep in parts, and do nothing else: a job array of SLURM whose
    /// tasks are saved and queued again at their end, or a line of GNU parallel or HyperQueue
    #[arg(long, value_name = "BATCH", value_enum, conflicts_with_all = ["shard", "collect"])]
    pub(in crate::cli) emit: Option<Batch>,
    /// Parts that the script makes; as many as runs unless given, at most 1000
    #[arg(
        long,
        value_name = "N",
        requires = "emit",
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(in crate::cli) shards: Option<usize>,
}

/// The settings of a configuration, for its runs.
const CONFIG: &str = "config.toml";

pub(super) fn run(args: &Args, common: &Common) -> Result<(), Failure> {
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

/// A run, and what its folder says of it.
struct Made<'a> {
    job: &'a Job<'a>,
    outcome: &'a Outcome,
    traced: Traced,
    /// What is to be said of what a run that is done made of x.
    risen: Option<String>,
}

impl<'a> Made<'a> {
    fn read((job, outcome): &'a (Job<'_>, Outcome), common: &Common) -> Self {
        let traced = Traced::read(&job.dir);
        let epsilon = match common.dtype {
            Dtype::F32 => f32::EPSILON.into(),
            Dtype::F64 => f64::EPSILON,
        };
        let gain = traced.gain.as_ref().filter(|_| *outcome == Outcome::Done);
        Made {
            job,
            outcome,
            risen: gain.and_then(|gain| gain.warning(epsilon)),
            traced,
        }
    }
}

/// Prints and writes what came of it.
fn finish(
    file: &Path,
    sweep: &Sweep,
    outcomes: &[(Job<'_>, Outcome)],
    common: &Common,
) -> Result<(), Failure> {
    let runs = outcomes.iter().map(|run| Made::read(run, common));
    let runs: Vec<Made<'_>> = runs.collect();
    let summaries: Vec<Summary> = (0..)
        .zip(&sweep.configurations)
        .map(|(k, configuration)| {
            let own: Vec<&Made<'_>> = runs.iter().filter(|r| r.job.configuration == k).collect();
            let seeds = |of: fn(&Made<'_>) -> bool| {
                let of = own.iter().filter(|run| of(run));
                of.map(|run| run.job.seed).collect()
            };
            let done = own.iter().filter(|run| *run.outcome == Outcome::Done);
            let done: Vec<&Traced> = done.map(|run| &run.traced).collect();
            Summary {
                failed: seeds(|run| {
                    matches!(run.outcome, Outcome::Failed(_) | Outcome::Refused(_))
                }),
                missing: seeds(|run| matches!(run.outcome, Outcome::Missing(_))),
                lost: seeds(|run| run.risen.is_some()),
                ..summarise(&configuration.name, &done)
            }
        })
        .collect();
    let percent = runs.iter().flat_map(|run| run.traced.percent.clone());
    let percent: BTreeSet<String> = percent.collect();
    if common.json {
        summaries.iter().for_each(|s| say(&line(s)));
    } else {
        say(&terminal(&summaries, &percent));
    }
    let risen = runs.iter().filter_map(|run| {
        let risen = run.risen.as_ref()?;
        Some(said(run.job, &format!("warning: {risen}")))
    });
    let failures: Vec<String> = complaints(outcomes).into_iter().chain(risen).collect();
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
            Some(said(job, reason))
        }
    };
    outcomes.iter().filter_map(complaint).collect()
}

/// Words on a run.
fn said(job: &Job<'_>, words: &str) -> String {
    format!("{}, seed {}: {words}", job.of.name, job.seed)
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
