//! The page: one HTML file that carries its own styles, script and plots.
//!
//! [`Page`] says what it holds, [`render`] lays it out, [`svg`] draws one plot. The caller words and
//! formats the numbers; nothing here computes a result.

mod axis;
mod contents;
mod figure;
mod layout;
mod lines;
mod made;
mod marks;
mod model;
mod plot;
mod table;
mod text;
mod ticks;

use std::io::{self, Write as _};
use std::path::Path;

pub use contents::ReadError;
pub use layout::render;
pub use made::Made;
pub use model::{Across, Cell, Claim, Page, Plot, Section, Series, Style, Table, Unit};
pub use plot::svg;

impl Page {
    /// Writes the page as one HTML file that needs no other and no network.
    ///
    /// Its folder is made if it is missing. The page is written beside its final name and renamed
    /// there, so that a reader sees the former page or the new one, never half of either.
    ///
    /// # Errors
    /// Whatever the file system refuses: the folder, the temporary file or the rename.
    pub fn write(&self, file: impl AsRef<Path>) -> io::Result<()> {
        let file = file.as_ref();
        let dir = match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(dir)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".report-").suffix(".html");
        // Temporary files are private by default; a page is meant to be read by others.
        #[cfg(unix)]
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        #[cfg(unix)]
        builder.permissions(readable);
        let mut part = builder.tempfile_in(dir)?;
        part.write_all(render(self).as_bytes())?;
        part.as_file().sync_all()?;
        part.persist(file).map_err(|refused| refused.error)?;
        Ok(())
    }
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

    #[test]
    fn writing_replaces_the_page_and_leaves_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("not/yet/there/own.html");
        Page::new("former title").write(&file).unwrap();
        Page::new("newer title").write(&file).unwrap();
        let html = std::fs::read_to_string(&file).unwrap();
        assert!(html.contains("newer title") && !html.contains("former title"));
        assert_eq!(file.parent().unwrap().read_dir().unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_has_the_permissions_of_an_ordinary_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (plain, page) = (dir.path().join("plain"), dir.path().join("page"));
        std::fs::write(&plain, "").unwrap();
        Page::new("t").write(&page).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&page), mode(&plain) & 0o644);
    }

    #[test]
    fn a_failed_write_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Page::new("t").write(file.join("page.html")).is_err());
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
