//! A run of `solve` as it is written down.

use std::time::Instant;

use autodiff::Real;
use models::catalogue::find;
use models::data::write_point;
use serde_json::json;
use study::Page;
use study::solve::{Outcome, Session};

use super::checkpoint_every::CheckpointEvery;
use super::failure::Failure;
use super::output::{PAGE, line};
use crate::runs::checkpoint::{Checkpoint, Origin};
use crate::runs::run_folder::{RunFolder, SOLUTION, Trace};

/// Writes a run down as it goes.
pub(super) struct Keeper {
    folder: RunFolder,
    trace: Trace,
    origin: Origin,
    every: CheckpointEvery,
    /// When, and after which iteration, the last checkpoint was made.
    last: (Instant, usize),
    /// Whether that is the one before the last record, which stays.
    holds: bool,
}

impl Keeper {
    pub(super) fn new<T: Real>(
        folder: RunFolder,
        trace: Trace,
        origin: Origin,
        every: Option<CheckpointEvery>,
        session: &Session<'_, T>,
    ) -> Self {
        Keeper {
            folder,
            trace,
            origin,
            every: every.unwrap_or(CheckpointEvery::Seconds(1.0)),
            last: (Instant::now(), session.so_far().iteration),
            holds: false,
        }
    }

    /// Saves the run before its last record.
    pub(super) fn hold<T: Real>(&mut self, session: &mut Session<'_, T>) -> Result<(), Failure> {
        self.save(session)?;
        self.holds = true;
        Ok(())
    }

    /// Adds a record to the trace, and saves the run if it is time to.
    pub(super) fn keep<T: Real>(
        &mut self,
        session: &mut Session<'_, T>,
        text: &str,
    ) -> Result<(), Failure> {
        self.trace.append(text).map_err(|e| self.stuck(e))?;
        let (at, iteration) = self.last;
        let due = match self.every {
            CheckpointEvery::Iterations(n) => session.so_far().iteration >= iteration + n,
            CheckpointEvery::Seconds(s) => at.elapsed().as_secs_f64() >= s,
        };
        match due && !self.holds {
            true => self.save(session),
            false => Ok(()),
        }
    }

    pub(super) fn save<T: Real>(&mut self, session: &mut Session<'_, T>) -> Result<(), Failure> {
        let mark = self.trace.mark().map_err(|e| self.stuck(e))?;
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            so_far: session.so_far().clone(),
            finished: None,
            trace: mark,
            state: session.save(),
        };
        let written = self.folder.write_checkpoint(&checkpoint);
        written.map_err(|e| self.stuck(e))?;
        self.last = (Instant::now(), checkpoint.so_far.iteration);
        Ok(())
    }

    /// Writes the solution and the page, and says in the checkpoint that all is done.
    pub(super) fn complete<T: Real>(
        &mut self,
        session: &mut Session<'_, T>,
        outcome: &Outcome,
        page: impl FnOnce() -> Page,
    ) -> Result<(), Failure> {
        if !self.holds {
            self.save(session)?;
        }
        // After the checkpoint: where the run is made longer, it is cut off.
        if let Some(text) = gain_line(outcome) {
            self.trace.append(&text).map_err(|e| self.stuck(e))?;
        }
        self.trace.mark().map_err(|e| self.stuck(e))?;
        let dir = self.folder.dir();
        let solution = dir.join(SOLUTION);
        let [x, y] = [&outcome.x, &outcome.y].map(|v| Vec::from_iter(v.iter().map(|v| T::of(*v))));
        let variables = find(&self.origin.problem).map_or([""; 2], |entry| entry.variables);
        write_point(&solution, &x, &y, variables)
            .map_err(|e| self.stuck(format!("{}: cannot be written: {e}", solution.display())))?;
        let file = dir.join(PAGE);
        let written = page().write(&file);
        written.map_err(|e| self.stuck(format!("{}: cannot be written: {e}", dir.display())))?;
        let last = self.folder.checkpoint().map_err(|e| self.stuck(e))?;
        if let Some(last) = last {
            let finished = Some(session.so_far().clone());
            let written = self
                .folder
                .write_checkpoint(&Checkpoint { finished, ..last });
            written.map_err(|e| self.stuck(e))?;
        }
        eprintln!(
            "wrote {}, {} and {}",
            self.trace.path().display(),
            solution.display(),
            file.display()
        );
        Ok(())
    }

    /// A file that could not be written, with what is left of the run.
    fn stuck(&self, reason: impl std::fmt::Display) -> Failure {
        let dir = self.folder.dir().display();
        Failure::Input(match self.folder.checkpoint() {
            Ok(Some(checkpoint)) => format!(
                "{reason}; the run is saved up to iteration {}: go on with \
                 `bilevel solve --resume {dir}`",
                checkpoint.so_far.iteration
            ),
            _ => format!("{reason}; nothing of the run is saved"),
        })
    }
}

/// The line of what x was worth, where that was measured: the last of a trace.
pub(super) fn gain_line(outcome: &Outcome) -> Option<String> {
    let gain = outcome.gain.as_ref()?;
    Some(line(&json!({ "gain": gain })))
}
