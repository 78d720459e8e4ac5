//! Denoising by a Field of Experts, its filters learned.

use autodiff::{Padding, Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Images, task, zero_mean};
use crate::catalogue::{Data, Defaults, Entry, Size, make};
use crate::gaussian::Gaussian;
use crate::task::Task;

/// The filters of `foe-denoising`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters {
    /// How many.
    pub count: usize,
    /// Rows and columns of each.
    pub width: usize,
    /// Seed of the filters to start from.
    pub seed: u64,
}

impl Filters {
    /// Three filters of 5 × 5.
    pub fn small(seed: u64) -> Self {
        Filters {
            count: 3,
            width: 5,
            seed,
        }
    }

    /// The published size: ten filters of 7 × 7.
    pub fn published(seed: u64) -> Self {
        Filters {
            count: 10,
            width: 7,
            seed,
        }
    }
}

/// Problem `foe-denoising`: for each image b with noise, of a clean c, lower = ½‖y − b‖² +
/// e^{x₀} Σ_i Σ [√((w_i (c̃_i ∗ y))² + e^{x₁}) − e^{x₁/2}] over its pixels, upper = ½‖y − c‖²; both
/// levels are means over images, and each image has a lower level of its own.
///
/// c̃_i = c_i less its mean, so that a constant image costs nothing; images are mirrored at their
/// edges. x = (x₀, x₁, w_1, …, w_n, c_1, …, c_n), each filter column by column. The metrics are
/// the mean PSNR in decibels on the training images, and on those kept apart.
///
/// g is strongly convex in y with μ = 1. No constants are stated: ∇²_xy g has terms
/// φ‴(w c̃∗y)·(c̃∗h)(d∗y) for a change d of a filter, which no bound holds for all y.
///
/// # Panics
/// If there are no such images, or no filter, or one does not fit the images.
///
/// Reference: S. Roth and M. Black, Fields of Experts, IJCV 82, 2009; the energy is that of
/// M. S. Salehi, S. Mukherjee, L. Roberts and M. J. Ehrhardt, An adaptively inexact first-order
/// method for bilevel optimization with application to hyperparameter learning, 2023.
#[track_caller]
pub fn foe_denoising<T: Real>(images: impl Into<Images>, filters: Filters) -> Task<T> {
    let images = images.into();
    let Filters { count, width, seed } = filters;
    assert!(
        count > 0 && width > 1 && width <= images.size(),
        "{count} filters of {width} × {width}: expected at least 1, of 2 × 2 up to the size of the \
         images, {}",
        images.size()
    );
    let area = width * width;
    let mut x = DVector::from_element(2 + count + count * area, T::one());
    (x[0], x[1]) = (T::of(-3.0), T::of(-6.0));
    let start = Gaussian::new(seed, 0).vector(count * area, 1.0 / area as f64);
    for (entry, value) in x.iter_mut().skip(2 + count).zip(start.iter()) {
        *entry = T::of(*value);
    }
    task(
        "foe-denoising",
        images.split(&Clone::clone),
        x,
        move |x: Var<'_, T>, y: Var<'_, T>, b: &DMatrix<T>| {
            let half = T::of(0.5);
            let weights = x.slice(2, count).reshape(1, count);
            let filters =
                zero_mean(x.slice(2 + count, count * area).reshape(area, count)) * weights;
            let responses = y.conv2d_filters(filters, (width, width), Padding::Reflect);
            let smoothing = x.at(1).exp();
            let least = (x.at(1) * half).exp() * T::of(responses.len() as f64);
            let experts = (responses.square() + smoothing).sqrt().sum() - least;
            (y - b).norm_squared() * half + x.at(0).exp() * experts
        },
    )
}

/// The entry of [`foe_denoising`].
pub static FOE_DENOISING: Entry = Entry::new(
    "foe-denoising",
    "a Field of Experts: 3 filters of 5 x 5, --large 10 of 7 x 7; four images and two",
    [
        "ln of the weight, ln of the smoothing, weights of the filters, filters column by column",
        "pixels of the images, each column by column",
    ],
    make!(|given| {
        let seed = given.seed;
        let filters = match given.size {
            Size::Small => Filters {
                count: 1,
                width: 3,
                seed,
            },
            Size::Usual => Filters::small(seed),
            Size::Large => Filters::published(seed),
        };
        let images = Images::given(given, filters.width, true)?;
        Ok(foe_denoising(images, filters))
    }),
)
.takes(Data::Images)
.with_large()
.defaults(Defaults::adam(0.05, 0.002).depth(50));
