//! Records of a study as they stand in the program: as rows, as lines of JSON, as a table and as a
//! page.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pythonize::pythonize;
use serde::Serialize;
use study::{Page, check, compare, memory, plan, solve};

use crate::errors::{InternalError, config};
use crate::guard::guarded;

/// Records of one study.
pub(crate) enum Kind {
    /// Strategies at a point.
    Compare(Vec<compare::Record>),
    /// Policies against depth.
    Memory(Vec<memory::Record>),
    /// Schedules for a budget.
    Plan(Vec<plan::Record>),
    /// Derivatives against other ways to them.
    Check(Vec<check::Record>),
    /// A run.
    Solve(Box<solve::Outcome>),
}

/// One expression for the records of any study.
macro_rules! all {
    ($kind:expr, $records:ident => $body:expr) => {
        match $kind {
            Kind::Compare($records) => $body,
            Kind::Memory($records) => $body,
            Kind::Plan($records) => $body,
            Kind::Check($records) => $body,
            Kind::Solve(outcome) => {
                let $records = &outcome.records;
                $body
            }
        }
    };
}

/// Records of a study.
#[pyclass(frozen)]
pub(crate) struct Records {
    pub(crate) kind: Kind,
}

impl From<Kind> for Records {
    fn from(kind: Kind) -> Self {
        Records { kind }
    }
}

#[pymethods]
impl Records {
    /// A dictionary for each record, with whether it is what was asked for.
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        guarded(|| {
            let rows: Vec<_> = all!(&self.kind, records => {
                records.iter().map(|r| plain(py, r)).collect::<PyResult<_>>()?
            });
            for (k, row) in rows.iter().enumerate() {
                match &self.kind {
                    Kind::Compare(records) => row.set_item("success", records[k].success)?,
                    Kind::Memory(records) => {
                        row.set_item("success", records[k].success)?;
                        row.set_item("family", &records[k].family)?;
                    }
                    _ => {}
                }
            }
            PyList::new(py, rows)
        })
    }

    /// A line of JSON for each, as the program writes it.
    fn lines(&self) -> PyResult<Vec<String>> {
        guarded(|| {
            let lines = all!(&self.kind, records => {
                records.iter().map(serde_json::to_string).collect::<Result<_, _>>()
            });
            lines.map_err(|e| InternalError::new_err(e.to_string()))
        })
    }

    /// The table, as the program prints it.
    fn table(&self) -> PyResult<String> {
        guarded(|| {
            Ok(match &self.kind {
                Kind::Compare(records) => compare::table(records).to_string(),
                Kind::Memory(records) => memory::table(records).to_string(),
                Kind::Plan(records) => plan::table(records).to_string(),
                Kind::Check(records) => check::table(records).to_string(),
                Kind::Solve(outcome) => outcome.to_string(),
            })
        })
    }

    /// Writes the page.
    fn write_page(&self, file: &str, title: &str, subtitle: &str) -> PyResult<()> {
        guarded(|| {
            let page = Page::new(title).subtitle(subtitle);
            let page = match &self.kind {
                Kind::Compare(records) => page.compare(records),
                Kind::Memory(records) => page.memory(records),
                Kind::Plan(records) => page.plan(records),
                Kind::Check(records) => page.check(records),
                Kind::Solve(outcome) => page.solve(std::slice::from_ref(&**outcome)),
            };
            page.write(file)?;
            Ok(())
        })
    }
}

/// Plain data as Python's.
pub(crate) fn plain<'py>(py: Python<'py>, record: &impl Serialize) -> PyResult<Bound<'py, PyDict>> {
    let plain = pythonize(py, record).map_err(|e| InternalError::new_err(e.to_string()))?;
    plain
        .cast_into::<PyDict>()
        .map_err(|_| config("a record is a dictionary"))
}
