//! The exceptions of `bilevel.errors`, and which of the engine's errors is which.

use std::fmt::Display;

use models::catalogue::TaskError;
use pyo3::PyErr;
use pyo3::import_exception;
use solvers::{ConfigError as Config, ProblemError as Ill};
use study::Refused;

import_exception!(bilevel.errors, ConfigError);
import_exception!(bilevel.errors, DataError);
import_exception!(bilevel.errors, InternalError);
import_exception!(bilevel.errors, ProblemError);
import_exception!(bilevel.errors, RestoreError);
import_exception!(bilevel.errors, TraceError);

/// A setting, or a problem that a strategy cannot be run on.
pub(crate) fn config(error: impl Display) -> PyErr {
    ConfigError::new_err(error.to_string())
}

/// An error of the engine as an exception.
pub(crate) trait Raised {
    /// The exception.
    fn raised(self) -> PyErr;
}

impl Raised for Config {
    fn raised(self) -> PyErr {
        config(self)
    }
}

impl Raised for Refused {
    fn raised(self) -> PyErr {
        config(self)
    }
}

impl Raised for Ill {
    fn raised(self) -> PyErr {
        ProblemError::new_err(self.to_string())
    }
}

impl Raised for TaskError {
    fn raised(self) -> PyErr {
        match self {
            TaskError::Data(error) => DataError::new_err(error.to_string()),
            other => ProblemError::new_err(other.to_string()),
        }
    }
}
