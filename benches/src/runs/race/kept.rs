//! The runs of a race that are over, kept in its folder as they end, so that one that was killed goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use study::race::Run;

use crate::runs::run_folder::RunFolder;

/// The name of the file: a line that says which race it is, then one for each run.
pub const KEPT: &str = "runs.jsonl";

/// What the runs of a race follow from, each under a name, the most telling first.
pub type Origin = Vec<(String, String)>;

/// Why a race cannot go on in a folder.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file cannot be read or written.
    #[error("{path}: cannot be read and written: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// It is of a race with other settings.
    #[error(
        "{dir}: holds a race with {name} {there}, not {here}: expected another folder, or --force to \
         begin anew",
        dir = dir.display()
    )]
    Other {
        /// The folder.
        dir: PathBuf,
        /// What differs first.
        name: String,
        /// What it is in the folder.
        there: String,
        /// What was asked for.
        here: String,
    },
    /// A line is not what was written.
    #[error("{path}: line {line} is damaged: expected another folder, or --force to begin anew",
        path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// A line of the file. Its checksum is that of what it holds as text, so that what comes back is to the bit
/// what was written.
#[derive(Serialize, Deserialize)]
struct Line<C> {
    crc32: u32,
    of: C,
}

impl<C: Serialize + DeserializeOwned> Line<C> {
    fn checksum(of: &C) -> u32 {
        crc32fast::hash(&serde_json::to_vec(of).expect("plain data"))
    }

    fn text(of: C) -> String {
        let crc32 = Self::checksum(&of);
        serde_json::to_string(&Line { crc32, of }).expect("plain data") + "\n"
    }

    fn read(text: &str) -> Option<C> {
        let line: Line<C> = serde_json::from_str(text).ok()?;
        (Self::checksum(&line.of) == line.crc32).then_some(line.of)
    }
}

/// The folder of a race, which no other process writes into while this lives.
#[derive(Debug)]
pub struct Kept {
    folder: RunFolder,
    file: File,
    runs: Vec<Run>,
}

impl Kept {
    /// Goes on with the race in a folder, or begins it there: `anew`, whatever there is.
    ///
    /// # Errors
    /// If the folder holds a race that follows from something else, or its file is damaged or cannot be
    /// used.
    pub fn open(folder: RunFolder, origin: &Origin, anew: bool) -> Result<Self, KeptError> {
        let path = folder.dir().join(KEPT);
        let refused = |reason| KeptError::File {
            path: path.clone(),
            reason,
        };
        let bytes = match std::fs::read(&path) {
            _ if anew => Vec::new(),
            Ok(bytes) => bytes,
            Err(reason) if reason.kind() == ErrorKind::NotFound => Vec::new(),
            Err(reason) => return Err(refused(reason)),
        };
        // A kill may have torn the last line, within a letter too.
        let end = bytes
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |end| end + 1);
        let whole = &String::from_utf8_lossy(&bytes[..end]);
        let runs = read(&path, whole, origin)?;
        let open = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.set_len(end as u64)?;
            if whole.is_empty() {
                file.write_all(Line::text(origin.clone()).as_bytes())?;
            }
            file.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(refused)?;
        Ok(Kept { folder, file, runs })
    }

    /// The run of a method with a seed, if it is over.
    pub fn run(&self, method: &str, seed: u64) -> Option<&Run> {
        let mut runs = self.runs.iter();
        runs.find(|run| run.method == method && run.seed == seed)
    }

    /// How many runs are over.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Keeps a run that is over: when this returns, it outlives a kill and a loss of power.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&mut self, run: &Run) -> Result<(), KeptError> {
        let written = self.file.write_all(Line::text(run.clone()).as_bytes());
        let written = written.and_then(|()| self.file.sync_data());
        self.runs.push(run.clone());
        written.map_err(|reason| KeptError::File {
            path: self.folder.dir().join(KEPT),
            reason,
        })
    }
}

