//! The dense kernels every rule is built on: products, sums and updates of plain slices.
//!
//! The only `unsafe` of the crate is the call of the matrix product, after its bounds are checked.

use crate::Real;

/// A read-only strided view of a matrix.
#[derive(Clone, Copy)]
pub struct View<'a, T> {
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
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
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
    pub fn t(self) -> Self {
        View {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// The transposed view if `transpose`, else this one.
    #[must_use]
    pub fn t_if(self, transpose: bool) -> Self {
        if transpose { self.t() } else { self }
    }
}

/// `out += a · b`, where `out` is column-major, or its transpose is if `out_transposed`.
///
/// # Panics
/// If the shapes disagree.
pub fn matmul_add<T: Real>(out: &mut [T], out_transposed: bool, a: View<'_, T>, b: View<'_, T>) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(k, b.rows, "matmul: inner dimensions");
    assert_eq!(out.len(), m * n, "matmul: output length");
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    let (out_row, out_col) = if out_transposed { (n, 1) } else { (1, m) };
    // SAFETY: the three views lie within their slices: `View` checks rows·cols = len and only ever
    // swaps its strides, and `out` was checked above to hold m·n entries with the strides (1, m) or
    // (n, 1). `out` is a unique borrow, so it overlaps neither input.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            out_col as isize,
            out_row as isize,
            true,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
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

/// `out += scale · a`.
pub fn axpy<T: Real>(out: &mut [T], scale: T, a: &[T]) {
    assert_eq!(out.len(), a.len(), "axpy: lengths");
    for (o, v) in out.iter_mut().zip(a) {
        *o += scale * *v;
    }
}

/// `out += a`.
pub fn add<T: Real>(out: &mut [T], a: &[T]) {
    assert_eq!(out.len(), a.len(), "add: lengths");
    for (o, v) in out.iter_mut().zip(a) {
        *o += *v;
    }
}

/// The Euclidean norm, scaled so that it neither overflows nor underflows.
pub fn norm<T: Real>(a: &[T]) -> T {
    // `max` would skip a NaN.
    if a.iter().any(|v| !v.is_finite()) {
        return a.iter().fold(T::zero(), |s, v| s + v.abs());
    }
    let largest = a.iter().fold(T::zero(), |m, v| m.max(v.abs()));
    if largest == T::zero() {
        return largest;
    }
    let mut sum = T::zero();
    for v in a {
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
    fn norm_survives_extreme_scales() {
        assert!((norm::<f64>(&[3e-200, 4e-200]) / 5e-200 - 1.0).abs() < 1e-15);
        assert!((norm::<f64>(&[3e200, 4e200]) / 5e200 - 1.0).abs() < 1e-15);
        assert_eq!(norm::<f64>(&[]), 0.0);
        assert!(norm(&[1.0, f64::NAN]).is_nan());
    }
}
