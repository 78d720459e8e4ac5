//! The diagonal of H, or an estimate of it, as a preconditioner.

use std::sync::Arc;

use autodiff::Real;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::dense::BLOCK;
use super::pcg::{Pcg, Preconditioner};
use super::{LinearEntry, Operator, Outcome, Scratch};

/// One over the diagonal of H, estimated from products with random signs.
///
/// It pays where the entries of y are in units of very different curvature: features that were not
/// standardised, layers of unlike size. A rotation of H it does not see.
///
/// The estimate is the mean of `z ∘ Hz`, and is exact for a diagonal H by one sample, and for any by
/// `dim_y`, which take unit vectors. Where the mean is less than its own error the root of the mean square
/// over the root of the count takes its place, so that it is positive.
///
/// # Cost in oracle calls
/// As many Hessian-vector products as samples, in blocks of sixteen, for each system; `dim_y` operations an
/// iteration.
///
/// # Reference
/// C. Bekas, E. Kokiopoulou and Y. Saad, An estimator for the diagonal of a matrix, Applied Numerical
/// Mathematics 57, 2007.
///
/// # Example
/// ```
/// use autodiff::Meter;
/// use solvers::linear::{Cg, Outcome, Pcg, solve};
///
/// let mut h = |v: &[f64], out: &mut [f64]| {
///     for (k, (v, out)) in v.iter().zip(out).enumerate() {
///         *out = 10f64.powi((k % 40) as i32 / 4) * v;
///     }
/// };
/// let (mut v, b) = ([0.0; 40], [1.0; 40]);
/// let report = solve(&Pcg::jacobi(1), &mut h, &b, &mut v, &Meter::new());
/// assert_eq!((report.outcome, report.iterations), (Outcome::Converged, 1));
/// let plain = solve(&Cg::new(), &mut h, &b, &mut [0.0; 40], &Meter::new());
/// assert!(plain.iterations > 9);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagonal {
    samples: usize,
}

impl Pcg<Diagonal> {
    /// With a [`Diagonal`] preconditioner of this many samples, or of `dim_y` if that is less.
    pub fn jacobi(samples: usize) -> Self {
        Pcg::with(Diagonal::of(samples))
    }
}

impl Diagonal {
    /// Of this many samples.
    pub fn of(samples: usize) -> Self {
        Diagonal { samples }
    }

    /// Vectors of a block.
    fn width(self, n: usize) -> usize {
        self.samples.min(n).clamp(1, BLOCK)
    }
}

impl<T: Real> Preconditioner<T> for Diagonal {
    fn name(&self) -> &'static str {
        "jacobi-cg"
    }

    fn complaint(&self) -> Option<String> {
        (self.samples == 0).then(|| "0 samples: expected at least 1".to_owned())
    }

    /// The diagonal, its mean squares, and a block with its product.
    fn scratch(&self, n: usize) -> usize {
        (2 + 2 * self.width(n)) * n
    }

    fn block(&self, n: usize) -> usize {
        self.width(n)
    }

    fn prepare<'s>(
        &'s self,
        h: &mut dyn Operator<T>,
        n: usize,
        scratch: Scratch<'s, T>,
    ) -> Result<impl Operator<T> + 's, Outcome> {
        let (samples, width) = (self.samples.min(n).max(1), self.width(n));
        let ([mean, squares], scratch) = scratch.take(n);
        let ([signs, products], _) = scratch.take(width * n);
        mean.fill(T::zero());
        squares.fill(T::zero());
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let units = samples == n;
        for first in (0..samples).step_by(width) {
            let count = width.min(samples - first);
            let (signs, products) = (&mut signs[..count * n], &mut products[..count * n]);
            if units {
                signs.fill(T::zero());
                (0..count).for_each(|k| signs[k * n + first + k] = T::one());
            } else {
                signs.fill_with(|| if rng.random() { T::one() } else { -T::one() });
            }
            h.apply(signs, products);
            for (z, hz) in signs.chunks_exact(n).zip(products.chunks_exact(n)) {
                for i in 0..n {
                    mean[i] += z[i] * hz[i];
                    squares[i] += (z[i] * hz[i]) * (z[i] * hz[i]);
                }
            }
        }
        let count = if units { 1.0 } else { samples as f64 };
        let mut largest = T::zero();
        for i in 0..n {
            let noise = squares[i].f64().sqrt() / count;
            mean[i] = T::of((mean[i].f64() / count).max(noise));
            largest = largest.max(mean[i]);
        }
        if !mean.iter().all(|d| d.is_finite()) {
            return Err(Outcome::NonFinite);
        }
        // A row of zeros, or of next to nothing, says nothing.
        let least = largest * T::of(T::EPSILON);
        for d in mean.iter_mut() {
            *d = if *d > least { T::one() / *d } else { T::one() };
        }
        let inverse = &*mean;
        Ok(move |r: &[T], z: &mut [T]| {
            for ((z, r), d) in z.iter_mut().zip(r).zip(inverse) {
                *z = *r * *d;
            }
        })
    }
}

/// The samples of `aid-jacobi-cg` unless they are given.
const SAMPLES: usize = 16;

/// The name `aid-jacobi-cg`.
pub(super) fn entry<T: Real>() -> LinearEntry<T> {
    let about = "aid-cg, preconditioned by the diagonal, from 16 products; aid-jacobi-cg:SAMPLES";
    LinearEntry::new("aid-jacobi-cg[:SAMPLES]", about, &["tolerance"], |call| {
        let cg = Pcg::jacobi(call.count()?.unwrap_or(SAMPLES));
        let tolerance = call.settings.tolerance;
        Ok(Arc::new(tolerance.map_or(cg, |t| cg.tolerance(t))))
    })
    .descent("aid-cg, preconditioned by the diagonal; aid-jacobi-cg:SAMPLES of as many products")
}