/// The runs that whole lines hold.
fn read(path: &Path, whole: &str, origin: &Origin) -> Result<Vec<Run>, KeptError> {
    let damaged = |line| KeptError::Damaged {
        path: path.to_owned(),
        line,
    };
    let mut lines = whole.lines();
    let Some(first) = lines.next() else {
        return Ok(Vec::new());
    };
    let there = Line::<Origin>::read(first).ok_or_else(|| damaged(1))?;
    let value = |origin: &Origin, name: &str| {
        let found = origin.iter().find(|(n, _)| n == name);
        found.map_or("none".to_owned(), |(_, value)| value.clone())
    };
    if let Some((name, _)) = origin
        .iter()
        .zip(&there)
        .find_map(|(a, b)| (a != b).then_some(a))
    {
        return Err(KeptError::Other {
            dir: path.parent().unwrap_or(path).to_owned(),
            name: name.clone(),
            there: value(&there, name),
            here: value(origin, name),
        });
    }
    let run = |(i, line)| Line::<Run>::read(line).ok_or_else(|| damaged(i + 2));
    lines.enumerate().map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(passes: &str) -> Origin {
        vec![("passes".into(), passes.into())]
    }

    fn a_run(seed: u64, seconds: f64) -> Run {
        let record = serde_json::json!({
            "problem": "p", "method": "m", "seed": seed, "iteration": 1, "samples": 2, "gradients": 3,
            "hvps": 4, "seconds": seconds, "peak_bytes": 5, "value": null, "gradient_squared": 0.1 + 0.2,
            "status": "converged", "accuracy": 97.3,
        });
        Run {
            method: "m".into(),
            seed,
            samples: (3, 4),
            records: vec![serde_json::from_value(record).expect("a record")],
            failure: Some("a \"word\"\n".into()),
            warnings: vec!["§".into()],
        }
    }

    fn open(dir: &Path, passes: &str, anew: bool) -> Result<Kept, KeptError> {
        Kept::open(
            RunFolder::take(dir).expect("a folder"),
            &origin(passes),
            anew,
        )
    }

    #[test]
    fn runs_come_back_to_the_bit_wherever_the_file_was_torn() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut kept = open(dir.path(), "3", false).expect("a new race");
        let runs = [a_run(0, 1.0 / 3.0), a_run(7, 5e-324)];
        runs.iter().for_each(|run| kept.keep(run).expect("kept"));
        drop(kept);
        let path = dir.path().join(KEPT);
        let bytes = std::fs::read(&path).expect("a file");
        let ends: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i] == b'\n').collect();
        assert_eq!(ends.len(), 3);
        for cut in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).expect("a writable folder");
            let mut kept = open(dir.path(), "3", false).expect("a race that goes on");
            let whole = ends.iter().filter(|end| **end < cut).count();
            assert_eq!(kept.len(), whole.saturating_sub(1), "{cut}");
            for run in &runs[kept.len()..] {
                assert!(kept.run("m", run.seed).is_none());
                kept.keep(run).expect("kept");
            }
            for run in &runs {
                let found = kept.run("m", run.seed).expect("it is over");
                assert_eq!(format!("{found:?}"), format!("{run:?}"));
            }
            drop(kept);
            assert!(std::fs::read(&path).expect("a file") == bytes, "{cut}");
        }
    }

    #[test]
    fn another_race_and_a_damaged_one_are_refused_unless_it_begins_anew() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut kept = open(dir.path(), "3", false).expect("a new race");
        kept.keep(&a_run(0, 1.0)).expect("kept");
        drop(kept);
        let says = |passes| open(dir.path(), passes, false).unwrap_err().to_string();
        assert!(
            says("4").contains("holds a race with passes 3, not 4"),
            "{}",
            says("4")
        );
        let path = dir.path().join(KEPT);
        let text = std::fs::read_to_string(&path).expect("a file");
        std::fs::write(&path, text.replace("\"hvps\":4", "\"hvps\":5")).expect("writable");
        assert!(says("3").contains("line 2 is damaged"), "{}", says("3"));
        assert!(open(dir.path(), "4", true).expect("anew").is_empty());
        assert!(
            open(dir.path(), "4", false)
                .expect("the new one")
                .is_empty()
        );
    }
}
