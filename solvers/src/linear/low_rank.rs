//! A low-rank approximation of H from a random sketch.

use std::f64::consts::TAU;

use autodiff::Real;
use nalgebra::{DMatrix, DMatrixView, DVector, SymmetricEigen};
use rand::seq::index::sample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::dense::BLOCK;
use super::{Operator, Outcome, flat};

/// The directions that H is multiplied with to approximate it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sketch {
    /// Random ones, orthonormalised: no basis in which H is sparse misleads them.
    #[default]
    Gaussian,
    /// Coordinates drawn without replacement, so that C is made of columns of H.
    Columns,
}

impl Sketch {
    /// `k` orthonormal columns of `n` entries.
    fn draw<T: Real>(self, n: usize, k: usize, seed: u64) -> DMatrix<T> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        match self {
            Sketch::Columns => {
                let mut units = DMatrix::zeros(n, k);
                for (column, row) in sample(&mut rng, n, k).into_iter().enumerate() {
                    units[(row, column)] = T::one();
                }
                units
            }
            Sketch::Gaussian => {
                // Box and Muller's pairs, of which one is enough.
                let mut normal = |_, _| {
                    let (u, angle): (f64, f64) = (rng.random(), rng.random());
                    T::of((-2.0 * (1.0 - u).ln()).sqrt() * (TAU * angle).cos())
                };
                DMatrix::from_fn(n, k, &mut normal).qr().q()
            }
        }
    }
}

/// `Ĥ = C W⁺ Cᵀ = U Λ Uᵀ` with `C = HΩ` and `W = ΩᵀHΩ`.
pub(super) struct LowRank<T: Real> {
    /// U is the first matrix times the second: `n × k` and `k × k`.
    basis: DMatrix<T>,
    rotation: DMatrix<T>,
    /// The entries of Λ; those that are nothing but rounding are 0.
    values: DVector<T>,
    /// What W tells of H, if it is not positive definite.
    pub(super) flaw: Option<Outcome>,
}

impl<T: Real> LowRank<T> {
    /// Bytes of the parts and of what making them takes, at most: Ω, C and two matrices beside W,
    /// or U, three matrices and the packed blocks of a product of two.
    pub(super) fn bytes(n: usize, k: usize) -> usize {
        (2 * n * k + 3 * k * k + 72 * k) * size_of::<T>()
    }

    /// From `k` products with H, in blocks.
    pub(super) fn new(
        h: &mut dyn Operator<T>,
        n: usize,
        k: usize,
        sketch: Sketch,
        seed: u64,
    ) -> Self {
        let omega = sketch.draw::<T>(n, k, seed);
        let mut c = DMatrix::<T>::zeros(n, k);
        for first in (0..k).step_by(BLOCK) {
            let entries = n * first..n * (first + BLOCK).min(k);
            h.apply(
                &omega.as_slice()[entries.clone()],
                &mut c.as_mut_slice()[entries],
            );
        }
        if c.iter().any(|c| !c.is_finite()) {
            return LowRank {
                basis: omega,
                rotation: DMatrix::zeros(k, k),
                values: DVector::zeros(k),
                flaw: Some(Outcome::NonFinite),
            };
        }
        let w = SymmetricEigen::new(symmetric(omega.tr_mul(&c)));
        let (largest, least) = (w.eigenvalues.amax().f64(), w.eigenvalues.min().f64());
        // W inherits the rounding of C, which is larger where Ω all but misses the range of H.
        let scale = c.column_iter().fold(largest, |m, c| m.max(c.norm().f64()));
        let rounding = 5.0 * flat::<T>(n) * scale;
        let relative = |l: f64| if largest > 0.0 { l / largest } else { 0.0 };
        // Ω is orthonormal: an eigenvalue of W is the curvature along some direction.
        let flaw = if least < -rounding {
            Some(Outcome::Negative {
                relative_curvature: relative(least),
            })
        } else if least <= rounding {
            Some(Outcome::Singular {
                relative_curvature: relative(least),
            })
        } else {
            None
        };
        if k == n {
            // H itself in the basis Ω.
            let values = w.eigenvalues.map(|l| clean(l, rounding));
            return LowRank {
                basis: omega,
                rotation: w.eigenvectors,
                values,
                flaw,
            };
        }
        drop(omega);
        let (basis, r) = c.qr().unpack();
        // Half of W⁺ on each side of the product, for its rounding.
        let mut g = r * w.eigenvectors;
        let mut signed = DMatrix::zeros(k, k);
        for (j, l) in w.eigenvalues.iter().enumerate() {
            let l = clean(*l, rounding);
            let root = if l == T::zero() {
                T::zero()
            } else {
                T::one() / l.abs().sqrt()
            };
            g.column_mut(j).scale_mut(root);
            let sign = if l < T::zero() { -T::one() } else { T::one() };
            signed.set_column(j, &(g.column(j) * sign));
        }
        signed.transpose_mut();
        let h = SymmetricEigen::new(symmetric(g * signed));
        let rounding = flat::<T>(n) * h.eigenvalues.amax().f64();
        LowRank {
            basis,
            values: h.eigenvalues.map(|l| clean(l, rounding)),
            rotation: h.eigenvectors,
            flaw,
        }
    }

    /// The least entry of Λ that is positive.
    pub(super) fn least(&self) -> Option<T> {
        let positive = self.values.iter().copied().filter(|l| *l > T::zero());
        positive.reduce(|a, b| a.min(b))
    }

    /// Adds to `v` the product of `(Ĥ + ρI)⁻¹` with `r` on the range of Ĥ, and `r/τ` on its
    /// complement; nothing where `ρ` or `τ` would be divided by as 0.
    pub(super) fn add_inverse(&self, rho: T, tau: T, r: &[T], v: &mut [T]) {
        let n = r.len();
        let r = DMatrixView::from_slice(r, n, 1);
        let mut coordinates = self.rotation.tr_mul(&self.basis.tr_mul(&r));
        let beside = if tau > T::zero() && self.basis.ncols() < n {
            T::one() / tau
        } else {
            T::zero()
        };
        for (c, l) in coordinates.iter_mut().zip(self.values.iter()) {
            let damped = *l + rho;
            // Directions of rounding alone belong to the complement.
            *c *= match *l == T::zero() || damped == T::zero() {
                true if tau > T::zero() => T::one() / tau - beside,
                true => -beside,
                false => T::one() / damped - beside,
            };
        }
        let inside = &self.basis * (&self.rotation * coordinates);
        for i in 0..n {
            v[i] += r[(i, 0)] * beside + inside[(i, 0)];
        }
    }
}

/// 0 in place of what rounding makes of it.
fn clean<T: Real>(value: T, rounding: f64) -> T {
    if value.abs().f64() <= rounding {
        T::zero()
    } else {
        value
    }
}

fn symmetric<T: Real>(m: DMatrix<T>) -> DMatrix<T> {
    (&m + m.transpose()) * T::of(0.5)
}
