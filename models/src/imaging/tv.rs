//! Denoising and deblurring by smoothed total variation, its weight and smoothing learned.

use autodiff::{Padding, Real, Var};
use nalgebra::{DMatrix, DVector};
use solvers::Constants;

use super::{Images, Photographs, blur, task};
use crate::catalogue::{Data, Defaults, Entry, make};
use crate::task::Task;

/// ‖D‖² of forward differences in two directions is at most this.
const DIFFERENCES: f64 = 8.0;
/// ‖D_i‖² of the two differences at one pixel.
const AT_ONE: f64 = 3.0;
/// sup |φ‴| of φ(u) = √(u² + 1), 48/(25√5).
const THIRD: f64 = 0.858_650_103_339_919;
/// μ of the explicit term that makes deblurring strongly convex.
const CONVEXITY: f64 = 0.1;

/// Problem `tv-denoising`: for each image b with noise, of a clean c, lower = ½‖y − b‖² +
/// e^{x₀} Σ √(|∇y|² + e^{2x₁}) over its pixels, upper = ½‖y − c‖²; both levels are means over
/// images, and each image has a lower level of its own.
///
/// The first `count` embedded images, their middle `size × size` pixels, none kept apart; see
/// [`Photographs`] for the noise. The metric is the mean PSNR in decibels.
///
/// Its constants, with ν = e^{x₁} and forward differences D, ‖D‖² ≤ 8: μ = 1,
/// L_g = 1 + 8e^{x₀}/ν, L_J = √2 · 8e^{x₀}/ν, L_H = 0.8587 · 8√3 e^{x₀}/ν², L_F = 1. L_J has √2 for its
/// two rows, each with ‖∇²‖ ≤ 8e^{x₀}/ν: that of x₁ is the Hessian of ν²/√(|∇y|² + ν²), whose
/// curvatures are from −1/ν to 0.203/ν. The third derivative of √(|p|² + ν²) along a line in any
/// direction is that of the scalar function with a larger ν; one factor ‖D‖ of ‖D‖³ is that of a
/// single pixel, √3.
///
/// # Panics
/// If there are fewer than `count` images, or images of fewer than `size` pixels a side.
#[track_caller]
#[inline(never)]
pub fn tv_denoising<T: Real>(count: usize, size: usize, seed: u64) -> Task<T> {
    tv_denoising_on(&Photographs {
        train: count,
        test: 0,
        size,
        tiles: 1,
        seed,
    })
}

/// The entry of [`tv_denoising`].
// Steps of either parameter change φ by some hundred times their square.
pub static TV_DENOISING: Entry = Entry::new(
    "tv-denoising",
    "weight and smoothing of total variation, images with noise; six small ones",
    [
        "ln of the weight, ln of the smoothing",
        "pixels of the images, each column by column",
    ],
    make!(|given| {
        let (count, size) = if given.is_small() { (2, 6) } else { (6, 32) };
        match given.images {
            Some(_) => Ok(tv_denoising_on(Images::given(given, 2, false)?)),
            None => Ok(tv_denoising(count, size, given.seed)),
        }
    }),
)
.takes(Data::Images)
.defaults(Defaults::steps(0.02, 0.001).depth(50));

/// [`tv_denoising`] on these images; the PSNR is measured on those kept apart too.
///
/// # Panics
/// If there are no such images.
///
/// ```
/// use models::{Images, data};
///
/// // Or those that `data::read_images` reads.
/// let images = Images::Own { clean: data::images(), train: 4, seed: 0 };
/// let task = models::tv_denoising_on::<f64>(images);
/// assert_eq!(task.bilevel.dim_y(), 4 * 32 * 32);
/// ```
#[track_caller]
pub fn tv_denoising_on<T: Real>(images: impl Into<Images>) -> Task<T> {
    let images = images.into();
    let size = images.size();
    let task = task(
        "tv-denoising",
        images.split(&Clone::clone),
        DVector::from_element(2, T::of(-3.0)),
        |x, y, b: &DMatrix<T>| (y - b).norm_squared() * T::of(0.5) + variation(x, y),
    );
    task.with_constants(move |x, y| constants(x, y, size, (1.0, 1.0)))
}

