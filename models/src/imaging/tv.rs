//! Denoising of images by smoothed total variation, its weight and smoothing learned.

use std::sync::Arc;

use autodiff::{Real, Var, sampled};
use nalgebra::{DMatrix, DVector};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::data::{IMAGE_SIZE, images};
use crate::task::whole;
use crate::{Constants, Means, Metric, Task};

/// Standard deviation of the noise; pixels are in `[0, 1]`.
const NOISE: f64 = 25.0 / 255.0;
/// ‖D‖² of forward differences in two directions is at most this.
const DIFFERENCES: f64 = 8.0;
/// ‖D_i‖² of the two differences at one pixel.
const AT_ONE: f64 = 3.0;
/// sup |φ‴| of φ(u) = √(u² + 1), 48/(25√5).
const THIRD: f64 = 0.858_650_103_339_919;

/// Problem `tv-denoising`: for each image b with noise, of a clean c, lower = ½‖y − b‖² +
/// e^{x₀} Σ √(|∇y|² + e^{2x₁}) over its pixels, upper = ½‖y − c‖²; both levels are means over
/// images, and each image has a lower level of its own.
///
/// The first `count` embedded images, their middle `size × size` pixels; noise of standard deviation
/// 25/255, not clamped, frozen by the seed for each image. The metric is the mean PSNR in decibels.
///
/// Its constants, with ν = e^{x₁} and forward differences D, ‖D‖² ≤ 8: μ = 1,
/// L_g = 1 + 8e^{x₀}/ν, L_J = √2 · 8e^{x₀}/ν, L_H = 0.8587 · 8√3 e^{x₀}/ν², L_F = 1. L_J has √2 for its
/// two rows, each with ‖∇²‖ ≤ 8e^{x₀}/ν: that of x₁ is the Hessian of ν²/√(|∇y|² + ν²), whose
/// curvatures are from −1/ν to 0.203/ν. The third derivative of √(|p|² + ν²) along a line in any
/// direction is that of the scalar function with a larger ν; one factor ‖D‖ of ‖D‖³ is that of a
/// single pixel, √3.
///
/// # Panics
/// If there are not `count` images, or not so many pixels.
#[track_caller]
pub fn tv_denoising<T: Real>(count: usize, size: usize, seed: u64) -> Task<T> {
    let all = images();
    assert!(
        (1..=all.len()).contains(&count) && (2..=IMAGE_SIZE).contains(&size),
        "{count} images of {size} × {size} pixels: expected 1 to {} of 2 to {IMAGE_SIZE}",
        all.len()
    );
    let first = (IMAGE_SIZE - size) / 2;
    let clean: Vec<DMatrix<f64>> = all[..count]
        .iter()
        .map(|i| i.view((first, first), (size, size)).into_owned())
        .collect();
    let noisy: Vec<DMatrix<f64>> = (0u64..)
        .zip(&clean)
        .map(|(stream, image)| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            image.map(|c| c + NOISE * gaussian(&mut rng))
        })
        .collect();
    let cast = |images: &[DMatrix<f64>]| -> Vec<DMatrix<T>> {
        images.iter().map(|i| i.map(T::of)).collect()
    };
    let (targets, data) = (cast(&clean), cast(&noisy));
    let (half, pixels) = (T::of(0.5), size * size);
    let lower = sampled(
        count,
        move |x: Var<'_, T>, y: Var<'_, T>, batch: &[usize]| {
            let (weight, smoothing) = (x.at(0).exp(), (x.at(1) * T::of(2.0)).exp());
            let terms = batch.iter().enumerate().map(|(k, i)| {
                let image = y.slice(k * pixels, pixels).reshape(size, size);
                let (across, down) = (image.dx(), image.dy());
                let variation = (across.square() + down.square() + smoothing).sqrt().sum();
                (image - &data[*i]).norm_squared() * half + weight * variation
            });
            Var::sum_of(terms) / T::of(batch.len() as f64)
        },
    );
    let upper = sampled(
        count,
        move |_: Var<'_, T>, y: Var<'_, T>, batch: &[usize]| {
            let terms = batch.iter().enumerate().map(|(k, i)| {
                let image = y.slice(k * pixels, pixels).reshape(size, size);
                (image - &targets[*i]).norm_squared() * half
            });
            Var::sum_of(terms) / T::of(batch.len() as f64)
        },
    );
    let start = noisy.iter().flat_map(|i| i.iter().map(|v| T::of(*v)));
    let dim_y = count * pixels;
    let psnr = move |_: &DVector<T>, y: &DVector<T>| {
        let blocks = y.as_slice().chunks_exact(pixels).zip(&clean);
        let each = blocks.map(|(y, c)| {
            let squares = y.iter().zip(c.iter()).map(|(y, c)| (y.f64() - c).powi(2));
            -10.0 * (squares.sum::<f64>() / pixels as f64).log10()
        });
        each.sum::<f64>() / count as f64
    };
    Task {
        name: "tv-denoising",
        upper: whole(&upper, 2, dim_y),
        lower: whole(&lower, 2, dim_y),
        means: Some(Means {
            upper: Arc::new(upper),
            lower: Arc::new(lower),
            block: Some(pixels),
        }),
        x: DVector::from_element(2, T::of(-3.0)),
        y: DVector::from_iterator(dim_y, start),
        metrics: vec![Metric {
            name: "psnr",
            measure: Arc::new(psnr),
        }],
        bounds: None,
        known: None,
        constants: Some(Arc::new(move |x: &[T], y: &[T]| constants(x, y, size))),
    }
}

/// The constants of one image's lower level.
fn constants<T: Real>(x: &[T], y: &[T], size: usize) -> Constants {
    let (weight, nu) = (x[0].f64().exp(), x[1].f64().exp());
    let curvature = weight * DIFFERENCES / nu;
    Constants {
        strong_convexity: 1.0,
        smoothness: 1.0 + curvature,
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

/// A number drawn from N(0, 1) by the method of Box and Muller.
fn gaussian(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
