//! The folder of a run: its trace, written as the run goes, and its last checkpoint.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::checkpoint::{Checkpoint, CheckpointError, TraceMark};

/// The name of the trace.
pub const TRACE: &str = "trace.jsonl";
/// The solution of a run that is over.
pub const SOLUTION: &str = "solution.npz";
/// The name of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// The name of the checkpoint that is being written.
pub const TORN: &str = "checkpoint.tmp";
/// The name of the trace whose header is being replaced.
const TORN_TRACE: &str = "trace.jsonl.tmp";
/// The name of the file that is locked while a run writes.
const LOCK: &str = ".lock";

/// Why a run's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file could not be written.
    #[error("{path}: cannot be written: {reason}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A file could not be read.
    #[error("{path}: cannot be read: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Another process has it.
    #[error("{dir}: another run is writing here: expected a folder of its own", dir = .0.display())]
    Busy(PathBuf),
    /// There is no checkpoint.
    #[error("{dir}: no checkpoint: expected the folder of a run of `solve --out`", dir = .0.display())]
    Empty(PathBuf),
    /// The checkpoint is none.
    #[error("{path}: {reason}", path = path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: CheckpointError,
    },
    /// The trace is not the one that the checkpoint belongs to.
    #[error("{path}: {reason}", path = path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A run's folder, which no other process writes into while this lives.
#[derive(Debug)]
pub struct RunFolder {
    dir: PathBuf,
    /// Its lock ends with the process, however that ends; `None` where the file system has none.
    lock: Option<File>,
}

impl RunFolder {
    /// Takes a folder that is there. Where the file system has no locks, as Lustre and NFS may be
    /// mounted, it is taken all the same, and [`unlocked`](Self::unlocked) says so.
    ///
    /// # Errors
    /// If another process has it, or it cannot be written into.
    pub fn take(dir: &Path) -> Result<Self, FolderError> {
        let path = dir.join(LOCK);
        let refused = |reason| FolderError::Write {
            path: path.clone(),
            reason,
        };
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(refused)?;
        let lock = match lock.try_lock() {
            Ok(()) => Some(lock),
            Err(TryLockError::WouldBlock) => return Err(FolderError::Busy(dir.to_owned())),
            Err(TryLockError::Error(reason)) if has_no_locks(&reason) => None,
            Err(TryLockError::Error(reason)) => return Err(refused(reason)),
        };
        Ok(RunFolder {
            dir: dir.to_owned(),
            lock,
        })
    }

    /// What is to be said of a folder that no lock keeps others out of.
    pub fn unlocked(&self) -> Option<String> {
        self.lock.is_none().then(|| {
            format!(
                "{}: this file system has no locks, so nothing keeps a second run out: expected \
                 that none is started here",
                self.dir.display()
            )
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The last checkpoint that was completed; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged or foreign.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, FolderError> {
        Self::checkpoint_in(&self.dir)
    }

    /// The last checkpoint that was completed in a folder, without taking it.
    ///
    /// # Errors
    /// As for [`checkpoint`](Self::checkpoint).
    pub fn checkpoint_in(dir: &Path) -> Result<Option<Checkpoint>, FolderError> {
        let path = dir.join(CHECKPOINT);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(FolderError::Read { path, reason }),
        };
        match Checkpoint::from_bytes(&bytes) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(reason) => Err(FolderError::Checkpoint { path, reason }),
        }
    }

    /// Replaces the checkpoint. The one before is there until the new one is complete, and after a
    /// failure.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), FolderError> {
        let (torn, path) = (self.dir.join(TORN), self.dir.join(CHECKPOINT));
        let write = || {
            let mut file = File::create(&torn)?;
            file.write_all(&checkpoint.to_bytes())?;
            file.sync_all()?;
            drop(file);
            std::fs::rename(&torn, &path)?;
            // The new name too is to outlive a loss of power.
            #[cfg(unix)]
            File::open(&self.dir)?.sync_all()?;
            Ok(())
        };
        write().map_err(|reason| {
            // What it takes is of more use to others.
            let _ = std::fs::remove_file(&torn);
            FolderError::Write { path, reason }
        })
    }

