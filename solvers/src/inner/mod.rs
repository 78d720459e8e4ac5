//! Recorded steps of the lower level and their lengths.

mod adam;
mod descent;
mod direction;
mod fista;
mod momentum;
mod names;
mod nesterov;
mod rms_prop;
mod rule;
mod step;
mod step_length;
mod stop;

use crate::catalogue::Numbered;

pub(crate) use direction::Direction;
pub use rms_prop::RmsProp;
pub use rule::{Numbers, OwnStep, Recorded, StepAt, StepRule};
pub use step::InnerStep;
pub use step_length::StepLength;
pub(crate) use stop::Stop;

impl InnerStep {
    /// The kinds of step that have names.
    pub const ALL: &'static [Numbered<InnerStep>] = &[
        descent::ENTRY,
        momentum::ENTRY,
        nesterov::ENTRY,
        adam::ENTRY,
        rms_prop::ENTRY,
        fista::ENTRY,
    ];
}
