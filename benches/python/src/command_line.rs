//! The whole command line, in this process.

use std::ffi::OsString;

use bilevel_benches::cli::called;
use pyo3::prelude::*;

use crate::guard::guarded;

/// Runs the program on arguments; its exit code. A sweep starts `itself` for each run.
#[pyfunction]
pub(crate) fn command_line(
    py: Python<'_>,
    arguments: Vec<OsString>,
    itself: Vec<OsString>,
) -> PyResult<u8> {
    guarded(|| Ok(py.detach(|| called(arguments, itself))))
}
