//! Factors of a matrix that lost some rows and columns, or has some more.

use crate::kernels::{axpy, dot};
use crate::real::Real;

/// Replaces the factor of an `n × n` matrix, which [`factor`](super::factor) left in `l`, by that of the
/// matrix without the rows and columns `which`, which ascend: by the first `(n − c)²` entries for c of
/// them. The columns behind each take what it had of them by rotations; `room` has n entries at least.
///
/// # Panics
/// If `l` does not have `n²` entries, or there is no such row.
///
/// # Reference
/// P. Gill, G. Golub, W. Murray and M. Saunders, Methods for modifying matrix factorizations,
/// Mathematics of Computation 28, 1974.
#[inline(never)]
pub fn remove<T: Real>(l: &mut [T], n: usize, which: &[usize], room: &mut [T]) {
    assert_eq!(l.len(), n * n, "a factor of {n} × {n}");
    for i in which.iter().rev() {
        let own = &mut room[..n - i - 1];
        own.copy_from_slice(&l[i * n + i + 1..(i + 1) * n]);
        // What stands in the rows that went before is not looked at again.
        for j in (i + 1..n).filter(|j| which.binary_search(j).is_err()) {
            rotate(&mut l[j * n + j..(j + 1) * n], &mut own[j - i - 1..]);
        }
    }
    let mut to = 0;
    for j in (0..n).filter(|j| which.binary_search(j).is_err()) {
        let mut from = 0;
        for end in which.iter().copied().chain([n]) {
            l.copy_within(j * n + from..j * n + end, to);
            to += end - from;
            from = end + 1;
        }
    }
}

/// Turns a column and another one so that the first entry of that becomes 0.
fn rotate<T: Real>(column: &mut [T], other: &mut [T]) {
    let (a, b) = (column[0], other[0]);
    let size = (a * a + b * b).sqrt();
    let (c, s) = (a / size, b / size);
    for (x, w) in column.iter_mut().zip(other) {
        (*x, *w) = (c * *x + s * *w, c * *w - s * *x);
    }
}

/// Replaces the factor of an `n × n` matrix in the first `n²` entries of `l` by that of the matrix with
/// `count` rows and columns more, in all `(n + count)²`. Of the k-th of these `column` is asked for what
/// stands above the diagonal and on it, `n + k + 1` entries; `room` has `n + count` at least.
///
/// # Errors
/// The first of the columns whose pivot is not positive; `l` is then no factor any more.
///
/// # Panics
/// If `l` does not have as many entries.
#[inline(never)]
pub fn append<T: Real>(
    l: &mut [T],
    (n, count): (usize, usize),
    room: &mut [T],
    column: &mut dyn FnMut(usize, &mut [T]),
) -> Result<(), usize> {
    let stride = n + count;
    assert_eq!(l.len(), stride * stride, "a factor of {stride} × {stride}");
    for j in (0..n).rev() {
        l.copy_within(j * n + j..(j + 1) * n, j * stride + j);
    }
    for size in n..stride {
        column(size - n, &mut room[..=size]);
        let (row, diagonal) = room[..=size].split_at_mut(size);
        for j in 0..size {
            let before = &l[j * stride + j..j * stride + size];
            let (solved, rest) = row[j..].split_at_mut(1);
            solved[0] /= before[0];
            axpy(rest, -solved[0], &before[1..]);
        }
        let pivot = (diagonal[0] - dot(row, row)).sqrt();
        // Written so that a NaN is none.
        if !(pivot > T::zero() && pivot.is_finite()) {
            return Err(size);
        }
        for (j, v) in row.iter().enumerate() {
            l[j * stride + size] = *v;
        }
        l[size * stride + size] = pivot;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::factor;
    use super::*;

    fn entry(i: usize, j: usize) -> f64 {
        let apart = i.abs_diff(j) as f64;
        (-0.3 * apart).exp() * (0.2 * (i + j) as f64).cos() * 0.4 + if i == j { 3.0 } else { 0.0 }
    }

    fn of<T: Real>(rows: &[usize]) -> Vec<T> {
        let all = rows.iter().flat_map(|j| rows.iter().map(move |i| (i, j)));
        all.map(|(i, j)| T::of(entry(*i, *j))).collect()
    }

    fn factored<T: Real>(rows: &[usize]) -> Vec<T> {
        let mut l = of(rows);
        assert_eq!(factor(&mut l, rows.len()), Ok(()));
        l
    }

    fn is_that_of<T: Real>(found: &[T], rows: &[usize]) {
        let (n, wanted) = (rows.len(), factored::<T>(rows));
        for j in 0..n {
            for i in j..n {
                let off = (found[i + j * n] - wanted[i + j * n]).f64().abs();
                assert!(off < 50.0 * T::EPSILON, "{n} {i} {j}: {off:e}");
            }
        }
    }

    fn changed_factors_are_those_of_the_changed_matrix<T: Real>() {
        for n in [1, 2, 9, 40] {
            let rows = Vec::from_iter(0..n);
            for which in [vec![0], vec![n - 1], (0..n).step_by(3).collect()] {
                let (mut l, mut room) = (factored::<T>(&rows), vec![T::of(f64::NAN); n + 5]);
                remove(&mut l, n, &which, &mut room);
                let mut rows = rows.clone();
                rows.retain(|i| !which.contains(i));
                is_that_of(&l[..rows.len() * rows.len()], &rows);
                let (kept, count) = (rows.len(), which.len());
                rows.extend(which.iter().rev());
                l.resize(rows.len() * rows.len(), T::of(f64::NAN));
                let mut column = |k: usize, out: &mut [T]| {
                    for (out, i) in out.iter_mut().zip(&rows) {
                        *out = T::of(entry(*i, rows[kept + k]));
                    }
                };
                let found = append(&mut l, (kept, count), &mut room, &mut column);
                assert_eq!(found, Ok(()));
                is_that_of(&l, &rows);
            }
        }
    }

    #[test]
    fn changed_factors_are_those_of_the_changed_matrix_in_both_precisions() {
        changed_factors_are_those_of_the_changed_matrix::<f64>();
        changed_factors_are_those_of_the_changed_matrix::<f32>();
    }

    #[test]
    fn a_column_that_leaves_no_definite_matrix_is_told() {
        let mut l = factored::<f64>(&[0, 1, 2]);
        l.resize(25, 0.0);
        // The same column twice.
        let mut column = |_: usize, out: &mut [f64]| {
            out.fill(0.0);
            out[out.len() - 1] = 1.0;
            if out.len() == 5 {
                out[3] = 1.0;
            }
        };
        let mut room = [0.0; 5];
        assert_eq!(append(&mut l, (3, 2), &mut room, &mut column), Err(4));
    }
}
