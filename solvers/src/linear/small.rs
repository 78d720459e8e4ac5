//! Bases of a few vectors and symmetric matrices of a few rows, in room that is given.

use autodiff::Real;
use autodiff::kernels::{axpy, dot, norm};

/// Replaces the vectors of `n` entries in `z` by an orthonormal basis of what they span, and says how
/// many vectors that has. A vector of which less than a `part` is left beside those before it is left
/// out, one of 0 too. Column j of `s`, of as many rows as there were vectors, is vector j in the basis.
///
/// Gram and Schmidt's modified, twice, which is enough: L. Giraud, J. Langou and M. Rozložník, The loss
/// of orthogonality in the Gram-Schmidt orthogonalization process, 2005.
pub(super) fn orthonormalise<T: Real>(z: &mut [T], n: usize, part: f64, s: &mut [T]) -> usize {
    let count = z.len() / n;
    let mut rank = 0;
    for j in 0..count {
        let s = &mut s[j * count..][..count];
        s.fill(T::zero());
        let (basis, rest) = z.split_at_mut(j * n);
        let vector = &mut rest[..n];
        let before = norm(vector);
        for _ in 0..2 {
            for (c, q) in basis[..rank * n].chunks_exact(n).enumerate() {
                let along = dot(q, vector);
                axpy(vector, -along, q);
                s[c] += along;
            }
        }
        let left = norm(vector);
        if left.f64() > part * before.f64() {
            vector.iter_mut().for_each(|v| *v /= left);
            s[rank] = left;
            z.copy_within(j * n..(j + 1) * n, rank * n);
            rank += 1;
        }
    }
    rank
}

/// Does to the vectors `hz` what [`orthonormalise`] did to those that it gave `s` for, so that products
/// with a matrix stay products with it.
pub(super) fn follow<T: Real>(hz: &mut [T], n: usize, s: &[T]) {
    let count = hz.len() / n;
    let mut rank = 0;
    for j in 0..count {
        let s = &s[j * count..][..count];
        if rank == count || s[rank] == T::zero() {
            continue;
        }
        let (before, rest) = hz.split_at_mut(j * n);
        let vector = &mut rest[..n];
        for (c, q) in before[..rank * n].chunks_exact(n).enumerate() {
            axpy(vector, -s[c], q);
        }
        vector.iter_mut().for_each(|v| *v /= s[rank]);
        hz.copy_within(j * n..(j + 1) * n, rank * n);
        rank += 1;
    }
}

/// Eigenvalues of the symmetric matrix `a` of `m` rows, ascending, and its eigenvectors as columns of
/// `u`; `a` is overwritten. Entries have to be finite.
///
/// C. Jacobi's rotations, row by row.
pub(super) fn eigen<T: Real>(a: &mut [T], m: usize, values: &mut [T], u: &mut [T]) {
    u.fill(T::zero());
    (0..m).for_each(|i| u[i * m + i] = T::one());
    // Convergence is quadratic from the fourth sweep or so on.
    for _ in 0..30 {
        let mut rotated = false;
        for p in 0..m {
            for q in p + 1..m {
                let (app, aqq, apq) = (a[p * m + p].f64(), a[q * m + q].f64(), a[q * m + p].f64());
                if apq.abs() <= T::EPSILON * 0.1 * (app.abs() * aqq.abs()).sqrt() {
                    continue;
                }
                rotated = true;
                let theta = (aqq - app) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let (c, s) = (T::of(c), T::of(t * c));
                for columns in [&mut *a, &mut *u] {
                    for i in 0..m {
                        let (x, y) = (columns[p * m + i], columns[q * m + i]);
                        columns[p * m + i] = c * x - s * y;
                        columns[q * m + i] = s * x + c * y;
                    }
                }
                for j in 0..m {
                    let (x, y) = (a[j * m + p], a[j * m + q]);
                    a[j * m + p] = c * x - s * y;
                    a[j * m + q] = s * x + c * y;
                }
                (a[q * m + p], a[p * m + q]) = (T::zero(), T::zero());
            }
        }
        if !rotated {
            break;
        }
    }
    (0..m).for_each(|i| values[i] = a[i * m + i]);
    for i in 0..m {
        let next = (i..m).fold(i, |least, j| match values[j] < values[least] {
            true => j,
            false => least,
        });
        values.swap(i, next);
        (0..m).for_each(|row| u.swap(i * m + row, next * m + row));
    }
}

