//! Where a matrix is factored: the one place for every operation that needs a factor.
//!
//! Both factorisations halve the matrix until it is small ([`crate::cholesky`] that of a symmetric one),
//! so that nearly all of the work is in matrix products. A pivot that may be all rounding becomes NaN, and so does what is made of it: a
//! matrix without a factor is told as everything is that is not finite.

use nalgebra::{DMatrixView, DMatrixViewMut};

use super::triangular::{Half, solve, subtract};
use crate::cholesky::factor_if;
use crate::real::Real;

/// Overwrites `u` with the upper triangular factor of the symmetric part of `a`, `S = UᵀU`, with
/// zeros below it. From the first pivot on that is not positive, or no larger than the rounding of
/// what it is left of, rows are NaN: the block up to it is not positive definite.
pub(super) fn cholesky<T: Real>(a: &[T], n: usize, u: &mut [T]) {
    let half = T::of(0.5);
    for j in 0..n {
        for i in j..n {
            u[i + j * n] = (a[i + j * n] + a[j + i * n]) * half;
        }
    }
    let sound = |j: usize, pivot: T| pivot > noise(j, a[j * (n + 1)] - pivot);
    let failed = factor_if(u, n, &sound).err();
    // U = Lᵀ.
    for j in 0..n {
        for i in 0..j {
            u[i + j * n] = u[j + i * n];
            u[j + i * n] = T::zero();
        }
        for i in failed.unwrap_or(n)..=j {
            u[i + j * n] = nan();
        }
    }
}

/// What rounding may leave of a difference of as many terms, whose sizes add up to `size`.
fn noise<T: Real>(terms: usize, size: T) -> T {
    T::of(terms as f64 * T::EPSILON) * size
}

fn nan<T: Real>() -> T {
    T::of(f64::NAN)
}

/// Overwrites `lu` with the factors of `a` with rows exchanged, `PA = LU`, without the ones on the
/// diagonal of L, and `pivots` with the row that each was exchanged with. A pivot no larger than the
/// rounding of what it is left of is NaN: the matrix is singular.
pub(super) fn lu<T: Real>(a: &[T], n: usize, lu: &mut [T], pivots: &mut [T]) {
    lu.copy_from_slice(a);
    panel(DMatrixViewMut::from_slice(lu, n, n), pivots);
    for j in 0..n {
        let terms = (0..j).map(|k| (lu[j + k * n] * lu[k + j * n]).abs());
        let size = terms.fold(T::zero(), |sum, term| sum + term);
        let pivot = &mut lu[j * (n + 1)];
        if !(pivot.abs() > noise(j, size)) {
            *pivot = nan();
        }
    }
}

/// Factors at least as many rows as columns.
fn panel<T: Real>(mut a: DMatrixViewMut<'_, T>, pivots: &mut [T]) {
    let (m, n) = a.shape();
    if n <= 8 {
        return small_panel(a, pivots);
    }
    let k = n / 2;
    let (mut left, mut right) = a.columns_range_pair_mut(0..k, k..n);
    let (first, second) = pivots.split_at_mut(k);
    panel(left.as_view_mut(), first);
    exchange(right.as_view_mut(), first, 0);
    let (mut above, mut below) = right.rows_range_pair_mut(0..k, k..m);
    solve(
        left.rows_range(0..k),
        above.as_view_mut(),
        Half::UnitLower,
        false,
    );
    subtract(
        below.as_view_mut(),
        left.rows_range(k..m),
        false,
        above.as_view(),
    );
    panel(below, second);
    second.iter_mut().for_each(|p| *p += T::of(k as f64));
    exchange(left, second, k);
}

fn small_panel<T: Real>(mut a: DMatrixViewMut<'_, T>, pivots: &mut [T]) {
    let (m, n) = a.shape();
    for j in 0..n {
        let mut row = j;
        for i in j + 1..m {
            if a[(i, j)].abs() > a[(row, j)].abs() {
                row = i;
            }
        }
        pivots[j] = T::of(row as f64);
        a.swap_rows(j, row);
        let (mut left, mut right) = a.columns_range_pair_mut(0..=j, j + 1..n);
        let mut column = left.column_mut(j);
        let pivot = column[j];
        // A column of zeros is one already.
        if pivot != T::zero() {
            column
                .rows_range_mut(j + 1..)
                .iter_mut()
                .for_each(|v| *v /= pivot);
        }
        for mut other in right.column_iter_mut() {
            let by = other[j];
            other
                .rows_range_mut(j + 1..)
                .axpy(-by, &column.rows_range(j + 1..), T::one());
        }
    }
}

/// Exchanges each row from `first` on with that of its pivot.
fn exchange<T: Real>(mut rows: DMatrixViewMut<'_, T>, pivots: &[T], first: usize) {
    for (i, pivot) in pivots.iter().enumerate() {
        rows.swap_rows(first + i, pivot.f64() as usize);
    }
}

/// `A⁻¹b`, or `A⁻ᵀb`, in place of the columns of `b`, with the factors of [`lu`].
pub(super) fn solve_lu<T: Real>(
    lu: DMatrixView<'_, T>,
    pivots: &[T],
    mut b: DMatrixViewMut<'_, T>,
    transposed: bool,
) {
    if !transposed {
        exchange(b.as_view_mut(), pivots, 0);
        solve(lu, b.as_view_mut(), Half::UnitLower, false);
        return solve(lu, b, Half::Upper, false);
    }
    solve(lu, b.as_view_mut(), Half::Upper, true);
    solve(lu, b.as_view_mut(), Half::UnitLower, true);
    for (i, pivot) in pivots.iter().enumerate().rev() {
        b.swap_rows(i, pivot.f64() as usize);
    }
}
