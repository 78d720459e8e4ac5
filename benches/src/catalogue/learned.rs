//! Problems that learn networks, representations and regularisers, by name.

use autodiff::Real;
use models::data::{self, Splits};
use models::{
    Convex, FewShot, Filters, Photographs, Stages, Task, few_shot, foe_denoising, icnn_denoising,
    learning_rates, mlp, mlp_cleaning, tv_deblurring,
};

use super::problems::{ProblemFailure, Source, cleaning_splits};

/// Problems with a larger setting.
pub(super) const LARGER: [&str; 3] = ["few-shot", "foe-denoising", "icnn-denoising"];

/// Units of the hidden layer: 64-32-10 for the digits, 784-300-10 for MNIST.
fn hidden(splits: &Splits) -> [usize; 1] {
    [if splits.train.dim() <= 256 { 32 } else { 300 }]
}

/// The task of this name, if it is one of those, on the user's data if `given`.
pub(super) fn task<T: Real>(
    name: &str,
    given: Option<Splits>,
    source: &Source,
) -> Result<Option<Task<T>>, ProblemFailure> {
    let (seed, large) = (source.seed, source.large);
    let photographs = Photographs::whole(seed);
    Ok(Some(match name {
        "mlp" => {
            let splits = given.unwrap_or_else(|| data::digits_classes(seed));
            mlp(&splits, &hidden(&splits), seed)?
        }
        "mlp-cleaning" => {
            let (splits, corrupted) = cleaning_splits(given, seed);
            mlp_cleaning(&splits, corrupted, &hidden(&splits), seed)?
        }
        "learning-rates" => {
            let splits = given.unwrap_or_else(|| data::digits_classes(seed));
            learning_rates(&splits, &hidden(&splits), Stages::default(), seed)?
        }
        "few-shot" if large => few_shot(FewShot::large(seed)),
        "few-shot" => few_shot(FewShot::new(seed)),
        "tv-deblurring" => tv_deblurring(&photographs),
        "foe-denoising" if large => foe_denoising(&photographs, Filters::published(seed)),
        "foe-denoising" => foe_denoising(&photographs, Filters::small(seed)),
        "icnn-denoising" if large => icnn_denoising(&photographs, Convex::large(seed)),
        "icnn-denoising" => icnn_denoising(&photographs, Convex::small(seed)),
        _ => return Ok(None),
    }))
}
