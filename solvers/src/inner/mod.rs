//! Recorded steps of the lower level and their lengths.

mod adam;
mod after;
mod constraint;
mod direction;
mod fista;
mod momentum;
mod names;
mod nesterov;
mod proximal;
mod rms_prop;
mod rule;
mod simplex;
mod step;
mod step_length;
mod stop;
mod weak;

pub(crate) use after::After;
pub use constraint::Constraint;
pub(crate) use direction::Direction;
pub use names::{ParseInnerStepError, StepEntry};
pub use proximal::Proximal;
pub use rms_prop::RmsProp;
pub use rule::{Numbers, OwnStep, Recorded, StepAt, StepRule};
pub(crate) use simplex::SimplexProjection;
pub use step::InnerStep;
pub use step_length::StepLength;
pub(crate) use stop::Stop;
pub(crate) use weak::Weak;

impl InnerStep {
    /// The kinds of step that have names.
    pub const ALL: &'static [StepEntry] = &[
        proximal::PLAIN,
        momentum::ENTRY,
        nesterov::ENTRY,
        adam::ENTRY,
        rms_prop::ENTRY,
        proximal::BOX,
        proximal::SIMPLEX,
        proximal::BALL,
        proximal::SOFT_THRESHOLD,
        fista::ENTRY,
        fista::SOFT_THRESHOLD,
    ];
}
