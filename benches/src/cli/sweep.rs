//! `bilevel sweep`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use autodiff::bytes::{human_bytes, parse_bytes};

use super::args::{Common, SweepArgs};
use super::failure::{Failure, input};
use super::out_folder::{self, SWEEP};
use super::output::{bar, leave, line, say};
use super::processes::{Child, Ended};
use super::signals::Signals;
use super::sweep_page::{Swept, page, terminal};
use crate::runs::run_folder::{CHECKPOINT, FolderError, RunFolder};
use crate::runs::sweep::{Configuration, Summary, Sweep, read_percent, read_trace, summarise};

/// How often processes are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A run of a configuration with a seed.
struct Job<'s> {
    configuration: usize,
    of: &'s Configuration,
    seed: u64,
    dir: PathBuf,
}

/// How a run came out.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Done,
    /// A numerical failure, which its records report.
    Failed(String),
    /// It could not be run to its end.
    Refused(String),
}

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
    if budget.is_some() && !Path::new("/proc/self/status").exists() {
        let reason = "--memory: this system does not tell what a process holds";
        return Err(Failure::Input(reason.into()));
    }
    let jobs = match args.jobs {
        None => std::thread::available_parallelism().map_or(1, usize::from),
        Some(jobs) => jobs,
    };
    // Its lock keeps a second sweep out.
    let _folder = out_folder::for_a_sweep(dir, common)?;
    std::fs::write(dir.join(SWEEP), &text)
        .map_err(|e| Failure::Input(format!("--out {}: cannot be written: {e}", dir.display())))?;
    write_configs(&sweep, dir)?;
    let mut queue = Queue::new(&sweep, dir, common, jobs, budget);
    if common.force {
        queue.begin_anew()?;
    }
    queue.run()?;
    finish(&args.file, &sweep, &queue.outcomes(), common)
}

/// The settings of every configuration as a file for its runs.
fn write_configs(sweep: &Sweep, dir: &Path) -> Result<(), Failure> {
    for configuration in &sweep.configurations {
        let own = dir.join(&configuration.name);
        let text = toml::to_string(&configuration.settings).expect("a table of settings");
        std::fs::create_dir_all(&own)
            .and_then(|()| std::fs::write(own.join("config.toml"), text))
            .map_err(|e| Failure::Input(format!("{}: cannot be written: {e}", own.display())))?;
    }
    Ok(())
}

/// The runs, those that wait and those under way.
struct Queue<'s> {
    all: Vec<Job<'s>>,
    outcomes: Vec<Option<Outcome>>,
    waiting: Vec<usize>,
    running: Vec<(usize, Child)>,
    /// The most bytes that a run of each configuration was seen to hold.
    seen: Vec<Option<usize>>,
    common: &'s Common,
    jobs: usize,
    budget: Option<usize>,
}

impl<'s> Queue<'s> {
    fn new(
        sweep: &'s Sweep,
        dir: &Path,
        common: &'s Common,
        jobs: usize,
        budget: Option<usize>,
    ) -> Self {
        let mut all = Vec::new();
        // Seed by seed, so that every configuration has something to show early.
        for seed in &sweep.seeds {
            for (configuration, of) in sweep.configurations.iter().enumerate() {
                all.push(Job {
                    configuration,
                    of,
                    seed: *seed,
                    dir: dir.join(&of.name).join(format!("seed-{seed}")),
                });
            }
        }
        Queue {
            outcomes: vec![None; all.len()],
            waiting: (0..all.len()).rev().collect(),
            running: Vec::new(),
            seen: vec![None; sweep.configurations.len()],
            all,
            common,
            jobs,
            budget,
        }
    }

    /// Forgets the runs that were made before.
    fn begin_anew(&self) -> Result<(), Failure> {
        for Job { dir, .. } in &self.all {
            let path = dir.join(CHECKPOINT);
            if path.exists() {
                std::fs::remove_file(&path).map_err(|reason| {
                    Failure::Input(format!("{}: cannot be written: {reason}", path.display()))
                })?;
            }
        }
        Ok(())
    }

