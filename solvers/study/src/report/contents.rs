//! What a page says, as data inside the page: for who wants the numbers, and to lay it out again.

use std::path::Path;

use super::model::Page;

const OPEN: &str = "<script type=\"application/json\" id=\"contents\">";
const CLOSE: &str = "</script>";

/// Why a file is not read as a page.
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

/// The element that holds the page's contents. Nothing in it ends the element or starts another.
pub(super) fn element(page: &Page) -> String {
    let json = serde_json::to_string(page).expect("pages are plain data");
    let json = json
        .replace('<', "\\u003c")
        .replace('&', "\\u0026")
        .replace('\'', "\\u0027");
    format!("{OPEN}{json}{CLOSE}\n")
}

impl Page {
    /// The page that [`write`](Page::write) left in a file.
    ///
    /// # Errors
    /// If there is none, or it was written by another program.
    pub fn read(file: impl AsRef<Path>) -> Result<Self, ReadError> {
        let file = file.as_ref();
        let name = file.display().to_string();
        let page = std::fs::read_to_string(file).map_err(|e| ReadError::File(name.clone(), e))?;
        let json = page
            .split_once(OPEN)
            .and_then(|(_, rest)| rest.split_once(CLOSE));
        let (json, _) = json.ok_or_else(|| ReadError::Foreign(name.clone()))?;
        serde_json::from_str(json).map_err(|e| ReadError::Broken(name, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Plot, Section, Series, Table};

    #[test]
    fn a_page_is_laid_out_again_to_the_byte() {
        let text = "</script><script>alert('x') & more".to_owned();
        let page = Page {
            title: text.clone(),
            sections: vec![Section {
                tables: vec![Table {
                    caption: text.clone(),
                    columns: vec![text.clone()],
                    rows: vec![vec![text.as_str().into()]],
                    ..Table::default()
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
            ..Page::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("page.html");
        page.write(&file).unwrap();
        let again = Page::read(&file).unwrap();
        assert_eq!(
            super::super::render(&again),
            std::fs::read_to_string(&file).unwrap()
        );
    }

    #[test]
    fn a_page_without_what_pages_have_now_is_read() {
        let json = r#"{"title":"t","subtitle":"s","claims":[],"notices":[],"sections":[{"title":"",
            "text":"","tables":[{"caption":"c","columns":["a"],"rows":[[{"text":"1"}]]}],
            "plots":[{"title":"","x_label":"","y_label":"","x_log":false,"y_log":false,"note":"",
            "series":[{"name":"n","points":[[1,2]],"style":"Line"}]}]}]}"#;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("page.html");
        std::fs::write(&file, format!("{OPEN}{json}{CLOSE}")).unwrap();
        let page = Page::read(&file).unwrap();
        assert_eq!(page.sections[0].plots[0].series[0].points, [(1.0, 2.0)]);
        assert!(page.made.is_none() && page.facts.is_empty());
    }

    #[test]
    fn other_files_are_refused_in_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("page.html");
        let complaint = || Page::read(&file).unwrap_err().to_string();
        assert!(complaint().contains("cannot be read"));
        std::fs::write(&file, "<html>").unwrap();
        assert!(complaint().contains("no report of this program"));
        std::fs::write(&file, format!("{OPEN}{{\"title\": 3}}{CLOSE}")).unwrap();
        assert!(complaint().contains("contents are broken"));
        assert_eq!(complaint().lines().count(), 1);
    }
}
