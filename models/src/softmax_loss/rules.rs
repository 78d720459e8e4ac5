//! What a pass does with the logits of each sample.

use autodiff::Real;
use autodiff::rows::{Rule, Simd, packed_classes};
use autodiff::rules::reduce::softmax_in;

use crate::pass::Going;

/// Logits become the coefficients of the gradient, and their derivatives along a direction those of
/// the product.
pub(super) struct Logits<'a, 'b, T> {
    pub(super) losses: &'a mut [T],
    pub(super) softmax: &'a mut [T],
    pub(super) products: Products<'a, 'b, T>,
}

impl<T: Real, const N: usize> Rule<T, N> for Logits<'_, '_, T> {
    #[inline(always)]
    fn apply<S: Simd>(&mut self, simd: S, first: usize, z: [&mut [T]; N]) {
        let c = self.softmax.len() / self.losses.len();
        let stride = packed_classes::<T>(c);
        for k in 0..z[0].len() / stride {
            let (i, row) = (first + k, k * stride..k * stride + c);
            let p = &mut self.softmax[i * c..(i + 1) * c];
            let logits = &mut z[0][row.clone()];
            let label = self.products.labels.of_sample(i);
            let of_label = logits[label];
            self.losses[i] = softmax_in(simd, logits, p) - of_label;
            let s = self.products.weight(i);
            for (z, p) in logits.iter_mut().zip(&*p) {
                *z = s * *p;
            }
            logits[label] -= s;
            if N > 1 {
                self.products.sample(i, p, &mut z[1][row]);
            }
        }
    }
}

/// Derivatives of the logits along a direction become the coefficients of the product.
pub(super) struct Kept<'a, 'b, T> {
    pub(super) softmax: &'a [T],
    pub(super) products: Products<'a, 'b, T>,
}

impl<T: Real> Rule<T, 1> for Kept<'_, '_, T> {
    #[inline(always)]
    fn apply<S: Simd>(&mut self, _: S, first: usize, [z]: [&mut [T]; 1]) {
        let c = self.softmax.len() / self.products.slopes.len();
        for (k, z) in z.chunks_exact_mut(packed_classes::<T>(c)).enumerate() {
            let i = first + k;
            let p = &self.softmax[i * c..(i + 1) * c];
            self.products.sample(i, p, &mut z[..c]);
        }
    }
}

/// The labels of the samples that a pass goes over, from one of them on.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a, T> {
    labels: &'a [usize],
    at: Option<&'a [T]>,
    first: usize,
}

impl<'a, T: Real> Chosen<'a, T> {
    pub(super) fn of(labels: &'a [usize], at: Option<&'a [T]>, first: usize) -> Self {
        Chosen { labels, at, first }
    }

    #[inline(always)]
    fn of_sample(&self, i: usize) -> usize {
        self.labels[Going::index(self.at, self.first + i)]
    }
}

/// ∂/∂(W, s) of Σ s_i CE_i along (Ẇ, ṡ): the samples' coefficients are
/// `s_i p_c (ż_c − ⟨p, ż⟩) + ṡ_i (p_c − [c = t_i])`.
pub(super) struct Products<'a, 'b, T> {
    pub(super) labels: Chosen<'a, T>,
    pub(super) scale: T,
    pub(super) samples: Option<&'a [T]>,
    pub(super) direction: Option<&'a [T]>,
    pub(super) slopes: &'a mut &'b mut [T],
    /// Whether W does not move: then the products are not those of a direction.
    pub(super) still: bool,
}

impl<T: Real> Products<'_, '_, T> {
    /// The weight of a sample in the mean.
    #[inline(always)]
    fn weight(&self, i: usize) -> T {
        self.samples.map_or(self.scale, |s| self.scale * s[i])
    }

    #[inline(always)]
    fn sample(&mut self, i: usize, p: &[T], z: &mut [T]) {
        if self.still {
            z.fill(T::zero());
        }
        let label = self.labels.of_sample(i);
        let mean = p.iter().zip(&*z).fold(T::zero(), |s, (p, z)| s + *p * *z);
        self.slopes[i] = mean - z[label];
        let s = self.weight(i);
        let ds = self.direction.map_or(T::zero(), |ds| self.scale * ds[i]);
        for (z, p) in z.iter_mut().zip(p) {
            *z = *p * (s * (*z - mean) + ds);
        }
        z[label] -= ds;
    }
}
