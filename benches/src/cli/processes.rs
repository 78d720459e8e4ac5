//! Runs as processes: what they hold, how they stop, how they ended.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus};

/// A process whose messages go to a file.
pub(super) struct Child {
    process: Process,
    messages: PathBuf,
    stopping: bool,
    ended: Option<ExitStatus>,
    peak: Option<usize>,
}

/// How a process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// As it was asked to.
    Stopped,
    /// By a signal from elsewhere.
    Killed,
}

impl Child {
    /// Starts it in a group of its own: a signal from the keyboard reaches the sweep alone, which
    /// then asks each run to stop.
    pub(super) fn spawn(mut command: Command, messages: PathBuf) -> io::Result<Self> {
        command.stderr(File::create(&messages)?);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(Child {
            process: command.spawn()?,
            messages,
            stopping: false,
            ended: None,
            peak: None,
        })
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            self.ended = self.process.try_wait().ok().flatten();
        }
        let status = self.ended?;
        Some(match status.code() {
            // A run that was over before the signal came has its own code.
            Some(code) if self.stopping && code >= 128 => Ended::Stopped,
            Some(code) => Ended::Code(code),
            None if self.stopping => Ended::Stopped,
            None => Ended::Killed,
        })
    }

    /// Asks it to stop after the iteration under way.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
        let id = self.process.id().to_string();
        // One that has ended needs no signal.
        let _ = Command::new("kill").args(["-TERM", &id]).status();
    }

    /// Whether it was asked to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self) {
        self.ended = self.process.wait().ok();
    }

    /// The bytes that it holds now; 0 where that cannot be told.
    pub(super) fn held(&self) -> usize {
        self.status("VmRSS:").unwrap_or(0)
    }

    /// The most bytes that it was seen to hold.
    pub(super) fn peak(&mut self) -> Option<usize> {
        self.peak = self.status("VmHWM:").max(self.peak);
        self.peak
    }

    /// The last line it wrote to standard error, without the program's name.
    pub(super) fn last_words(&self) -> String {
        last_words(&self.messages).unwrap_or_else(|| "no message".into())
    }

    fn status(&self, key: &str) -> Option<usize> {
        let file = format!("/proc/{}/status", self.process.id());
        let text = std::fs::read_to_string(file).ok()?;
        let value = text.lines().find_map(|l| l.strip_prefix(key))?;
        let kib: usize = value.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }
}

/// The last line of a file of messages, without the program's name; `None` if there is none.
pub(super) fn last_words(messages: &Path) -> Option<String> {
    let text = std::fs::read_to_string(messages).ok()?;
    let last = text.lines().rfind(|l| !l.trim().is_empty())?.trim();
    Some(last.strip_prefix("bilevel: ").unwrap_or(last).to_owned())
}

impl Drop for Child {
    fn drop(&mut self) {
        // A sweep that fails leaves no run behind.
        if self.ended().is_none() {
            self.stop();
            self.wait();
        }
    }
}
