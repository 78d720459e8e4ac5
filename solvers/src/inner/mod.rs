//! The lower level: recorded steps, their lengths, and a solver to a tolerance.

mod accelerated;
mod newton;
mod step;
mod step_length;

pub(crate) use accelerated::{AcceleratedVectors, accelerated};
pub(crate) use newton::newton;
pub use step::InnerStep;
pub use step_length::StepLength;
