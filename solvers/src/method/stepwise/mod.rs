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

use autodiff::Real;

use crate::expect;

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
