//! The report: one HTML file that carries its own styles, script and plots.
//!
//! [`model`] says what a report holds, [`page`] lays it out, [`plot`] draws one plot as SVG.
//! The caller words and formats the numbers; nothing here computes a result.

mod axis;
mod contents;
mod figure;
mod lines;
mod marks;
pub mod model;
pub mod page;
pub mod plot;
mod table;
mod ticks;

use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use contents::{ReadError, read};
pub use model::{Across, Cell, Claim, Plot, Report, Section, Series, Style, Table, Unit};
pub use page::render;
pub use plot::svg;

/// The name of the file that [`write()`] leaves in the directory.
pub const FILE_NAME: &str = "report.html";

/// Renders `report` into `dir/report.html` and returns that path.
///
/// The directory is created if missing. The page is written beside its final name and renamed
/// there, so that a reader sees the former report or the new one, never half of either.
///
/// # Errors
///
/// Whatever the file system refuses: the directory, the temporary file or the rename.
pub fn write(report: &Report, dir: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".report-").suffix(".html");
    // Temporary files are private by default; a report is meant to be read by others.
    #[cfg(unix)]
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    #[cfg(unix)]
    builder.permissions(readable);
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(render(report).as_bytes())?;
    file.as_file().sync_all()?;
    let path = dir.join(FILE_NAME);
    file.persist(&path).map_err(|refused| refused.error)?;
    Ok(path)
}

/// Escapes text for element content and for quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// Escapes running text, in which a number such as 1e-10 must not break at its hyphen.
fn prose(text: &str) -> String {
    let exponent = |word: &str| {
        let mut windows = word.as_bytes().windows(3);
        windows.any(|w| w[0].is_ascii_digit() && w[1..] == *b"e-")
    };
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        if exponent(word) {
            let space = word.trim_end().len();
            let (word, space) = (escape(&word[..space]), &word[space..]);
            format!("<span class=\"number\">{word}</span>{space}")
        } else {
            escape(word)
        }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titled(title: &str) -> Report {
        Report {
            title: title.into(),
            ..Report::default()
        }
    }

    #[test]
    fn writing_replaces_the_report_and_leaves_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("not/yet/there");
        write(&titled("former title"), &dir).unwrap();
        let path = write(&titled("newer title"), &dir).unwrap();
        let html = std::fs::read_to_string(&path).unwrap();
        assert!(html.contains("newer title") && !html.contains("former title"));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_has_the_permissions_of_an_ordinary_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = write(&titled("t"), dir.path()).unwrap();
        assert_eq!(mode(&path), mode(&plain) & 0o644);
    }

    #[test]
    fn a_failed_write_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(write(&titled("t"), &file).is_err());
    }

    #[test]
    fn escaping_covers_text_and_attributes() {
        assert_eq!(
            escape("<a b=\"c\" d='e'>&"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;"
        );
    }

    #[test]
    fn exponents_stay_whole_in_running_text() {
        assert_eq!(
            prose("error ≤ 1e-10 & non-zero\n"),
            "error ≤ <span class=\"number\">1e-10</span> &amp; non-zero\n"
        );
    }
}