    /// Begins a trace of this header; one that is there, with its checkpoint and solution, is lost.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new_trace(&self, header: &str) -> Result<Trace, FolderError> {
        // Else they would be taken for those of the new trace.
        self.remove(CHECKPOINT)?;
        self.remove(SOLUTION)?;
        let path = self.dir.join(TRACE);
        let created = File::create(&path).and_then(|mut file| {
            file.write_all(format!("{header}\n").as_bytes())?;
            Ok(file)
        });
        match created {
            Ok(file) => Ok(Trace {
                file,
                path,
                hasher: hasher_of(header),
                bytes: 0,
            }),
            Err(reason) => Err(FolderError::Write { path, reason }),
        }
    }

    /// Removes a file, if it is there.
    fn remove(&self, name: &str) -> Result<(), FolderError> {
        let path = self.dir.join(name);
        match std::fs::remove_file(&path) {
            Err(reason) if reason.kind() != ErrorKind::NotFound => {
                Err(FolderError::Write { path, reason })
            }
            _ => Ok(()),
        }
    }

    /// The trace up to where a checkpoint was made.
    ///
    /// # Errors
    /// If it is not the trace of that checkpoint, or cannot be read.
    pub fn trace_so_far(&self, mark: TraceMark) -> Result<TraceSoFar, FolderError> {
        let path = self.dir.join(TRACE);
        let mut bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(reason) => return Err(FolderError::Read { path, reason }),
        };
        let other = |reason: String| FolderError::Trace {
            path: path.clone(),
            reason,
        };
        let header = bytes.iter().position(|b| *b == b'\n');
        let header = header.unwrap_or(bytes.len());
        let (found, end) = (bytes.len(), header + 1 + mark.bytes as usize);
        if found < end {
            return Err(other(format!(
                "has {found} bytes: the checkpoint was made after {end}"
            )));
        }
        bytes.truncate(end);
        let text = String::from_utf8(bytes).map_err(|e| other(e.to_string()))?;
        let (header, records) = (text[..header].to_owned(), text[header + 1..].to_owned());
        let mut hasher = hasher_of(&header);
        hasher.update(records.as_bytes());
        if hasher.clone().finalize() != mark.crc32 {
            return Err(other(
                "is not the trace that the checkpoint belongs to".into(),
            ));
        }
        Ok(TraceSoFar {
            header,
            records,
            hasher,
        })
    }

    /// Cuts the trace back to what is kept of it, and goes on there; its header has so many
    /// iterations from then on.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn resume_trace(
        &self,
        so_far: &TraceSoFar,
        iterations: usize,
    ) -> Result<Trace, FolderError> {
        // That of a run which is made longer.
        self.remove(SOLUTION)?;
        let path = self.dir.join(TRACE);
        let (header, records) = (&so_far.header, &so_far.records);
        let mended = with_iterations(header, iterations.into());
        let cut = || {
            if let Some(mended) = mended.as_ref().filter(|mended| *mended != header) {
                let torn = self.dir.join(TORN_TRACE);
                let mut file = File::create(&torn)?;
                file.write_all(format!("{mended}\n{records}").as_bytes())?;
                file.sync_all()?;
                std::fs::rename(&torn, &path)?;
            }
            let mut file = OpenOptions::new().write(true).open(&path)?;
            let header = mended.as_ref().unwrap_or(header);
            file.set_len((header.len() + 1 + records.len()) as u64)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        match cut() {
            Ok(file) => Ok(Trace {
                file,
                path,
                hasher: so_far.hasher.clone(),
                bytes: records.len() as u64,
            }),
            Err(reason) => Err(FolderError::Write { path, reason }),
        }
    }
}

/// Whether a lock failed because the file system has none: ENOSYS or EOPNOTSUPP, as from Lustre
/// without `flock`, or ENOLCK, as from NFS without its lock service.
fn has_no_locks(reason: &io::Error) -> bool {
    const ENOLCK: i32 = if cfg!(target_os = "linux") { 37 } else { 77 };
    reason.kind() == ErrorKind::Unsupported || (cfg!(unix) && reason.raw_os_error() == Some(ENOLCK))
}

/// The part of a trace that belongs to a checkpoint.
#[derive(Clone, Debug)]
pub struct TraceSoFar {
    header: String,
    records: String,
    hasher: crc32fast::Hasher,
}

impl TraceSoFar {
    /// The lines of its records.
    pub fn records(&self) -> impl Iterator<Item = &str> {
        self.records.lines()
    }
}

/// A header with another number of iterations; `None` if it is no header.
fn with_iterations(header: &str, iterations: Value) -> Option<String> {
    let mut header: Value = serde_json::from_str(header).ok()?;
    *header.pointer_mut("/header/settings/iterations")? = iterations;
    Some(header.to_string())
}

/// The CRC-32 of a trace so far, of which there is the header: the number of iterations may change.
fn hasher_of(header: &str) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    let any = with_iterations(header, Value::Null);
    hasher.update(any.as_deref().unwrap_or(header).as_bytes());
    hasher
}

/// The trace of a run that goes on.
#[derive(Debug)]
pub struct Trace {
    file: File,
    path: PathBuf,
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl Trace {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line; readers see it when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn append(&mut self, line: &str) -> Result<(), FolderError> {
        let line = format!("{line}\n");
        self.hasher.update(line.as_bytes());
        self.bytes += line.len() as u64;
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|reason| self.unwritten(reason))
    }

    /// Where a checkpoint that is made now belongs to; what is before it outlives a loss of power.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn mark(&self) -> Result<TraceMark, FolderError> {
        self.file.sync_data().map_err(|e| self.unwritten(e))?;
        Ok(TraceMark {
            bytes: self.bytes,
            crc32: self.hasher.clone().finalize(),
        })
    }

    fn unwritten(&self, reason: io::Error) -> FolderError {
        let path = self.path.clone();
        FolderError::Write { path, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_trace_is_of_no_old_run() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let old = [CHECKPOINT, SOLUTION].map(|name| dir.path().join(name));
        for path in &old {
            std::fs::write(path, "of another run").expect("a writable folder");
        }
        let folder = RunFolder::take(dir.path()).expect("a folder of its own");
        folder.new_trace("{}").expect("a writable folder");
        assert!(old.iter().all(|path| !path.exists()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_lock_that_the_system_does_not_know_is_told_from_one_that_fails() {
        let known = |code| has_no_locks(&io::Error::from_raw_os_error(code));
        // ENOSYS, EOPNOTSUPP, ENOLCK; EIO, EACCES, ENOSPC.
        assert!([38, 95, 37].into_iter().all(known));
        assert!(![5, 13, 28].into_iter().any(known));
    }
}