    /// Runs everything, or stops all at a signal.
    fn run(&mut self) -> Result<(), Failure> {
        let signals = Signals::catch().map_err(input)?;
        let progress = bar(self.all.len());
        progress.set_message("sweep");
        while !(self.waiting.is_empty() && self.running.is_empty()) {
            if let Some((signal, name)) = signals.caught() {
                let stopped = self.stop_all();
                progress.finish_and_clear();
                let (made, all) = (self.done(), self.all.len());
                return Err(Failure::Stopped {
                    signal,
                    text: format!(
                        "stopped by {name} with {made} of {all} runs done and {stopped} under way: \
                         the same command goes on"
                    ),
                });
            }
            self.reap();
            self.keep_to_budget();
            self.start()?;
            progress.set_position(self.done() as u64);
            std::thread::sleep(LOOK);
        }
        progress.finish_and_clear();
        Ok(())
    }

    fn done(&self) -> usize {
        self.outcomes.iter().flatten().count()
    }

    fn outcomes(self) -> Vec<(usize, u64, PathBuf, Outcome)> {
        let all = self.all.into_iter().zip(self.outcomes);
        all.map(|(job, outcome)| {
            let outcome = outcome.expect("every run has come to an end");
            (job.configuration, job.seed, job.dir, outcome)
        })
        .collect()
    }

    /// Takes note of the processes that have ended.
    fn reap(&mut self) {
        let mut still = Vec::new();
        for (job, mut child) in std::mem::take(&mut self.running) {
            let configuration = self.all[job].configuration;
            self.seen[configuration] = self.seen[configuration].max(child.peak());
            match child.ended() {
                None => still.push((job, child)),
                // Stopped to make room: it goes on later.
                Some(Ended::Stopped) => self.waiting.push(job),
                Some(Ended::Code(0)) => self.outcomes[job] = Some(Outcome::Done),
                Some(Ended::Code(1)) => {
                    self.outcomes[job] = Some(Outcome::Failed(child.last_words()));
                }
                Some(Ended::Code(_)) => {
                    self.outcomes[job] = Some(Outcome::Refused(child.last_words()));
                }
                Some(Ended::Killed) => {
                    let reason = "killed, perhaps by the system for want of memory".to_owned();
                    self.outcomes[job] = Some(Outcome::Refused(reason));
                }
            }
        }
        self.running = still;
    }

    /// Where the runs together hold more than the budget, the youngest one makes room: it stops
    /// with a checkpoint and goes on later. One that is alone cannot.
    fn keep_to_budget(&mut self) {
        let Some(budget) = self.budget else { return };
        let held: usize = self.running.iter().map(|(_, c)| c.held()).sum();
        if held <= budget || self.running.iter().any(|(_, c)| c.is_stopping()) {
            return;
        }
        let alone = self.running.len() == 1;
        let (job, child) = self.running.last_mut().expect("something is held");
        child.stop();
        if alone {
            let (job, mut child) = (*job, self.running.pop().expect("one").1);
            child.wait();
            self.outcomes[job] = Some(Outcome::Refused(format!(
                "it holds {}, more than --memory {}",
                human_bytes(held),
                human_bytes(budget)
            )));
        }
    }

    /// Starts what there is room for.
    fn start(&mut self) -> Result<(), Failure> {
        // A folder that another process still writes into, such as a run that outlived a sweep
        // that was killed, comes later.
        let mut busy = Vec::new();
        while self.running.len() < self.jobs {
            let Some(job) = self.waiting.pop() else { break };
            if !self.fits(job) {
                self.waiting.push(job);
                break;
            }
            match self.spawn(job)? {
                Some(child) => self.running.push((job, child)),
                None => busy.push(job),
            }
        }
        self.waiting.splice(0..0, busy);
        Ok(())
    }

    /// Whether a run has room: it is taken to hold what others of its configuration did, or else
    /// the most that any did; the first of all runs alone.
    fn fits(&self, job: usize) -> bool {
        let Some(budget) = self.budget else {
            return true;
        };
        if self.running.is_empty() {
            return true;
        }
        let most = self.seen.iter().flatten().max().copied();
        let need = |job: usize| self.seen[self.all[job].configuration].or(most);
        let Some(own) = need(job) else { return false };
        let held = |(job, child): &(usize, Child)| need(*job).unwrap_or(budget).max(child.held());
        let others: usize = self.running.iter().map(held).sum();
        own.saturating_add(others) <= budget
    }

