//! Denoising by an input-convex network, learned.

use autodiff::{Padding, Real, Var};
use nalgebra::{DMatrix, DVector};

use super::{Images, task, zero_mean};
use crate::catalogue::{Data, Defaults, Entry, Size, make};
use crate::gaussian::Gaussian;
use crate::task::Task;

/// The network of `icnn-denoising`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convex {
    /// Filters of the first layer; even.
    pub filters: usize,
    /// Rows and columns of each.
    pub width: usize,
    /// Units of the second layer at each pixel.
    pub units: usize,
    /// Seed of the filters to start from.
    pub seed: u64,
}

impl Convex {
    /// Four filters of 5 × 5 and two units.
    pub fn small(seed: u64) -> Self {
        Convex {
            filters: 4,
            width: 5,
            units: 2,
            seed,
        }
    }

    /// Thirty-two filters of 7 × 7 and sixteen units.
    pub fn large(seed: u64) -> Self {
        Convex {
            filters: 32,
            width: 7,
            units: 16,
            seed,
        }
    }
}

/// Norm of the filters to start from: with it the responses to the noise are about 1, where the
/// activation is curved.
const NORM: f64 = 10.0;

/// Problem `icnn-denoising`: for each image b with noise, of a clean c, lower = ½‖y − b‖² +
/// e^{x₀} Σ σ(e^P σ(K̃ ∗ y + a) + d) over its pixels and units, upper = ½‖y − c‖²; both levels are
/// means over images, and each image has a lower level of its own.
///
/// σ(t) = ln(1 + eᵗ) is convex, grows, and is smooth; the entries of e^P are positive, so R is convex
/// in y and g strongly convex with μ = 1. K̃ are filters less their means, mirrored at the edges.
/// x = (x₀, K, a, P, d), matrices column by column: `width² × filters` and `filters × units`. The
/// filters start in pairs of opposite sign, so that R is even. The metrics are those of
/// [`foe_denoising`](crate::foe_denoising).
///
/// # Panics
/// If there are no such images, or the number of filters is odd, or a layer is empty, or a
/// filter does not fit the images.
///
/// Reference: B. Amos, L. Xu and J. Z. Kolter, Input convex neural networks, ICML 2017;
/// S. Mukherjee et al., Learned convex regularizers for inverse problems, 2020.
#[track_caller]
pub fn icnn_denoising<T: Real>(images: impl Into<Images>, network: Convex) -> Task<T> {
    let images = images.into();
    let Convex {
        filters,
        width,
        units,
        seed,
    } = network;
    assert!(
        filters > 0 && filters % 2 == 0 && units > 0 && width > 1 && width <= images.size(),
        "{filters} filters of {width} × {width} and {units} units: expected an even number, of \
         2 × 2 up to the size of the images, {}, and at least 1 unit",
        images.size()
    );
    let area = width * width;
    let (kernels, mixing) = (filters * area, filters * units);
    let mut x = DVector::zeros(1 + kernels + filters + mixing + units);
    x[0] = T::of(-5.0);
    let start = Gaussian::new(seed, 0).vector(kernels / 2, NORM * NORM / area as f64);
    for (i, value) in start.iter().enumerate() {
        let (pair, entry) = (i / area, i % area);
        let first = 1 + 2 * pair * area + entry;
        (x[first], x[first + area]) = (T::of(*value), T::of(-*value));
    }
    x.rows_mut(1 + kernels + filters, mixing)
        .fill(T::of(-(filters as f64).ln()));
    task(
        "icnn-denoising",
        images.split(&Clone::clone),
        x,
        move |x: Var<'_, T>, y: Var<'_, T>, b: &DMatrix<T>| {
            let kernel = zero_mean(x.slice(1, kernels).reshape(area, filters));
            let bias = x.slice(1 + kernels, filters).reshape(1, filters);
            let mix = x
                .slice(1 + kernels + filters, mixing)
                .reshape(filters, units);
            let last = x
                .slice(1 + kernels + filters + mixing, units)
                .reshape(1, units);
            let responses = y.conv2d_filters(kernel, (width, width), Padding::Reflect);
            let first = (responses + bias).softplus();
            let second = (first.matmul(mix.exp()) + last).softplus();
            (y - b).norm_squared() * T::of(0.5) + x.at(0).exp() * second.sum()
        },
    )
}

/// The entry of [`icnn_denoising`].
pub static ICNN_DENOISING: Entry = Entry::new(
    "icnn-denoising",
    "an input-convex network: 4 filters and 2 units, --large 32 and 16; the same images",
    [
        "ln of the weight, filters, biases, ln of the mixing, biases of the second layer",
        "pixels of the images, each column by column",
    ],
    make!(|given| {
        let seed = given.seed;
        let network = match given.size {
            Size::Small => Convex {
                filters: 2,
                width: 2,
                units: 1,
                seed,
            },
            Size::Usual => Convex::small(seed),
            Size::Large => Convex::large(seed),
        };
        let images = Images::given(given, network.width, true)?;
        Ok(icnn_denoising(images, network))
    }),
)
.takes(Data::Images)
.with_large()
.defaults(Defaults::adam(0.05, 0.002).depth(50));
