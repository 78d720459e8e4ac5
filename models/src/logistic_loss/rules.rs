//! What a pass does with the scores of the samples, and with their products with directions.

use autodiff::Real;
use autodiff::rows::{Rule, Simd};
use autodiff::vector::Lanes;

use super::Loss;

/// Scores become the coefficients of the gradient, and products with a direction those of the
/// Hessian's product.
pub(super) struct Scores<'a, T> {
    pub(super) loss: Loss,
    pub(super) labels: &'a [T],
    pub(super) scale: T,
    pub(super) losses: Option<&'a mut [T]>,
    pub(super) curvatures: &'a mut [T],
}

impl<T: Real, const N: usize> Rule<T, N> for Scores<'_, T> {
    #[inline(always)]
    fn apply<S: Simd>(&mut self, simd: S, first: usize, count: usize, z: [&mut [T]; N]) {
        for start in (0..count).step_by(T::lanes::<S>()) {
            let here = start..start + T::lanes::<S>();
            let place = first + start..first + count.min(here.end);
            let label = T::load(simd, &self.labels[place.clone()]);
            let score = T::load(simd, &z[0][here.clone()]);
            let scale = T::fill(simd, self.scale);
            if self.loss == Loss::Squared {
                let left = score - label;
                if let Some(losses) = &mut self.losses {
                    T::store(left * left * left.of(0.5), &mut losses[place.clone()]);
                }
                T::store(scale, &mut self.curvatures[place]);
                T::store(left * scale, &mut z[0][here.clone()]);
                if N > 1 {
                    let product = T::load(simd, &z[1][here.clone()]);
                    T::store(product * scale, &mut z[1][here]);
                }
                continue;
            }
            let margin = label * score;
            let one = margin.one();
            // σ(−m) and ln(1 + e⁻ᵐ) from one exponential that cannot overflow.
            let e = (-margin.abs()).exp();
            let r = (one + e).recip();
            let positive = margin.zero().lt(margin);
            let s = Lanes::choose(positive, e * r, r);
            if let Some(losses) = &mut self.losses {
                let bend = Lanes::choose(positive, margin.zero(), -margin);
                T::store(bend + e.ln_1p(), &mut losses[place.clone()]);
            }
            let curvature = e * r * r * scale;
            T::store(curvature, &mut self.curvatures[place]);
            T::store(-label * s * scale, &mut z[0][here.clone()]);
            if N > 1 {
                let product = T::load(simd, &z[1][here.clone()]);
                T::store(product * curvature, &mut z[1][here]);
            }
        }
    }
}

/// Products with some directions become the coefficients of the Hessian's products.
pub(super) struct Curvatures<'a, T> {
    pub(super) of: &'a [T],
    pub(super) directions: usize,
}

impl<T: Real> Rule<T, 1> for Curvatures<'_, T> {
    #[inline(always)]
    fn apply<S: Simd>(&mut self, _: S, first: usize, count: usize, [z]: [&mut [T]; 1]) {
        for z in z.chunks_exact_mut(z.len() / self.directions) {
            for (z, curvature) in z.iter_mut().zip(&self.of[first..first + count]) {
                *z *= *curvature;
            }
        }
    }
}
