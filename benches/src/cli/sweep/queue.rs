//! The runs of a sweep as processes: as many at a time as there are cores, within a budget of memory.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use autodiff::bytes::human_bytes;

use super::CONFIG;
use super::jobs::{Job, Outcome};
use crate::cli::args::Common;
use crate::cli::escaped;
use crate::cli::failure::{Failure, input};
use crate::cli::output::bar;
use crate::cli::processes::{Child, Ended};
use crate::cli::signals::Signals;
use crate::runs::run_folder::{CHECKPOINT, FolderError, RunFolder};

/// How often processes are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The exit codes of a run that was stopped by a signal and can go on.
const SIGINT: i32 = 128 + signal_hook::consts::SIGINT;
const SIGTERM: i32 = 128 + signal_hook::consts::SIGTERM;

/// What a run says whose folder is another process's.
fn busy(dir: &Path) -> String {
    FolderError::Busy(dir.to_owned()).to_string()
}

/// The runs, those that wait and those under way.
pub(super) struct Queue<'s> {
    all: Vec<Job<'s>>,
    outcomes: Vec<Option<Outcome>>,
    waiting: Vec<usize>,
    running: Vec<(usize, Child)>,
    /// The most bytes that a run of each configuration was seen to hold.
    seen: Vec<Option<usize>>,
    common: &'s Common,
    jobs: usize,
    budget: Option<usize>,
    /// Whether it was said that the file system has no locks.
    warned: bool,
}

impl<'s> Queue<'s> {
    /// A queue of these runs of a sweep of `configurations`.
    pub(super) fn new(
        all: Vec<Job<'s>>,
        configurations: usize,
        common: &'s Common,
        jobs: usize,
        budget: Option<usize>,
    ) -> Self {
        Queue {
            outcomes: vec![None; all.len()],
            waiting: (0..all.len()).rev().collect(),
            running: Vec::new(),
            seen: vec![None; configurations],
            all,
            common,
            jobs,
            budget,
            warned: false,
        }
    }

    /// Forgets the runs that were made before.
    pub(super) fn begin_anew(&self) -> Result<(), Failure> {
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
    pub(super) fn run(&mut self) -> Result<(), Failure> {
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

    /// How each run came out.
    pub(super) fn outcomes(self) -> Vec<(Job<'s>, Outcome)> {
        let ended = |outcome: Option<Outcome>| outcome.expect("every run has come to an end");
        let outcomes = self.outcomes.into_iter().map(ended);
        self.all.into_iter().zip(outcomes).collect()
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
                // A batch system signals all processes of a task, so a run may have stopped before
                // the signal is noted here. Where none was meant for the sweep, it goes on.
                Some(Ended::Code(SIGINT | SIGTERM)) => self.waiting.insert(0, job),
                // Another process took the folder since it was looked at.
                Some(Ended::Code(2)) if child.last_words() == busy(&self.all[job].dir) => {
                    self.waiting.insert(0, job);
                }
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
    fn spawn(&mut self, job: usize) -> Result<Option<Child>, Failure> {
        let run = &self.all[job];
        let Job { of, seed, dir, .. } = run;
        std::fs::create_dir_all(dir)
            .map_err(|e| Failure::Input(format!("{}: cannot be written: {e}", dir.display())))?;
        match RunFolder::take(dir) {
            Ok(folder) => {
                let unlocked = folder.unlocked().filter(|_| !self.warned);
                self.warned |= unlocked.is_some();
                unlocked
                    .into_iter()
                    .for_each(|u| eprintln!("warning: {}", escaped(&u)));
            }
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
        let config = run.of_configuration().join(CONFIG);
        command.arg("--config").arg(config);
        let begun = dir.join(CHECKPOINT).exists();
        match begun {
            true => command.arg("--resume"),
            // Without a checkpoint, what is there is of a run that was killed before its first.
            false => command.args(["--force", "--out"]),
        };
        command.arg(dir);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Child::spawn(command, run.messages())
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