    /// Starts a run, or lets it go on; `None` if its folder is busy.
    fn spawn(&self, job: usize) -> Result<Option<Child>, Failure> {
        let Job { of, seed, dir, .. } = &self.all[job];
        std::fs::create_dir_all(dir)
            .map_err(|e| Failure::Input(format!("{}: cannot be written: {e}", dir.display())))?;
        match RunFolder::take(dir) {
            Ok(_) => {}
            Err(FolderError::Busy(_)) => return Ok(None),
            Err(e) => return Err(input(e)),
        }
        let Some((program, first)) = self.common.itself.split_first() else {
            let reason = "the program does not know where it is, and starts itself for each run";
            return Err(Failure::Input(reason.into()));
        };
        let mut command = Command::new(program);
        command.args(first).arg("solve");
        command.args(["--problem", &of.problem, "--method", &of.method]);
        command.args(["--seed", &seed.to_string()]);
        command.args(["--dtype", self.common.dtype.name()]);
        command.args(["--threads", &self.common.threads.unwrap_or(1).to_string()]);
        if let Some(data) = &of.data {
            command.arg("--data").arg(data);
        }
        for (flag, given) in [("--bias", of.bias), ("--large", of.large)] {
            command.args(given.then_some(flag));
        }
        let config = dir.parent().expect("of a configuration");
        command.arg("--config").arg(config.join("config.toml"));
        let begun = dir.join(CHECKPOINT).exists();
        match begun {
            true => command.arg("--resume"),
            // Without a checkpoint, what is there is of a run that was killed before its first.
            false => command.args(["--force", "--out"]),
        };
        command.arg(dir);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Child::spawn(command, dir.join("stderr.txt"))
            .map(Some)
            .map_err(input)
    }

    /// Asks every run to stop with a checkpoint, and waits for it; how many there were.
    fn stop_all(&mut self) -> usize {
        self.running.iter_mut().for_each(|(_, child)| child.stop());
        self.running.iter_mut().for_each(|(_, child)| child.wait());
        self.running.len()
    }
}

/// Prints and writes what came of it.
fn finish(
    file: &Path,
    sweep: &Sweep,
    outcomes: &[(usize, u64, PathBuf, Outcome)],
    common: &Common,
) -> Result<(), Failure> {
    let summaries: Vec<Summary> = (0..)
        .zip(&sweep.configurations)
        .map(|(k, configuration)| {
            let own = outcomes.iter().filter(|(of, ..)| *of == k);
            let (done, failed): (Vec<_>, Vec<_>) =
                own.partition(|(.., outcome)| *outcome == Outcome::Done);
            let traces: Vec<_> = done.iter().map(|(_, _, dir, _)| read_trace(dir)).collect();
            let failed = failed.iter().map(|(_, seed, ..)| *seed).collect();
            summarise(&configuration.name, &traces, failed)
        })
        .collect();
    let percent: BTreeSet<String> = outcomes
        .iter()
        .flat_map(|(_, _, dir, _)| read_percent(dir))
        .collect();
    if common.json {
        summaries.iter().for_each(|s| say(&line(s)));
    } else {
        say(&terminal(&summaries, &percent));
    }
    let mut failures = Vec::new();
    for (of, seed, _, outcome) in outcomes {
        if let Outcome::Failed(reason) | Outcome::Refused(reason) = outcome {
            let name = &sweep.configurations[*of].name;
            failures.push(format!("{name}, seed {seed}: {reason}"));
        }
    }
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
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|(.., o)| wanted(o)).count();
    let refused = count(|o| matches!(o, Outcome::Refused(_)));
    let failed = count(|o| matches!(o, Outcome::Failed(_)));
    let all = outcomes.len();
    match (refused, failed) {
        (0, 0) => Ok(()),
        (0, failed) => Err(Failure::Numerical(format!(
            "{failed} of {all} runs reported a failure"
        ))),
        (refused, _) => Err(Failure::Input(format!(
            "{refused} of {all} runs could not be run to their end"
        ))),
    }
}
