//! Cholesky's factorisation of a dense matrix, by products of matrices.
//!
//! ```
//! use autodiff::cholesky;
//!
//! // Column by column; what stands above the diagonal is not looked at.
//! let mut a = [4.0, 2.0, 7.0, 5.0];
//! assert_eq!(cholesky::factor(&mut a, 2), Ok(()));
//! assert_eq!(a, [2.0, 1.0, 7.0, 2.0]);
//! let mut b = [2.0, 5.0];
//! cholesky::solve(&a, &mut b);
//! assert_eq!(b, [0.0, 1.0]);
//! ```

mod changed;

pub use changed::{append, remove};

use gemm_common::Parallelism;
use smallvec::SmallVec;

use crate::kernels::{axpy, dot};
use crate::real::Real;
use crate::threads::for_each;

/// Columns that are factored one by one: narrower products cost more than they save.
const NARROW: usize = 8;
/// Columns of a block of a product: a thread's work at once.
const BLOCK: usize = 64;

/// Replaces the lower triangle of the symmetric `n × n` matrix `a`, column by column, by that of L
/// with `A = L Lᵀ`. What stands above the diagonal is not looked at; some of it is overwritten.
///
/// The left half of the columns is factored, its products are taken from the right half, and that is
/// factored in turn; so nearly all of the `n³/3` operations are in large products of matrices, whose
/// blocks of columns run on several threads. The bits depend on the size alone.
///
/// # Errors
/// The first column whose pivot is not positive, for which A is not positive definite or not finite;
/// the triangle is then partly overwritten.
///
/// # Panics
/// If `a` does not have `n²` entries.
///
/// # Reference
/// F. Gustavson, Recursion leads to automatic variable blocking for dense linear-algebra algorithms,
/// 1997.
#[inline(never)]
pub fn factor<T: Real>(a: &mut [T], n: usize) -> Result<(), usize> {
    factor_if(a, n, &|_, _| true)
}

/// Whether the pivot of a row is more than rounding.
type Sound<'a, T> = &'a (dyn Fn(usize, T) -> bool + Sync);

/// [`factor`] where a pivot must also be `sound`, besides positive.
#[inline(never)]
pub(crate) fn factor_if<T: Real>(a: &mut [T], n: usize, sound: Sound<'_, T>) -> Result<(), usize> {
    assert_eq!(a.len(), n * n, "a matrix of {n} × {n}");
    match n {
        0 => Ok(()),
        _ => columns(a, n, 0, sound),
    }
}

/// Factors the columns from `first` on that `a` holds, each of `n` entries: what the ones before them
/// contribute was taken off.
fn columns<T: Real>(a: &mut [T], n: usize, first: usize, sound: Sound<'_, T>) -> Result<(), usize> {
    let width = a.len() / n;
    if width <= NARROW {
        return narrow(a, n, first, sound);
    }
    let half = (width / 2).next_multiple_of(NARROW);
    let (left, right) = a.split_at_mut(half * n);
    columns(left, n, first, sound)?;
    let middle = first + half;
    take_off(left, right, n, middle);
    columns(right, n, middle, sound)
}

/// Takes the products of the factored columns `left` off those from `first` on, `right`.
fn take_off<T: Real>(left: &[T], right: &mut [T], n: usize, first: usize) {
    let depth = left.len() / n;
    let work = (n - first) * (right.len() / n) * depth / 2;
    let blocks = right.chunks_mut(BLOCK * n).enumerate();
    let mut blocks: SmallVec<[(usize, &mut [T]); 16]> = blocks.collect();
    for_each(&mut blocks, work, |(k, out)| {
        let row = first + *k * BLOCK;
        let (rows, cols) = (n - row, out.len() / n);
        subtract(&mut out[row..], &left[row..], [rows, cols, depth], n);
    });
}

/// [`columns`], one by one.
fn narrow<T: Real>(a: &mut [T], n: usize, first: usize, sound: Sound<'_, T>) -> Result<(), usize> {
    for j in 0..a.len() / n {
        let row = first + j;
        let (done, rest) = a.split_at_mut(j * n);
        let column = &mut rest[row..n];
        for before in done.chunks_exact(n) {
            axpy(column, -before[row], &before[row..]);
        }
        let pivot = column[0].sqrt();
        // Written so that a NaN is none.
        if !(pivot > T::zero() && pivot.is_finite() && sound(row, column[0])) {
            return Err(row);
        }
        let inverse = T::one() / pivot;
        column.iter_mut().for_each(|v| *v *= inverse);
        column[0] = pivot;
    }
    Ok(())
}

