//! The dense kernels every rule is built on: products, sums and updates of plain slices.
//!
//! Products of matrices are the crate `gemm`'s, those with a vector `matvec`'s. The only
//! `unsafe` is the call of the former, after its bounds are checked.

mod gemm;
mod update;

use gemm_common::Parallelism;
use smallvec::SmallVec;

use crate::matvec::Columns;
use crate::real::Real;
use crate::threads::for_each;

pub use gemm::Gemm;
pub use update::{add, axpy};
pub(crate) use update::{add_products, put, put_multiple, put_multiple_twice, put_number};

/// A read-only strided view of a matrix.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> View<'a, T> {
    /// A column-major `rows × cols` matrix.
    ///
    /// # Panics
    /// If `data` does not hold `rows · cols` entries.
    pub(crate) fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "matrix({rows}×{cols}) view");
        View {
            data,
            rows,
            cols,
            row_stride: 1,
            col_stride: rows,
        }
    }

    /// The transposed view of the same entries.
    #[must_use]
    pub(crate) fn t(self) -> Self {
        View {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Its columns, or its rows as columns and `true`; `None` if neither are runs of entries.
    fn runs(self) -> Option<(Columns<'a, T>, bool)> {
        let across = !(self.row_stride == 1 && self.rows > 1);
        if across && self.col_stride != 1 {
            return None;
        }
        let (rows, count, stride) = match across {
            false => (self.rows, self.cols, self.col_stride),
            true => (self.cols, self.rows, self.row_stride),
        };
        let columns = Columns {
            entries: self.data,
            rows,
            count,
            stride,
            at: None,
        };
        Some((columns, across))
    }

    /// The view of `count` columns from `first` on.
    fn columns(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.cols, "columns of a view");
        View {
            data: &self.data[first * self.col_stride..],
            cols: count,
            ..self
        }
    }

    /// The transposed view if `transpose`, else this one.
    #[must_use]
    pub(crate) fn t_if(self, transpose: bool) -> Self {
        if transpose { self.t() } else { self }
    }
}

/// `out += a · b`, where `out` is column-major, or its transpose is if `out_transposed`: see
/// [`matmul`].
///
/// # Panics
/// If the shapes disagree.
pub(crate) fn matmul_add<T: Real>(
    out: &mut [T],
    out_transposed: bool,
    a: View<'_, T>,
    b: View<'_, T>,
) {
    matmul(out, out_transposed, a, b, false);
}

/// [`matmul_add`], or `out = a · b` if `out` is `fresh`.
///
/// Large products are cut into blocks of columns of what is column-major, which run on several
/// threads; the cut, and so the bits, depend on the sizes alone.
///
/// The `gemm` crate allocates and frees the memory that it packs blocks of its operands into, about
/// the size of a second-level cache; no meter sees it.
///
/// # Panics
/// If the shapes disagree.
pub(crate) fn matmul<T: Real>(
    out: &mut [T],
    out_transposed: bool,
    a: View<'_, T>,
    b: View<'_, T>,
    fresh: bool,
) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(k, b.rows, "matmul: inner dimensions");
    assert_eq!(out.len(), m * n, "matmul: output length");
    if m == 0 || n == 0 || k == 0 {
        if fresh {
            out.fill(T::zero());
        }
        return;
    }
    // A vector is its own transpose.
    if n == 1 && products(a, [b.data], [&mut *out], fresh) {
        return;
    }
    if m == 1 && products(b.t(), [a.data], [&mut *out], fresh) {
        return;
    }
    if out_transposed {
        // out ᵀ = bᵀ aᵀ
        blocks(out, b.t(), a.t(), fresh);
    } else {
        blocks(out, a, b, fresh);
    }
}

/// `outs[k] = a vs[k]`, or `outs[k] += a vs[k]` where they are not `fresh`, in one pass over the matrix.
/// It was not done, and `false`, if neither the columns nor the rows of that are runs of entries.
pub(crate) fn products<T: Real, const N: usize>(
    a: View<'_, T>,
    vs: [&[T]; N],
    outs: [&mut [T]; N],
    fresh: bool,
) -> bool {
    let Some((columns, across)) = a.runs() else {
        return false;
    };
    columns.with(across, vs, outs, fresh);
    true
}

/// [`products`] of the columns of `vs`, one after the other, some of them in each pass over `a`: each has
/// the bits that it has alone.
pub(crate) fn columns<T: Real>(a: View<'_, T>, vs: &[T], outs: &mut [T], fresh: bool) -> bool {
    if a.rows == 0 || a.cols == 0 {
        if fresh {
            outs.fill(T::zero());
        }
        return true;
    }
    let Some((of, across)) = a.runs() else {
        return false;
    };
    of.with_each(across, vs, outs, fresh);
    true
}

