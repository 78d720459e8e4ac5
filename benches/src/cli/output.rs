//! Where results go: standard output, and a folder.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use autodiff::Real;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use models::Task;
use serde::Serialize;
use serde_json::Value;
use study::Page;
use study::format::short;

use super::args::Common;
use super::failure::Failure;
use crate::catalogue::reading;
use crate::runs::spread::Spread;

/// Checks that files can be written into a folder, which is made if it is missing.
pub(super) fn prepare(dir: &Path) -> Result<(), Failure> {
    let refused = |reason: std::io::Error| {
        let dir = dir.display();
        Failure::Input(format!(
            "--out {dir}: cannot be written: {reason}: expected a writable folder"
        ))
    };
    let missing: Vec<&Path> = dir.ancestors().take_while(|d| !d.exists()).collect();
    // A folder's permission bits do not tell root, or a full disk: a file does.
    std::fs::create_dir_all(dir)
        .and_then(|()| tempfile::tempfile_in(dir))
        .map_err(|reason| {
            for made in missing {
                let _ = std::fs::remove_dir(made);
            }
            refused(reason)
        })?;
    Ok(())
}

/// Leaves the records of a command in the folder that was asked for, with a page, and says so.
pub(super) fn leave<R: Serialize>(
    common: &Common,
    name: &str,
    records: &[R],
    page: Option<&dyn Fn() -> Page>,
) -> Result<(), Failure> {
    let Some(dir) = &common.out else {
        return Ok(());
    };
    let file = write_lines(dir, name, records)?;
    match page {
        None => eprintln!("wrote {}", file.display()),
        Some(page) => {
            let page = write_page(&page(), dir)?;
            eprintln!("wrote {} and {}", file.display(), page.display());
        }
    }
    Ok(())
}

/// The page in a folder.
pub(super) const PAGE: &str = "report.html";

/// Writes a page into a folder.
pub(super) fn write_page(page: &Page, dir: &Path) -> Result<PathBuf, Failure> {
    let file = dir.join(PAGE);
    let written = page.write(&file);
    written.map_err(|e| Failure::Input(format!("--out {}: {e}", dir.display())))?;
    Ok(file)
}

/// The end of a command of several estimates: which of them failed.
pub(super) fn trusted(failed: impl Iterator<Item = String>) -> Result<(), Failure> {
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Numerical(format!(
        "no trustworthy hypergradient from {}: see the status",
        failed.join(", ")
    )))
}

/// Writes records as JSON Lines, whole or not at all.
pub(super) fn write_lines<R: Serialize>(
    dir: &Path,
    name: &str,
    records: &[R],
) -> Result<PathBuf, Failure> {
    let path = dir.join(name);
    let text: String = records.iter().map(|r| line(r) + "\n").collect();
    write_whole(&path, text.as_bytes())
        .map_err(|e| Failure::Input(format!("{}: cannot be written: {e}", path.display())))?;
    Ok(path)
}

/// Writes a file whole or not at all: beside the one that is there, whose place it takes.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().expect("a file in a folder");
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let readable = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable)?;
    }
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// What of a problem the user gave: how data was read, and the part.
#[derive(Serialize)]
pub(super) struct About {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
}

impl About {
    pub(super) fn of<T: Real>(task: &Task<T>) -> Self {
        About {
            read: task.read.as_ref().map(reading::record),
            part: task.part.map(|part| part.to_string()),
        }
    }
}

/// A record with what the user gave of its problem.
#[derive(Serialize)]
pub(super) struct OfProblem<'a, R> {
    #[serde(flatten)]
    record: &'a R,
    #[serde(flatten)]
    about: &'a About,
}

impl<'a, R> OfProblem<'a, R> {
    pub(super) fn new(record: &'a R, about: &'a About) -> Self {
        OfProblem { record, about }
    }

    pub(super) fn all(records: &'a [R], about: &'a About) -> Vec<Self> {
        records.iter().map(|r| OfProblem::new(r, about)).collect()
    }
}

/// A record as one line of JSON; numbers that are not finite become null.
pub(super) fn line(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("records are plain data")
}

/// Prints to standard output; a reader that has gone away is no error. Where it cannot be written
/// otherwise, results would be lost unseen: the program ends.
pub(super) fn say(text: &(impl Display + ?Sized)) {
    if autodiff::ranks::rank() > 0 {
        return;
    }
    let written = writeln!(std::io::stdout().lock(), "{text}");
    if let Err(reason) = written
        && reason.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("bilevel: standard output: cannot be written: {reason}");
        std::process::exit(2);
    }
}

/// A progress bar on standard error; it is hidden where that is no terminal.
pub(super) fn bar(steps: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{msg:24!} {bar:30} {pos}/{len}  {elapsed} (left {eta})")
            .expect("a constant template");
    bar.with_style(style)
}

/// A mean with the deviation of one value, if there is more than one.
pub(super) fn plus_minus(spread: Spread) -> String {
    if spread.deviation.is_nan() {
        return short(spread.mean);
    }
    format!("{} ± {}", short(spread.mean), short(spread.deviation))
}
