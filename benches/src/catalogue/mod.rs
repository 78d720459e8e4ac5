//! Problems and methods by name, and the settings of runs.

mod defaults;
mod learned;
pub mod methods;
mod problem_names;
pub mod problems;
pub mod reading;
pub mod settings;
pub(crate) mod settings_text;

pub use solvers::catalogue::Row as Entry;
pub(crate) use solvers::catalogue::{nearest, unknown};