/// Multiplications in a block of a product: some tenth of a millisecond.
const BLOCK_WORK: usize = 1 << 22;
/// At most this many blocks.
const BLOCKS: usize = 8;

/// [`matmul_add`] to a column-major `out`, in blocks of columns.
fn blocks<T: Real>(out: &mut [T], a: View<'_, T>, b: View<'_, T>, fresh: bool) {
    let work = a.rows * a.cols * b.cols;
    let count = (work / BLOCK_WORK).clamp(1, BLOCKS);
    // Whole registers of the kernels, whose width divides this.
    let width = b.cols.div_ceil(count).next_multiple_of(8);
    if width >= b.cols {
        return product(out, a, b, fresh);
    }
    let columns = out.chunks_mut(width * a.rows);
    let mut parts: SmallVec<[(usize, &mut [T]); BLOCKS]> = columns.enumerate().collect();
    for_each(&mut parts, work, |(at, out)| {
        product(out, a, b.columns(*at * width, out.len() / a.rows), fresh);
    });
}

/// [`matmul_add`] to a column-major `out`.
fn product<T: Real>(out: &mut [T], a: View<'_, T>, b: View<'_, T>, fresh: bool) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert!(k == b.rows && out.len() == m * n, "product: shapes");
    // SAFETY: the three views lie within their slices: `View` checks rows·cols = len, and then only
    // swaps its strides or drops columns at either end; `out` was checked to hold m·n entries with
    // the strides (1, m). `out` is a unique borrow, so it overlaps neither input.
    unsafe {
        T::gemm()(
            m,
            n,
            k,
            out.as_mut_ptr(),
            m as isize,
            1,
            !fresh,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            if fresh { T::zero() } else { T::one() },
            T::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// `Σ aᵢ bᵢ`, summed in eight fixed lanes, so that the bits depend on the length alone.
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    assert_eq!(a.len(), b.len(), "dot: lengths");
    let mut lanes = [T::zero(); 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (p, q) in a8.iter().zip(b8) {
        for l in 0..8 {
            lanes[l] += p[l] * q[l];
        }
    }
    let mut sum = fold(lanes);
    for (p, q) in a_rest.iter().zip(b_rest) {
        sum += *p * *q;
    }
    sum
}

/// `Σ aᵢ bᵢ` in double precision, summed in eight fixed lanes: squares of single-precision numbers
/// neither overflow nor underflow.
///
/// # Panics
/// If the lengths differ.
pub fn dot_f64<T: Real>(a: &[T], b: &[T]) -> f64 {
    assert_eq!(a.len(), b.len(), "dot: lengths");
    let mut lanes = [0.0f64; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (p, q) in a8.iter().zip(b8) {
        for l in 0..8 {
            lanes[l] += p[l].f64() * q[l].f64();
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(p, q)| p.f64() * q.f64());
    lanes.iter().sum::<f64>() + rest.sum::<f64>()
}

/// `Σ aᵢ`, summed in eight fixed lanes.
pub fn sum<T: Real>(a: &[T]) -> T {
    let mut lanes = [T::zero(); 8];
    let (a8, rest) = a.as_chunks::<8>();
    for p in a8 {
        for l in 0..8 {
            lanes[l] += p[l];
        }
    }
    rest.iter().fold(fold(lanes), |s, v| s + *v)
}

fn fold<T: Real>(l: [T; 8]) -> T {
    ((l[0] + l[4]) + (l[1] + l[5])) + ((l[2] + l[6]) + (l[3] + l[7]))
}

/// The Euclidean norm, scaled so that it neither overflows nor underflows.
pub fn norm<T: Real>(a: &[T]) -> T {
    let (a8, rest) = a.as_chunks::<8>();
    let (mut largest, mut nothing) = ([T::zero(); 8], [T::zero(); 8]);
    // `max` would skip a NaN.
    for p in a8 {
        for l in 0..8 {
            largest[l] = largest[l].max(p[l].abs());
            nothing[l] += p[l] * T::zero();
        }
    }
    for (l, v) in rest.iter().enumerate() {
        largest[l] = largest[l].max(v.abs());
        nothing[l] += *v * T::zero();
    }
    if nothing.iter().any(|v| *v != T::zero()) {
        return a.iter().fold(T::zero(), |s, v| s + v.abs());
    }
    let largest = largest.iter().fold(T::zero(), |m, v| m.max(*v));
    if largest == T::zero() {
        return largest;
    }
    let mut sums = [T::zero(); 8];
    for p in a8 {
        for l in 0..8 {
            let q = p[l] / largest;
            sums[l] += q * q;
        }
    }
    let mut sum = fold(sums);
    for v in rest {
        let q = *v / largest;
        sum += q * q;
    }
    largest * sum.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_every_transposition_agree_with_the_definition() {
        let (m, n, k) = (3, 4, 5);
        let a: Vec<f64> = (0..m * k).map(|i| (i as f64).sin()).collect();
        let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 1.7).cos()).collect();
        for (ta, tb, tout) in (0..8).map(|i| (i & 1 == 1, i & 2 == 2, i & 4 == 4)) {
            let va = if ta {
                View::new(&a, k, m).t()
            } else {
                View::new(&a, m, k)
            };
            let vb = if tb {
                View::new(&b, n, k).t()
            } else {
                View::new(&b, k, n)
            };
            let mut out = vec![1.0; m * n];
            matmul_add(&mut out, tout, va, vb);
            for i in 0..m {
                for j in 0..n {
                    let want: f64 = 1.0
                        + (0..k)
                            .map(|l| {
                                let x = if ta { a[l + i * k] } else { a[i + l * m] };
                                let y = if tb { b[j + l * n] } else { b[l + j * k] };
                                x * y
                            })
                            .sum::<f64>();
                    let got = if tout { out[j + i * n] } else { out[i + j * m] };
                    assert!((want - got).abs() < 1e-13, "{ta} {tb} {tout}");
                }
            }
        }
    }

    #[test]
    fn large_products_agree_with_the_definition_and_have_the_same_bits_on_any_threads() {
        // Cut into blocks, the last one narrower; in every transposition.
        let (m, n, k) = (211, 203, 307);
        let a: Vec<f64> = (0..m * k).map(|i| (i as f64).sin()).collect();
        let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 1.7).cos()).collect();
        for (ta, tb, tout) in (0..8).map(|i| (i & 1 == 1, i & 2 == 2, i & 4 == 4)) {
            let (ra, ca) = if ta { (k, m) } else { (m, k) };
            let (rb, cb) = if tb { (n, k) } else { (k, n) };
            let (va, vb) = (
                View::new(&a, ra, ca).t_if(ta),
                View::new(&b, rb, cb).t_if(tb),
            );
            let with = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let mut out = vec![1.0; m * n];
                pool.build()
                    .expect("a pool")
                    .install(|| matmul_add(&mut out, tout, va, vb));
                out
            };
            let one = with(1);
            assert_eq!(one, with(2));
            assert_eq!(one, with(3));
            for (i, j) in [(0, 0), (m - 1, n - 1), (100, 105), (7, 104), (210, 0)] {
                let at_a = |l: usize| if ta { a[l + i * k] } else { a[i + l * m] };
                let at_b = |l: usize| if tb { b[j + l * n] } else { b[l + j * k] };
                let want = 1.0 + (0..k).map(|l| at_a(l) * at_b(l)).sum::<f64>();
                let got = if tout { one[j + i * n] } else { one[i + j * m] };
                assert!((want - got).abs() < 1e-11, "{ta} {tb} {tout}: {want} {got}");
            }
        }
    }

    #[test]
    fn columns_have_the_bits_of_products_with_each() {
        let (m, k) = (19, 21);
        let a: Vec<f64> = (0..m * k).map(|i| (i as f64).sin()).collect();
        for (n, ta) in [(1, false), (3, true), (5, false), (11, true)] {
            let (rows, cols) = if ta { (k, m) } else { (m, k) };
            let a = View::new(&a, rows, cols).t_if(ta);
            let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 1.7).cos()).collect();
            let mut all = vec![f64::NAN; m * n];
            assert!(columns(a, &b, &mut all, true));
            for (all, b) in all.chunks(m).zip(b.chunks(k)) {
                let mut one = vec![f64::NAN; m];
                matmul(&mut one, false, a, View::new(b, k, 1), true);
                assert_eq!(all, one, "{n} columns");
            }
        }
    }

    #[test]
    fn norm_survives_extreme_scales() {
        assert!((norm::<f64>(&[3e-200, 4e-200]) / 5e-200 - 1.0).abs() < 1e-15);
        assert!((norm::<f64>(&[3e200, 4e200]) / 5e200 - 1.0).abs() < 1e-15);
        assert_eq!(norm::<f64>(&[]), 0.0);
        assert!(norm(&[1.0, f64::NAN]).is_nan());
    }
}
