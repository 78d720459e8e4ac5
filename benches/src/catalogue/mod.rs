//! Methods by name, and the settings of runs.

mod inexact;
pub mod methods;
pub mod reading;
pub mod settings;
pub(crate) mod settings_text;
mod stepwise;

pub use solvers::catalogue::Row as Entry;
pub(crate) use solvers::catalogue::{nearest, unknown};
