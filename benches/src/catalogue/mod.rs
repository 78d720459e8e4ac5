//! Methods by name, and the settings of runs.

pub mod methods;
pub mod reading;
pub mod settings;
pub(crate) mod settings_text;
mod subject;

pub use solvers::catalogue::Row as Entry;
pub(crate) use solvers::catalogue::nearest;
pub use subject::subject;