/// Overwrites `out`, column by column, with the products of the vectors `a` and `b` of `n` entries,
/// `aᵀb`; symmetric where `b` is a symmetric matrix times `a`, and made so.
pub(super) fn gram<T: Real>(a: &[T], b: &[T], n: usize, out: &mut [T]) {
    let m = a.len() / n;
    for (j, b) in b.chunks_exact(n).enumerate() {
        for (i, a) in a.chunks_exact(n).enumerate() {
            out[j * m + i] = dot(a, b);
        }
    }
    let half = T::of(0.5);
    for j in 0..m {
        for i in 0..j {
            let mean = (out[j * m + i] + out[i * m + j]) * half;
            (out[j * m + i], out[i * m + j]) = (mean, mean);
        }
    }
}

/// Replaces the first vectors of `n` entries in `z` by the combinations whose coefficients are the
/// columns of `u`; `row` has room for as many numbers as there are vectors.
pub(super) fn rotate<T: Real>(z: &mut [T], n: usize, u: &[T], row: &mut [T]) {
    let m = z.len() / n;
    for i in 0..n {
        for (j, entry) in row[..m].iter_mut().enumerate() {
            *entry = z[j * n + i];
        }
        for (j, u) in u.chunks_exact(m).enumerate() {
            z[j * n + i] = (row.iter().zip(u)).fold(T::zero(), |sum, (z, u)| sum + *z * *u);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-14 * (1.0 + b.abs()), "{a} against {b}");
    }

    #[test]
    fn what_depends_on_others_is_left_out_and_the_rest_is_known_in_the_basis() {
        let given = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 0.0, 1.0, 0.0, 3.0];
        let (mut z, mut s) = (given, [9.0; 16]);
        let rank = orthonormalise(&mut z, 3, 1e-12, &mut s);
        assert_eq!(rank, 2);
        for (j, vector) in given.chunks(3).enumerate() {
            for (i, want) in vector.iter().enumerate() {
                close((0..rank).map(|c| z[c * 3 + i] * s[j * 4 + c]).sum(), *want);
            }
        }
        // Twice the vectors lead to twice the basis.
        let mut doubled = given.map(|v| 2.0 * v);
        follow(&mut doubled, 3, &s);
        for i in 0..6 {
            close(doubled[i], 2.0 * z[i]);
        }
    }

    #[test]
    fn eigenvalues_ascend_and_their_vectors_make_the_matrix() {
        // The second differences' eigenvalues are 2 − 2 cos(kπ/(m + 1)); with no diagonal, 2 cos.
        for (m, diagonal) in [(1, 2.0), (2, 0.0), (7, 2.0), (8, 0.0), (24, 2.0)] {
            let mut a = vec![0.0; m * m];
            for i in 0..m {
                a[i * m + i] = diagonal;
                if i > 0 {
                    (a[i * m + i - 1], a[(i - 1) * m + i]) = (-1.0, -1.0);
                }
            }
            let (given, mut values, mut u) = (a.clone(), vec![0.0; m], vec![0.0; m * m]);
            eigen(&mut a, m, &mut values, &mut u);
            for k in 0..m {
                let angle = (k + 1) as f64 * std::f64::consts::PI / (m + 1) as f64;
                close(values[k], diagonal - 2.0 * angle.cos());
                for i in 0..m {
                    let product: f64 = (0..m).map(|j| given[j * m + i] * u[k * m + j]).sum();
                    assert!((product - values[k] * u[k * m + i]).abs() < 1e-13);
                }
            }
        }
    }
}
