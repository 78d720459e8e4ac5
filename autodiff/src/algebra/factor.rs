//! Where a matrix is factored: the one place for every operation that needs a factor.
//!
//! Both factorisations halve the matrix until it is small, so that nearly all of the work is in
//! matrix products. A pivot that may be all rounding becomes NaN, and so does what is made of it: a
//! matrix without a factor is told as everything is that is not finite.

use nalgebra::{DMatrixView, DMatrixViewMut};

use super::triangular::{Half, SMALL, solve, subtract};
use crate::kernels::dot;
use crate::real::Real;

/// Overwrites `u` with the upper triangular factor of the symmetric part of `a`, `S = UᵀU`, with
/// zeros below it. From the first pivot on that is not positive, or no larger than the rounding of
/// what it is left of, rows are NaN: the block up to it is not positive definite.
pub(super) fn cholesky<T: Real>(a: &[T], n: usize, u: &mut [T]) {
    let half = T::of(0.5);
    for j in 0..n {
        for i in 0..n {
            u[i + j * n] = match i <= j {
                true => (a[i + j * n] + a[j + i * n]) * half,
                false => T::zero(),
            };
        }
    }
    upper(DMatrixViewMut::from_slice(u, n, n), 0, &|j| a[j * (n + 1)]);
}

/// Factors the block whose first row is `first` of the whole, what is above it being done.
fn upper<T: Real>(mut u: DMatrixViewMut<'_, T>, first: usize, diagonal: &dyn Fn(usize) -> T) {
    let n = u.nrows();
    if n <= SMALL {
        return small(u, first, diagonal);
    }
    let k = n / 2;
    let (mut left, mut right) = u.columns_range_pair_mut(0..k, k..n);
    let mut corner = left.rows_range_mut(0..k);
    upper(corner.as_view_mut(), first, diagonal);
    let (mut above, mut below) = right.rows_range_pair_mut(0..k, k..n);
    solve(corner.as_view(), above.as_view_mut(), Half::Upper, true);
    // What is below the diagonal stays 0: columns in groups, each down to its last row.
    let width = (n / 8).next_multiple_of(SMALL);
    for start in (0..n - k).step_by(width) {
        let end = (n - k).min(start + width);
        let (of, by) = (above.columns_range(0..end), above.columns_range(start..end));
        let out = below.view_range_mut(0..end, start..end);
        subtract(out, of, true, by);
    }
    for j in 0..n - k {
        below.view_range_mut(j + 1.., j..=j).fill(T::zero());
    }
    upper(below, first + k, diagonal);
}

fn small<T: Real>(mut u: DMatrixViewMut<'_, T>, first: usize, diagonal: &dyn Fn(usize) -> T) {
    for j in 0..u.nrows() {
        let (done, mut rest) = u.columns_range_pair_mut(0..j, j..=j);
        let mut column = rest.column_mut(0);
        let column = &mut column.as_mut_slice()[..=j];
        for i in 0..j {
            let of = done.column(i);
            let of = of.as_slice();
            column[i] = (column[i] - dot(&of[..i], &column[..i])) / of[i];
        }
        let pivot = column[j] - dot(&column[..j], &column[..j]);
        let taken = diagonal(first + j) - pivot;
        let sound = pivot > T::zero() && pivot > noise(first + j, taken);
        column[j] = if sound { pivot.sqrt() } else { nan() };
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
