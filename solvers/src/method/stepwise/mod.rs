//! Methods made of small steps, on whole objectives or on mini-batches.

mod aid;
mod amigo;
mod bome;
mod bsa;
mod f2sa;
mod fsla;
mod pbgd;
mod penalty;
mod saba;
mod soba;
mod stocbio;

pub use aid::StochasticAid;
pub use amigo::Amigo;
pub use bome::Bome;
pub use bsa::Bsa;
pub use f2sa::F2sa;
pub use fsla::Fsla;
pub use pbgd::Pbgd;
pub(super) use penalty::Penalised;
pub use saba::Saba;
pub use soba::Soba;
pub use stocbio::StocBio;

use std::sync::Arc;

use autodiff::Real;

use crate::catalogue::{Family, Place, Settings};
use crate::expect;

use super::{MethodEntry, Outer, Rule};

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
pub(super) fn entries<T: Real>() -> [MethodEntry<T>; 11] {
    [
        pbgd::entry(),
        f2sa::entry(),
        bome::entry(),
        aid::entry(),
        soba::entry(),
        saba::entry(),
        fsla::entry(),
        amigo::entry(),
        stocbio::entry(),
        bsa::entry(),
        bsa::of_one_step(),
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
    settings.step.unwrap_or(0.3)
}

/// The name of a rule, which takes `own` settings beside those of every method of small steps, and
/// batches of this size unless they are given.
fn entry<T: Real, R: Rule<T> + Clone + 'static>(
    [name, about]: [&'static str; 2],
    own: &[&'static str],
    batch: fn(&Place) -> Option<usize>,
    rule: fn(&Settings) -> R,
) -> MethodEntry<T> {
    let accepts = [&["iterations", "report_every", "step", "batch"], own].concat();
    MethodEntry::new(name, about, &accepts, move |call| {
        let (settings, place) = (call.settings, call.place);
        let method = Outer::new(rule(settings), settings.iterations())
            .sampling(place.sampling(settings, batch(place)))
            .report_every(settings.report_every())
            .constraint(place.constraint);
        Ok(Arc::new(method))
    })
    .of(Family::SmallSteps)
}
