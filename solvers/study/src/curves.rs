//! Families of estimates: error against effort, memory against depth.

use autodiff::Real;
use solvers::catalogue::{Settings, strategy};

use crate::compare::{Record, Reference, estimate, record};
use crate::{Refused, Subject};

/// A strategy at several settings.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The strategy's name.
    pub name: String,
    /// Depth of each record.
    pub depths: Vec<usize>,
    /// The records.
    pub records: Vec<Record>,
}

/// Runs a strategy at each depth; implicit ones take the same steps on the lower level, so that
/// all are compared at the same iterates.
///
/// # Errors
/// If the name is none of the catalogue, or the strategy does not suit the problem.
pub fn against_depth<T: Real>(
    subject: &Subject<'_, T>,
    name: &str,
    depths: &[usize],
    step: f64,
    reference: Option<&Reference<T>>,
) -> Result<Curve, Refused> {
    let at = |depth: usize| {
        let settings = Settings {
            depth: Some(depth),
            step: Some(step),
            same_iterate: Some(true),
            ..Settings::NONE
        };
        let strategy = strategy(name, &settings).map_err(Refused::Name)?;
        Ok(record(
            subject,
            name,
            &estimate(subject, &strategy)?,
            reference,
            false,
        ))
    };
    Ok(Curve {
        name: name.to_owned(),
        depths: depths.to_vec(),
        records: depths
            .iter()
            .map(|d| at(*d))
            .collect::<Result<_, Refused>>()?,
    })
}