/// `out −= P Qᵀ` with P of `rows × depth`, Q its first `cols` rows, all with columns `stride` apart.
fn subtract<T: Real>(out: &mut [T], p: &[T], [rows, cols, depth]: [usize; 3], stride: usize) {
    let last = |cols: usize| (cols - 1) * stride + rows;
    assert!(0 < cols && cols <= rows && 0 < depth && rows <= stride);
    assert!(last(cols) <= out.len() && last(depth) <= p.len());
    // SAFETY: the last entry of each view lies within its slice, as asserted: Q's rows are among P's.
    // `out` is a unique borrow, so it overlaps neither.
    unsafe {
        T::gemm()(
            rows,
            cols,
            depth,
            out.as_mut_ptr(),
            stride as isize,
            1,
            true,
            p.as_ptr(),
            stride as isize,
            1,
            p.as_ptr(),
            1,
            stride as isize,
            T::one(),
            -T::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Replaces `b` by the solution of `L Lᵀ v = b`, for the lower triangle that [`factor`] left in `l`.
///
/// # Panics
/// If `l` does not have `n²` entries for the `n` of `b`.
#[inline(never)]
pub fn solve<T: Real>(l: &[T], b: &mut [T]) {
    let n = b.len();
    assert_eq!(l.len(), n * n, "a factor of {n} × {n}");
    for (j, column) in l.chunks_exact(n.max(1)).enumerate() {
        let (solved, rest) = b[j..].split_at_mut(1);
        solved[0] /= column[j];
        axpy(rest, -solved[0], &column[j + 1..]);
    }
    for (j, column) in l.chunks_exact(n.max(1)).enumerate().rev() {
        let below = dot(&column[j + 1..], &b[j + 1..]);
        b[j] = (b[j] - below) / column[j];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `MᵀM + n I` of irregular entries, with NaNs above the diagonal.
    fn definite<T: Real>(n: usize) -> Vec<T> {
        let m = |i: usize, j: usize| ((i * 37 + j * 101) as f64).sin();
        let entry = |i: usize, j: usize| -> f64 { (0..n).map(|k| m(k, i) * m(k, j)).sum() };
        let mut a = vec![T::of(f64::NAN); n * n];
        for j in 0..n {
            for i in j..n {
                a[i + j * n] = T::of(entry(i, j) + if i == j { n as f64 } else { 0.0 });
            }
        }
        a
    }

    fn factors_multiply_to_the_matrix<T: Real>() {
        for n in [0, 1, 2, 7, 8, 9, 16, 31, 64, 65, 130, 201] {
            let a = definite::<T>(n);
            let mut l = a.clone();
            assert_eq!(factor(&mut l, n), Ok(()), "{n}");
            for j in 0..n {
                for i in 0..n {
                    if i < j {
                        continue;
                    }
                    let row = |i: usize, k: usize| l[i + k * n].f64();
                    let product: f64 = (0..=j).map(|k| row(i, k) * row(j, k)).sum();
                    let error = (product - a[i + j * n].f64()).abs();
                    assert!(
                        error <= 4.0 * n as f64 * T::EPSILON * n as f64,
                        "{n}: {error}"
                    );
                }
            }
            let wanted = |i: usize| 1.0 + (i as f64).cos();
            let of = |i: usize, j: usize| a[i.max(j) + i.min(j) * n].f64();
            let b = |i: usize| (0..n).map(|j| of(i, j) * wanted(j)).sum();
            let mut v = Vec::from_iter((0..n).map(|i| T::of(b(i))));
            solve(&l, &mut v);
            for (i, v) in v.iter().enumerate() {
                let error = (v.f64() - wanted(i)).abs();
                assert!(error < 100.0 * T::EPSILON * (1 + n) as f64, "{n}: {error}");
            }
        }
    }

    #[test]
    fn factors_multiply_to_the_matrix_and_solve_it() {
        factors_multiply_to_the_matrix::<f64>();
        factors_multiply_to_the_matrix::<f32>();
    }

    #[test]
    fn the_first_pivot_that_is_not_positive_is_told() {
        let n = 40;
        for (at, value) in [
            (0, 0.0),
            (7, -1.0),
            (8, f64::NAN),
            (33, f64::INFINITY),
            (39, 0.0),
        ] {
            let mut a = vec![0.0; n * n];
            (0..n).for_each(|i| a[i + i * n] = 1.0);
            a[at + at * n] = value;
            assert_eq!(factor(&mut a, n), Err(at));
        }
    }

    #[test]
    fn the_bits_are_the_same_on_any_number_of_threads() {
        let a = definite::<f64>(300);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let mut l = a.clone();
            let pool = pool.build().expect("a pool");
            assert_eq!(pool.install(|| factor(&mut l, 300)), Ok(()));
            l.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        let one = on(1);
        assert!(one == on(2) && one == on(3));
    }
}
