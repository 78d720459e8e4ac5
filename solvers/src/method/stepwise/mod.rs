//! Methods made of small steps, on whole objectives or on mini-batches.

mod accelerated;
mod aid;
mod amigo;
mod bome;
mod bsa;
mod choices;
mod differences;
mod directions;
mod estimator;
mod f2sa;
mod pbgd;
mod pbgd_free;
mod penalty;
mod pzobo;
mod recursive;
mod saga;
mod series;
mod sl_bamm;
mod soba;
mod stocbio;
mod sustain;
mod tfbo;
mod vrbo;

pub use accelerated::Acceleration;
pub use aid::StochasticAid;
pub use amigo::Amigo;
pub use bome::Bome;
pub use bsa::Bsa;
pub use estimator::Estimator;
pub use f2sa::F2sa;
pub use pbgd::Pbgd;
pub use pbgd_free::PbgdFree;
pub(super) use penalty::Penalised;
pub use pzobo::Pzobo;
pub use series::Series;
pub use sl_bamm::SlBamm;
pub use soba::Soba;
pub use stocbio::StocBio;
pub use sustain::Sustain;
pub use tfbo::{InnerLoops, Tfbo};
pub use vrbo::Vrbo;

use std::sync::Arc;

use autodiff::Real;

use crate::catalogue::{Call, Family, Place, SMALL_STEP, Settings};
use crate::expect;

use super::{MethodEntry, Motion, Outer, Rule};

/// A weight of a running mean.
fn averaging(weight: f64) -> Result<(), String> {
    let fits = weight > 0.0 && weight <= 1.0;
    expect::number("averaging", weight, fits, "a number in (0, 1]")
}

/// `mean ← (1 − weight) mean + weight · new`.
fn average<T: Real>(mean: &mut [T], weight: f64, new: &[T]) {
    let (keep, weight) = (T::of(1.0 - weight), T::of(weight));
    for (m, d) in mean.iter_mut().zip(new) {
        *m = keep * *m + weight * *d;
    }
}

/// Every method of small steps by name.
pub(super) fn entries<T: Real>() -> Vec<MethodEntry<T>> {
    vec![
        pbgd::entry(),
        pbgd_free::entry(),
        f2sa::entry(),
        f2sa::fixed(),
        f2sa::accelerated(),
        bome::entry(),
        sl_bamm::entry(),
        aid::entry(),
        soba::plain(),
        soba::averaged(),
        soba::saga(),
        soba::averaged_saga(),
        soba::momentum(),
        soba::storm(),
        soba::sarah(),
        soba::page(),
        amigo::entry(),
        stocbio::entry(),
        bsa::entry(),
        bsa::of_one_step(),
        sustain::entry(),
        sustain::of_whole_series(),
        vrbo::entry(),
        tfbo::entry(),
        tfbo::of_loops(),
        pzobo::entry(),
    ]
}

/// Samples in a mini-batch unless given otherwise, or all if there are fewer.
const BATCH: usize = 16;

/// Whole objectives, unless batches are given.
fn whole(_: &Place) -> Option<usize> {
    None
}

/// Mini-batches, where there are samples.
fn drawn(place: &Place) -> Option<usize> {
    place
        .samples
        .map(|(upper, lower)| BATCH.min(upper).min(lower))
}

/// The length of steps on y and on the linear system.
fn length(settings: &Settings) -> f64 {
    settings.step.unwrap_or(SMALL_STEP)
}

/// Plain steps of that length.
fn plain(settings: &Settings) -> Motion {
    length(settings).into()
}

/// A penalty that stays has to be large from the first step on: twenty times what others begin with.
fn lasting_penalty(settings: &Settings) -> f64 {
    20.0 * settings.penalty()
}

/// How x moves.
fn outward(settings: &Settings) -> Motion {
    settings.mover().into()
}

/// The whole number in the place of a name's capitals, or what it is unless given.
fn count_of(call: &Call<'_>, otherwise: usize) -> Result<usize, String> {
    match (call.rest, call.rest.parse()) {
        ("", _) => Ok(otherwise),
        (_, Ok(count)) if count > 0 => Ok(count),
        _ => Err(format!(
            "method `{}`: expected a whole number from 1 on after the colon",
            call.name
        )),
    }
}

/// The name of a rule on its way to an entry.
struct Named {
    pattern: &'static str,
    about: &'static str,
    accepts: Vec<&'static str>,
    batch: fn(&Place) -> Option<usize>,
}

impl Named {
    /// The name of a rule that draws mini-batches where there are samples, whose x moves by any
    /// optimiser and whose inner steps have one length.
    fn new(pattern: &'static str, about: &'static str) -> Self {
        let lengths = ["step", "optimiser", "rate", "adam_eps", "adam_eps_root"];
        Named::bare(pattern, about).taking(&lengths)
    }

    /// The name of one that takes no lengths of steps.
    fn bare(pattern: &'static str, about: &'static str) -> Self {
        Named {
            pattern,
            about,
            accepts: vec!["iterations", "report_every", "batch", "blocks"],
            batch: drawn,
        }
    }

    /// Takes these settings too.
    fn taking(mut self, own: &[&'static str]) -> Self {
        self.accepts.extend(own);
        self
    }

    /// Draws batches of this size unless they are given.
    fn drawing(self, batch: fn(&Place) -> Option<usize>) -> Self {
        Named { batch, ..self }
    }

    /// The entry of what makes the rule.
    fn entry<T: Real, R: Rule<T> + Clone + 'static>(
        self,
        rule: fn(&Call<'_>) -> Result<R, String>,
    ) -> MethodEntry<T> {
        let batch = self.batch;
        MethodEntry::new(self.pattern, self.about, &self.accepts, move |call| {
            let (settings, place) = (call.settings, call.place);
            let method = Outer::new(rule(call)?, settings.iterations())
                .sampling(place.sampling(settings, batch(place)))
                .report_every(settings.report_every())
                .constraint(place.constraint);
            Ok(Arc::new(method))
        })
        .of(Family::SmallSteps)
    }
}
