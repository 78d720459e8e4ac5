//! A Gaussian blur.

use nalgebra::DMatrix;

/// Rows and columns of the kernel.
pub(super) const WIDTH: usize = 5;

/// The 5 × 5 Gaussian kernel with σ = 1, of sum 1.
pub(super) fn kernel() -> DMatrix<f64> {
    let middle = (WIDTH / 2) as f64;
    let weight = |i: usize| (-0.5 * (i as f64 - middle).powi(2)).exp();
    let kernel = DMatrix::from_fn(WIDTH, WIDTH, |i, j| weight(i) * weight(j));
    let sum = kernel.sum();
    kernel / sum
}

/// The image blurred, mirrored at its edges as [`Padding::Reflect`](autodiff::Padding) does.
pub(super) fn blurred(image: &DMatrix<f64>) -> DMatrix<f64> {
    let mut out = DMatrix::zeros(image.nrows(), image.ncols());
    visit(image.nrows(), |to, from, weight| {
        out[to] += weight * image[from];
    });
    out
}

/// An upper bound on ‖A‖² of the blur A of images of `size × size`: ‖A‖₁‖A‖_∞, and its rows have
/// sum 1.
pub(super) fn norm_squared(size: usize) -> f64 {
    let mut sums = DMatrix::<f64>::zeros(size, size);
    visit(size, |_, from, weight| sums[from] += weight);
    sums.max() * (1.0 + 1e-12)
}

/// Every pixel of the value with every pixel that it takes from, and the weight.
fn visit(size: usize, mut each: impl FnMut((usize, usize), (usize, usize), f64)) {
    let kernel = kernel();
    let mirror = |i: usize, p: usize| {
        let last = size - 1;
        let at = (i + p).abs_diff(WIDTH / 2);
        if at > last { 2 * last - at } else { at }
    };
    for (j, i) in (0..size).flat_map(|j| (0..size).map(move |i| (j, i))) {
        for (q, p) in (0..WIDTH).flat_map(|q| (0..WIDTH).map(move |p| (q, p))) {
            each((i, j), (mirror(i, p), mirror(j, q)), kernel[(p, q)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autodiff::{Padding, Program, Shape};

    /// The blur that makes data is the one that the energies are recorded with.
    #[test]
    fn the_blur_is_the_recorded_convolution() {
        let image = DMatrix::from_fn(7, 7, |i, j| (1.3 * i as f64 + 0.7 * (j * j) as f64).sin());
        let out = blurred(&image);
        let distance = Program::<f64>::record(&[Shape::matrix(7, 7)], |v| {
            let blur = v[0].conv2d(v[0].matrix(&kernel()), Padding::Reflect);
            (blur - &out).norm_squared()
        });
        assert!(distance.point().value(&[image.as_slice()]) < 1e-30);
    }

    #[test]
    fn the_norm_is_bounded() {
        let size = 6;
        let mut matrix = DMatrix::<f64>::zeros(size * size, size * size);
        visit(size, |to, from, w| {
            matrix[(to.0 + size * to.1, from.0 + size * from.1)] += w;
        });
        let largest = matrix.singular_values().max().powi(2);
        let bound = norm_squared(size);
        assert!(
            largest <= bound && bound < 2.0 * largest,
            "{largest} {bound}"
        );
    }
}
