//! The lower level: recorded steps, their lengths, and a solver to a tolerance.

mod newton;
mod step;
mod step_length;

pub(crate) use newton::newton;
pub use step::InnerStep;
pub use step_length::StepLength;
