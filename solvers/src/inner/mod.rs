//! The lower level: recorded steps, their lengths, and a solver to a tolerance.

mod accelerated;
mod adam;
mod constraint;
mod direction;
mod fista;
mod momentum;
mod names;
mod nesterov;
mod newton;
mod proximal;
mod simplex;
mod step;
mod step_length;
mod stop;
mod weak;

pub(crate) use accelerated::{AcceleratedVectors, accelerated};
pub use constraint::Constraint;
pub(crate) use direction::Direction;
pub use names::{ParseInnerStepError, STEPS};
pub(crate) use newton::{NEWTON_LIMIT, Trend, newton};
pub use proximal::Proximal;
pub use step::InnerStep;
pub use step_length::StepLength;
pub(crate) use stop::Stop;
pub(crate) use weak::Weak;
