//! What a page says, as data inside the page: for who wants the numbers, and to lay it out again.

use std::path::Path;

use super::FILE_NAME;
use super::model::Report;

const OPEN: &str = "<script type=\"application/json\" id=\"contents\">";
const CLOSE: &str = "</script>";

/// Why a page gives no report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("{0}: cannot be read: {1}")]
    File(String, std::io::Error),
    /// It is no page of this program.
    #[error("{0}: no report of this program: the element `contents` is missing")]
    Foreign(String),
    /// The data in it are broken.
    #[error("{0}: its contents are broken: {1}")]
    Broken(String, serde_json::Error),
}

/// The element that holds the report's contents. Nothing in it ends the element or starts another.
pub(super) fn element(report: &Report) -> String {
    let json = serde_json::to_string(report).expect("reports are plain data");
    let json = json
        .replace('<', "\\u003c")
        .replace('&', "\\u0026")
        .replace('\'', "\\u0027");
    format!("{OPEN}{json}{CLOSE}\n")
}

/// The report that [`write`](super::write()) left in a directory.
///
/// # Errors
/// If there is none, or the page is not one of this program.
pub fn read(dir: &Path) -> Result<Report, ReadError> {
    let file = dir.join(FILE_NAME);
    let name = file.display().to_string();
    let page = std::fs::read_to_string(&file).map_err(|e| ReadError::File(name.clone(), e))?;
    let json = page
        .split_once(OPEN)
        .and_then(|(_, rest)| rest.split_once(CLOSE));
    let (json, _) = json.ok_or_else(|| ReadError::Foreign(name.clone()))?;
    serde_json::from_str(json).map_err(|e| ReadError::Broken(name, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Plot, Section, Series, Table, write};

    #[test]
    fn a_page_is_laid_out_again_to_the_byte() {
        let text = "</script><script>alert('x') & more".to_owned();
        let report = Report {
            title: text.clone(),
            sections: vec![Section {
                tables: vec![Table {
                    caption: text.clone(),
                    columns: vec![text.clone()],
                    rows: vec![vec![text.as_str().into()]],
                }],
                plots: vec![Plot {
                    series: vec![Series {
                        name: text,
                        points: vec![(0.1, 1.0 / 3.0), (f64::NAN, 2e300)],
                        ..Series::default()
                    }],
                    ..Plot::default()
                }],
                ..Section::default()
            }],
            ..Report::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let file = write(&report, dir.path()).unwrap();
        let page = std::fs::read_to_string(&file).unwrap();
        let again = read(dir.path()).unwrap();
        assert_eq!(super::super::render(&again), page);
    }

    #[test]
    fn other_files_are_refused_in_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let complaint = || read(dir.path()).unwrap_err().to_string();
        assert!(complaint().contains("cannot be read"));
        let file = dir.path().join(FILE_NAME);
        std::fs::write(&file, "<html>").unwrap();
        assert!(complaint().contains("no report of this program"));
        std::fs::write(&file, format!("{OPEN}{{\"title\": 3}}{CLOSE}")).unwrap();
        assert!(complaint().contains("contents are broken"));
        assert_eq!(complaint().lines().count(), 1);
    }
}
