//! The kernel of the derivative of a proximal map.

use autodiff::Real;
use autodiff::kernels::axpy;
use nalgebra::DMatrix;

/// A pivot below this is 0, of a matrix with eigenvalues from 0 to 1.
fn zero<T: Real>() -> T {
    T::of(1e-8_f64.max(1e3 * T::EPSILON))
}

/// An orthonormal basis of the kernel of a symmetric positive semidefinite matrix with eigenvalues up to
/// 1, if there is any; `n³` operations.
///
/// Cholesky's factorisation with the largest pivot first ends where the matrix has no more rank: with
/// `(D₁ D₂ᵀ; D₂ …) = (L₁; L₂)(L₁; L₂)ᵀ` the columns of `(−L₁⁻ᵀL₂ᵀ; I)` are what it loses.
///
/// Reference: N. Higham, Analysis of the Cholesky decomposition of a semi-definite matrix, 1990.
pub(super) fn kernel<T: Real>(mut d: DMatrix<T>) -> Option<DMatrix<T>> {
    let n = d.nrows();
    let mut order: Vec<usize> = (0..n).collect();
    let mut rank = n;
    for k in 0..n {
        let pivot = (k..n).fold(
            k,
            |best, i| if d[(i, i)] > d[(best, best)] { i } else { best },
        );
        // Written so that a NaN is none.
        if !(d[(pivot, pivot)] > zero()) {
            rank = k;
            break;
        }
        d.swap_rows(k, pivot);
        d.swap_columns(k, pivot);
        order.swap(k, pivot);
        let root = d[(k, k)].sqrt();
        let (done, rest) = d.as_mut_slice().split_at_mut((k + 1) * n);
        let column = &mut done[k * n + k..];
        column.iter_mut().for_each(|v| *v /= root);
        let column = &column[1..];
        for (by, other) in column.iter().zip(rest.chunks_exact_mut(n)) {
            axpy(&mut other[k + 1..], -*by, column);
        }
    }
    if rank == n {
        return None;
    }
    let mut basis = DMatrix::zeros(n, n - rank);
    for c in 0..n - rank {
        let mut rest: Vec<T> = (0..rank).map(|k| -d[(rank + c, k)]).collect();
        for k in (0..rank).rev() {
            let mut sum = rest[k];
            for i in k + 1..rank {
                sum -= d[(i, k)] * rest[i];
            }
            rest[k] = sum / d[(k, k)];
        }
        for (k, v) in rest.iter().enumerate() {
            basis[(order[k], c)] = *v;
        }
        basis[(order[rank + c], c)] = T::one();
    }
    Some(basis.qr().q())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_projection_loses_is_found_whole() {
        for (n, lost) in [(1, 0), (1, 1), (7, 3), (40, 1), (300, 2)] {
            let off = DMatrix::from_fn(n, lost, |i, j| ((i * 37 + j * 101) as f64).sin());
            let q = off.qr().q();
            let scale = DMatrix::from_diagonal_element(n, n, 0.3);
            let d = &scale - &q * q.transpose() * 0.3;
            match kernel(d) {
                None => assert_eq!(lost, 0),
                Some(found) => {
                    assert_eq!(found.ncols(), lost, "{n}");
                    let apart = &found * found.transpose() - &q * q.transpose();
                    assert!(apart.amax() < 1e-12, "{n}: {}", apart.amax());
                }
            }
        }
    }
}
