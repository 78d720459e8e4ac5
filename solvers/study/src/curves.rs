//! Families of estimates: error against effort, memory against depth.

use autodiff::Real;
use solvers::catalogue::{Settings, strategy};

use crate::compare::{Record, Reference, estimate, record};
use crate::timing::Timing;
use crate::{Refused, Subject};

/// A strategy at several settings.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The strategy's name.
    pub name: String,
    /// Depth of each record.
    pub depths: Vec<usize>,
    /// The records; a time is the median of up to five runs.
    pub records: Vec<Record>,
    /// The least and the largest of these times.
    pub seconds: Vec<(f64, f64)>,
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
        let first = estimate(subject, &strategy)?;
        let again = || estimate(subject, &strategy).map_or(f64::NAN, |again| again.seconds);
        let timing = Timing::of(first.seconds, again);
        let record = Record {
            seconds: timing.seconds,
            ..record(subject, name, &first, reference, false)
        };
        Ok((record, timing.range))
    };
    let each: Result<Vec<_>, Refused> = depths.iter().map(|d| at(*d)).collect();
    let (records, seconds) = each?.into_iter().unzip();
    Ok(Curve {
        name: name.to_owned(),
        depths: depths.to_vec(),
        records,
        seconds,
    })
}
