//! Why a study is not begun.

use solvers::ConfigError;

/// Why a study is not begun: one line that says what is wrong and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A name that the catalogue does not have, with the nearest one; or a setting that none of the
    /// names takes.
    #[error("{0}")]
    Name(String),
    /// A setting that no problem could be solved with, or a problem that does not suit.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A dense Hessian of too many entries.
    #[error("{0}")]
    Room(String),
}
