//! Learned regularisers of images: lower = mean ½‖Ay − b‖² + R_x(y), one y for each image.

mod blur;
mod foe;
mod icnn;
mod photographs;
mod tv;

pub use foe::{FOE_DENOISING, Filters, foe_denoising};
pub use icnn::{Convex, ICNN_DENOISING, icnn_denoising};
pub use photographs::{Images, Photographs};
pub use tv::{TV_DEBLURRING, TV_DENOISING, tv_deblurring, tv_denoising, tv_denoising_on};

use autodiff::{Real, Sampled, Var, sampled};
use nalgebra::{DMatrix, DVector};

use crate::held_out::HeldOut;
use crate::task::{Metric, Task};
use photographs::Pairs;

/// What observations lose on the way from the image.
pub(crate) type Observe<'a> = &'a dyn Fn(&DMatrix<f64>) -> DMatrix<f64>;

/// The task of a regulariser: lower = mean over training images of `energy(x, y_i, b_i)`, with
/// observation b_i, upper = mean of ½‖y_i − c_i‖² with the clean c_i; y starts from the
/// observations. `psnr` is measured on the training images, `test_psnr` on those kept apart.
#[track_caller]
fn task<T: Real>(
    name: &'static str,
    (train, test): (Pairs, Pairs),
    x: DVector<T>,
    energy: impl for<'r> Fn(Var<'r, T>, Var<'r, T>, &DMatrix<T>) -> Var<'r, T>
    + Clone
    + Send
    + Sync
    + 'static,
) -> Task<T> {
    let size = train.clean[0].nrows();
    let half = T::of(0.5);
    let clean = cast(&train.clean);
    let upper = means(size, clean, move |_, y, c| (y - c).norm_squared() * half);
    let lower = means(size, cast(&train.observed), energy.clone());
    let start = |pairs: &Pairs| {
        let entries = pairs.observed.iter().flat_map(|b| b.iter());
        DVector::from_vec(entries.map(|v| T::of(*v)).collect())
    };
    let held_out = (!test.clean.is_empty()).then(|| {
        let y = start(&test);
        let lower = means(size, cast(&test.observed), energy);
        HeldOut::new(&lower, x.len(), y, psnr("test_psnr", test.clean))
    });
    let y = start(&train);
    Task {
        metrics: vec![psnr("psnr", train.clean)],
        held_out,
        ..Task::per_sample(name, upper, lower, x, y)
    }
}

/// The mean over images of a term of x, the image's block of y, and its datum.
fn means<T: Real>(
    size: usize,
    data: Vec<DMatrix<T>>,
    term: impl for<'r> Fn(Var<'r, T>, Var<'r, T>, &DMatrix<T>) -> Var<'r, T> + Send + Sync + 'static,
) -> impl Sampled<T> + 'static {
    let pixels = size * size;
    sampled(
        data.len(),
        move |x: Var<'_, T>, y: Var<'_, T>, batch: &[usize]| {
            let terms = batch.iter().enumerate().map(|(k, i)| {
                let image = y.slice(k * pixels, pixels).reshape(size, size);
                term(x, image, &data[*i])
            });
            Var::sum_of(terms) / T::of(batch.len() as f64)
        },
    )
}

/// The mean over images of their peak signal-to-noise ratio in decibels, for a peak of 1.
fn psnr<T: Real>(name: &'static str, clean: Vec<DMatrix<f64>>) -> Metric<T> {
    Metric::new(name, move |_, y| {
        let pixels = clean[0].len();
        let blocks = y.as_slice().chunks_exact(pixels).zip(&clean);
        let each = blocks.map(|(y, c)| {
            let square = |(y, c): (&T, &f64)| -> f64 { (y.f64() - *c).powi(2) };
            let mean: f64 = y.iter().zip(c.iter()).map(square).sum::<f64>() / pixels as f64;
            -10.0 * mean.log10()
        });
        each.sum::<f64>() / clean.len() as f64
    })
}

fn cast<T: Real>(images: &[DMatrix<f64>]) -> Vec<DMatrix<T>> {
    images.iter().map(|i| i.map(T::of)).collect()
}

/// Filters less their means, so that they see no constant: one in each column.
fn zero_mean<T: Real>(filters: Var<'_, T>) -> Var<'_, T> {
    filters - filters.mean_rows()
}
