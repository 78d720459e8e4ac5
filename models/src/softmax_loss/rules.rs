//! What a pass does with the logits of each sample: the samples stand side by side in the lanes.

use autodiff::rows::{Rule, Simd};
use autodiff::vector::Lanes;
use autodiff::{Places, Real};

/// Logits become the coefficients of the gradient, and their derivatives along a direction those of
/// the product.
pub(super) struct Logits<'a, T> {
    pub(super) losses: &'a mut [T],
    pub(super) softmax: &'a mut [T],
    pub(super) products: Products<'a, T>,
}

/// The lanes that hold samples, `len` from `start` on of those that go together.
///
/// What is kept of them stands class after class for each line of samples apart: how many go together is
/// not the same in every pass.
#[derive(Clone, Copy)]
struct Here {
    start: usize,
    len: usize,
}

impl<T: Real, const N: usize> Rule<T, N> for Logits<'_, T> {
    #[inline(always)]
    fn apply<S: Simd>(&mut self, simd: S, first: usize, count: usize, z: [&mut [T]; N]) {
        let c = self.softmax.len() / self.losses.len();
        let (size, lanes) = (z[0].len() / c, T::lanes::<S>());
        for start in (0..count).step_by(lanes) {
            let here = Here {
                start,
                len: lanes.min(count - start),
            };
            let i = first + start;
            let softmax = &mut self.softmax[i * c..][..here.len * c];
            let logits = &mut *z[0];
            let losses = &mut self.losses[i..i + here.len];
            for (k, loss) in losses.iter_mut().enumerate() {
                *loss = -logits[self.products.labels.of_sample(i + k) * size + start + k];
            }
            let largest = (1..c).fold(T::load(simd, &logits[start..][..lanes]), |most, class| {
                let z = T::load(simd, &logits[class * size + start..][..lanes]);
                Lanes::choose(most.lt(z), z, most)
            });
            let mut sum = largest.zero();
            for class in 0..c {
                let place = &mut logits[class * size + start..][..lanes];
                let e = (T::load(simd, place) - largest).exp();
                sum = sum + e;
                T::store(e, place);
            }
            let value = T::load(simd, losses) + (largest + sum.ln());
            T::store(value, losses);
            let (weight, share) = (self.products.weight(simd, i, here.len), sum.recip());
            for class in 0..c {
                let place = &mut logits[class * size + start..][..lanes];
                let p = T::load(simd, place) * share;
                T::store(p, &mut softmax[class * here.len..][..here.len]);
                T::store(p * weight, place);
            }
            let mut weights = [T::zero(); MOST_LANES];
            T::store(weight, &mut weights[..lanes]);
            for k in 0..here.len {
                logits[self.products.labels.of_sample(i + k) * size + start + k] -= weights[k];
            }
            if N > 1 {
                self.products.apply(simd, i, here, softmax, z[1]);
            }
        }
    }
}

/// Lanes of 64 bytes.
const MOST_LANES: usize = 16;

/// Derivatives of the logits along a direction become the coefficients of the product.
pub(super) struct Kept<'a, T> {
    pub(super) softmax: &'a [T],
    pub(super) products: Products<'a, T>,
}

impl<T: Real> Rule<T, 1> for Kept<'_, T> {
    #[inline(always)]
    fn apply<S: Simd>(&mut self, simd: S, first: usize, count: usize, [z]: [&mut [T]; 1]) {
        let c = self.softmax.len() / self.products.slopes.len();
        let lanes = T::lanes::<S>();
        for start in (0..count).step_by(lanes) {
            let here = Here {
                start,
                len: lanes.min(count - start),
            };
            let i = first + start;
            let softmax = &self.softmax[i * c..][..here.len * c];
            self.products.apply(simd, i, here, softmax, z);
        }
    }
}

/// The labels of the samples that a pass goes over, from one of them on.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a, T> {
    labels: &'a [usize],
    at: Places<'a, T>,
    first: usize,
}

impl<'a, T: Real> Chosen<'a, T> {
    pub(super) fn of(labels: &'a [usize], at: Places<'a, T>, first: usize) -> Self {
        Chosen { labels, at, first }
    }

    #[inline(always)]
    fn of_sample(&self, i: usize) -> usize {
        self.labels[self.at.index(self.first + i)]
    }
}

/// ∂/∂(W, s) of Σ s_i CE_i along (Ẇ, ṡ): the samples' coefficients are
/// `s_i p_c (ż_c − ⟨p, ż⟩) + ṡ_i (p_c − [c = t_i])`.
pub(super) struct Products<'a, T> {
    pub(super) labels: Chosen<'a, T>,
    pub(super) scale: T,
    pub(super) samples: Option<&'a [T]>,
    pub(super) direction: Option<&'a [T]>,
    pub(super) slopes: &'a mut [T],
    /// Whether W does not move: then the products are not those of a direction.
    pub(super) still: bool,
}

impl<T: Real> Products<'_, T> {
    /// The weights of some samples in the mean.
    #[inline(always)]
    fn weight<S: Simd>(&self, simd: S, i: usize, len: usize) -> T::Pack<S> {
        let scale = T::fill(simd, self.scale);
        self.samples
            .map_or(scale, |s| scale * T::load(simd, &s[i..i + len]))
    }

    /// The samples from `i` on, in the lanes `here`.
    #[inline(always)]
    fn apply<S: Simd>(&mut self, simd: S, i: usize, here: Here, softmax: &[T], z: &mut [T]) {
        let (c, lanes) = (softmax.len() / here.len, T::lanes::<S>());
        let size = z.len() / c;
        let p = |class: usize| T::load(simd, &softmax[class * here.len..][..here.len]);
        if self.still {
            z.chunks_exact_mut(size)
                .for_each(|z| z[here.start..][..lanes].fill(T::zero()));
        }
        let mut mean = T::fill(simd, T::zero());
        for class in 0..c {
            let z = T::load(simd, &z[class * size + here.start..][..lanes]);
            mean = p(class).mul_add(z, mean);
        }
        let slopes = &mut self.slopes[i..i + here.len];
        T::store(mean, slopes);
        for (k, slope) in slopes.iter_mut().enumerate() {
            *slope -= z[self.labels.of_sample(i + k) * size + here.start + k];
        }
        let weight = self.weight(simd, i, here.len);
        let moved = match self.direction {
            Some(moved) => {
                let moved = T::load(simd, &moved[i..i + here.len]);
                T::fill(simd, self.scale) * moved
            }
            None => mean.zero(),
        };
        for class in 0..c {
            let place = &mut z[class * size + here.start..][..lanes];
            let z = T::load(simd, place);
            T::store(p(class) * weight.mul_add(z - mean, moved), place);
        }
        if let Some(moved) = self.direction {
            for k in 0..here.len {
                let place = self.labels.of_sample(i + k) * size + here.start + k;
                z[place] -= self.scale * moved[i + k];
            }
        }
    }
}
