//! Recorded steps of the lower level and their lengths.

mod adam;
mod constraint;
mod direction;
mod fista;
mod momentum;
mod names;
mod nesterov;
mod proximal;
mod rule;
mod simplex;
mod step;
mod step_length;
mod stop;
mod weak;

pub use constraint::Constraint;
pub(crate) use direction::Direction;
pub use names::{ParseInnerStepError, StepEntry};
pub use proximal::Proximal;
pub use rule::{Numbers, OwnStep, Recorded, StepAt, StepRule};
pub use step::InnerStep;
pub use step_length::StepLength;
pub(crate) use stop::Stop;
pub(crate) use weak::Weak;