/// Problem `tv-deblurring`: [`tv_denoising`] of images that a 5 × 5 Gaussian A with σ = 1 has blurred
/// before the noise: lower = ½‖Ay − b‖² + ½μ‖y − b‖² + e^{x₀} Σ √(|∇y|² + e^{2x₁}).
///
/// A has small singular values, so strong convexity is a term of its own, with μ = 0.1; it draws
/// to b and not to 0, which would darken the image. A mirrors at the edges. The constants are those
/// of denoising with μ = 0.1 and L_g = ‖A‖² + μ + 8e^{x₀}/ν.
///
/// # Panics
/// If there are no such images, or they are smaller than 3 × 3.
#[track_caller]
pub fn tv_deblurring<T: Real>(images: impl Into<Images>) -> Task<T> {
    let images = images.into();
    let size = images.size();
    assert!(
        size > blur::WIDTH / 2,
        "images of {size} × {size}: expected at least 3 × 3, for a blur of 5 × 5"
    );
    let kernel = blur::kernel().map(T::of);
    let task = task(
        "tv-deblurring",
        images.split(&blur::blurred),
        // A smoothing as short as that of denoising would make Newton's method slow.
        DVector::from_vec(vec![T::of(-4.0), T::of(-2.0)]),
        move |x, y, b: &DMatrix<T>| {
            let half = T::of(0.5);
            let observed = y.conv2d(y.matrix(&kernel), Padding::Reflect);
            let data = (observed - b).norm_squared() * half;
            data + (y - b).norm_squared() * (half * T::of(CONVEXITY)) + variation(x, y)
        },
    );
    let curvatures = (CONVEXITY, CONVEXITY + blur::norm_squared(size));
    task.with_constants(move |x, y| constants(x, y, size, curvatures))
}

/// The entry of [`tv_deblurring`].
pub static TV_DEBLURRING: Entry = Entry::new(
    "tv-deblurring",
    "the same for blurred images: four to train on, two kept apart",
    [
        "ln of the weight, ln of the smoothing",
        "pixels of the images, each column by column",
    ],
    make!(|given| {
        let images = Images::given(given, blur::WIDTH / 2 + 1, true)?;
        Ok(tv_deblurring(images))
    }),
)
.takes(Data::Images)
.defaults(Defaults::steps(0.02, 0.001));

/// e^{x₀} Σ √(|∇y|² + e^{2x₁}).
fn variation<'r, T: Real>(x: Var<'r, T>, y: Var<'r, T>) -> Var<'r, T> {
    let (weight, smoothing) = (x.at(0).exp(), (x.at(1) * T::of(2.0)).exp());
    let (across, down) = (y.dx(), y.dy());
    weight * (across.square() + down.square() + smoothing).sqrt().sum()
}

/// The constants of one image's lower level, whose data term has curvatures from `least` to `most`.
fn constants<T: Real>(x: &[T], y: &[T], size: usize, (least, most): (f64, f64)) -> Constants {
    let (weight, nu) = (x[0].f64().exp(), x[1].f64().exp());
    let curvature = weight * DIFFERENCES / nu;
    Constants {
        strong_convexity: least,
        smoothness: most + curvature,
        hessian_lipschitz: THIRD * weight * DIFFERENCES * AT_ONE.sqrt() / (nu * nu),
        cross_norm: cross_norm(y, size, weight, nu),
        cross_lipschitz: std::f64::consts::SQRT_2 * curvature,
        upper_smoothness: 1.0,
        upper_cross: 0.0,
    }
}

/// The Frobenius norm of ∇²_xy g: the gradients in y of the two derivatives by x,
/// `e^{x₀} Dᵀ(p/s)` and `−e^{x₀} ν² Dᵀ(p/s³)` with p = ∇y, s = √(|p|² + ν²).
fn cross_norm<T: Real>(y: &[T], size: usize, weight: f64, nu: f64) -> f64 {
    let at = |i: usize, j: usize| y[i + j * size].f64();
    let mut rows = [vec![0.0; y.len()], vec![0.0; y.len()]];
    for j in 0..size {
        for i in 0..size {
            let across = if j + 1 < size {
                at(i, j + 1) - at(i, j)
            } else {
                0.0
            };
            let down = if i + 1 < size {
                at(i + 1, j) - at(i, j)
            } else {
                0.0
            };
            let s = (across * across + down * down + nu * nu).sqrt();
            for (row, factor) in rows.iter_mut().zip([1.0 / s, -nu * nu / (s * s * s)]) {
                let here = i + j * size;
                row[here] -= factor * (across + down);
                if j + 1 < size {
                    row[here + size] += factor * across;
                }
                if i + 1 < size {
                    row[here + 1] += factor * down;
                }
            }
        }
    }
    let squares = rows.iter().flatten().map(|v| v * v);
    weight * squares.sum::<f64>().sqrt()
}
