//! What ends the program early.

/// Why the program stops.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Bad usage or bad input: one line, exit code 2.
    #[error("{0}")]
    Input(String),
    /// A numerical failure that was reported in the records: exit code 1.
    #[error("{0}")]
    Numerical(String),
    /// A signal, after which the run can be continued: exit code 128 and its number.
    #[error("{text}")]
    Stopped {
        /// The signal's number.
        signal: u8,
        /// What was kept, and how to go on.
        text: String,
    },
}

impl Failure {
    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Failure::Numerical(_) => 1,
            Failure::Input(_) => 2,
            Failure::Stopped { signal, .. } => 128 + signal,
        }
    }
}

/// Makes bad input of any error.
pub(super) fn input(error: impl std::fmt::Display) -> Failure {
    Failure::Input(error.to_string())
}
