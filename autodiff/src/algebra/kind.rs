//! What a matrix is read as, and how a system with it is solved.

use nalgebra::{DMatrixView, DMatrixViewMut};

use super::factor;
use super::triangular::{Half, solve};
use crate::real::Real;

/// What a square matrix is read as. What it does not read, its derivatives are 0 by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All entries.
    General,
    /// The symmetric part `(A + Aᵀ)/2`, which has to be positive definite.
    Positive,
    /// The diagonal and what is below it.
    Lower,
    /// The diagonal and what is above it.
    Upper,
}

impl Kind {
    /// Scalars of the factor of `n` rows that a primitive keeps.
    pub(super) fn factor_len(self, n: usize) -> usize {
        match self {
            Kind::General => n * n + n,
            Kind::Positive => n * n,
            Kind::Lower | Kind::Upper => 0,
        }
    }

    pub(super) fn factor<T: Real>(self, a: &[T], n: usize, factor: &mut [T]) {
        match self {
            Kind::General => {
                let (lu, pivots) = factor.split_at_mut(n * n);
                factor::lu(a, n, lu, pivots);
            }
            Kind::Positive => factor::cholesky(a, n, factor),
            Kind::Lower | Kind::Upper => {}
        }
    }

    /// `A⁻¹b`, or `A⁻ᵀb`, in place of the columns of `b`.
    pub(super) fn solve<T: Real>(
        self,
        (a, factor): (&[T], &[T]),
        n: usize,
        b: &mut [T],
        transposed: bool,
    ) {
        if n == 0 {
            return;
        }
        let mut b = DMatrixViewMut::from_slice(b, n, b.len() / n);
        let square = |of| DMatrixView::from_slice(of, n, n);
        match self {
            Kind::General => {
                let (lu, pivots) = factor.split_at(n * n);
                factor::solve_lu(square(lu), pivots, b, transposed);
            }
            Kind::Positive => {
                solve(square(factor), b.as_view_mut(), Half::Upper, true);
                solve(square(factor), b, Half::Upper, false);
            }
            Kind::Lower => solve(square(a), b, Half::Lower, transposed),
            Kind::Upper => solve(square(a), b, Half::Upper, transposed),
        }
    }

    /// The part of `m` that is read, in its place: a projection, so that it is its own adjoint.
    pub(super) fn project<T: Real>(self, m: &mut [T], n: usize) {
        let half = T::of(0.5);
        for j in 0..n {
            for i in 0..j {
                let (above, below) = (i + j * n, j + i * n);
                match self {
                    Kind::General => return,
                    Kind::Positive => {
                        let mean = (m[above] + m[below]) * half;
                        (m[above], m[below]) = (mean, mean);
                    }
                    Kind::Lower => m[above] = T::zero(),
                    Kind::Upper => m[below] = T::zero(),
                }
            }
        }
    }

    /// The operation that solves a system.
    pub(super) fn solver(self) -> &'static str {
        match self {
            Kind::General => "solve",
            Kind::Positive => "solve_spd",
            Kind::Lower => "solve_lower",
            Kind::Upper => "solve_upper",
        }
    }
}
