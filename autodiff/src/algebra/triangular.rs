//! Triangular systems of many right-hand sides, halved until they are small.

use gemm_common::Parallelism;
use nalgebra::{DMatrixView, DMatrixViewMut};

use crate::kernels::dot;
use crate::real::Real;

/// Rows of a block that is no longer halved.
pub(super) const SMALL: usize = 32;

/// What of a matrix is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// The diagonal and what is below it.
    Lower,
    /// What is below the diagonal, which counts as ones.
    UnitLower,
    /// The diagonal and what is above it.
    Upper,
}

/// `T⁻¹b`, or `T⁻ᵀb`, in place of the columns of `b`. A 0 on the diagonal is divided by.
pub(super) fn solve<T: Real>(
    t: DMatrixView<'_, T>,
    mut b: DMatrixViewMut<'_, T>,
    half: Half,
    transposed: bool,
) {
    let n = t.nrows();
    if n <= SMALL {
        return small(t, b, half, transposed);
    }
    let k = n / 2;
    let corner = |from: usize, len: usize| t.view((from, from), (len, len));
    let beside = match half {
        Half::Upper => t.view((0, k), (k, n - k)),
        Half::Lower | Half::UnitLower => t.view((k, 0), (n - k, k)),
    };
    let (mut above, mut below) = b.rows_range_pair_mut(0..k, k..n);
    if (half == Half::Upper) == transposed {
        solve(corner(0, k), above.as_view_mut(), half, transposed);
        subtract(below.as_view_mut(), beside, transposed, above.as_view());
        solve(corner(k, n - k), below, half, transposed);
    } else {
        solve(corner(k, n - k), below.as_view_mut(), half, transposed);
        subtract(above.as_view_mut(), beside, transposed, below.as_view());
        solve(corner(0, k), above, half, transposed);
    }
}

fn small<T: Real>(
    t: DMatrixView<'_, T>,
    mut b: DMatrixViewMut<'_, T>,
    half: Half,
    transposed: bool,
) {
    if t.is_empty() {
        return;
    }
    match (half, transposed) {
        (Half::Lower, false) => t.solve_lower_triangular_unchecked_mut(&mut b),
        (Half::Lower, true) => t.tr_solve_lower_triangular_unchecked_mut(&mut b),
        (Half::Upper, false) => t.solve_upper_triangular_unchecked_mut(&mut b),
        (Half::Upper, true) => t.tr_solve_upper_triangular_unchecked_mut(&mut b),
        (Half::UnitLower, false) => {
            t.solve_lower_triangular_with_diag_unchecked_mut(&mut b, T::one());
        }
        (Half::UnitLower, true) => {
            for mut b in b.column_iter_mut() {
                let b = b.as_mut_slice();
                for i in (0..b.len()).rev() {
                    let below = t.column(i);
                    b[i] -= dot(&below.as_slice()[i + 1..], &b[i + 1..]);
                }
            }
        }
    }
}

/// `out −= a · b`, or `aᵀ · b`.
///
/// # Panics
/// If the shapes disagree.
pub(super) fn subtract<T: Real>(
    mut out: DMatrixViewMut<'_, T>,
    a: DMatrixView<'_, T>,
    transposed: bool,
    b: DMatrixView<'_, T>,
) {
    let ((m, n), k) = (out.shape(), b.nrows());
    let (rows, inner) = if transposed {
        (a.ncols(), a.nrows())
    } else {
        a.shape()
    };
    assert!(
        rows == m && inner == k && b.ncols() == n,
        "a product of {rows}×{inner} and {k}×{} for {m}×{n}",
        b.ncols()
    );
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    let strides = |(row, column): (usize, usize)| (row as isize, column as isize);
    let out_strides = strides(out.strides());
    let (a_row, a_column) = match (strides(a.strides()), transposed) {
        (of, false) => of,
        ((row, column), true) => (column, row),
    };
    let (b_row, b_column) = strides(b.strides());
    // SAFETY: each pointer with its strides walks a view of the shape that was checked, and `out` is
    // borrowed for this call alone. nalgebra's own product has no fast one with a transposed factor.
    unsafe {
        T::gemm()(
            m,
            n,
            k,
            out.as_mut_ptr(),
            out_strides.1,
            out_strides.0,
            true,
            a.as_ptr(),
            a_column,
            a_row,
            b.as_ptr(),
            b_column,
            b_row,
            T::one(),
            -T::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
