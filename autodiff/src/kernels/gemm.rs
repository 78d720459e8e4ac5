//! The matrix product of a scalar type: the crate `gemm`'s, in vectors as wide as the environment lets it.

use gemm_common::Parallelism;

use crate::simd::{Width, wanted};

/// The matrix product of a scalar type.
pub trait Gemm: Sized {
    /// The kernel of this processor, or that with AVX2 if the environment asks for narrower vectors than
    /// it has.
    fn gemm() -> Product<Self> {
        Self::gemm_in(wanted())
    }

    /// The same in vectors of this width at most, or of AVX2.
    fn gemm_in(most: Width) -> Product<Self>;
}

/// `dst = α dst + β lhs rhs`, in the crate's order of arguments: rows, columns and inner dimension;
/// `dst` with its column and row strides, and whether it is read; `lhs` and `rhs` with theirs; α and
/// β; which are conjugated; threads.
#[rustfmt::skip]
type Product<T> = unsafe fn(
    usize, usize, usize,
    *mut T, isize, isize, bool,
    *const T, isize, isize,
    *const T, isize, isize,
    T, T,
    bool, bool, bool,
    Parallelism,
);

macro_rules! gemm {
    ($type:ident $name:ident) => {
        impl Gemm for $type {
            fn gemm_in(most: Width) -> Product<$type> {
                match most {
                    Width::Wide => $name::gemm::$type::get_gemm_fn(),
                    Width::Narrow | Width::Scalar => narrow::$type(),
                }
            }
        }
    };
}

gemm!(f32 gemm_f32);
gemm!(f64 gemm_f64);

/// The crate looks at the processor alone, so that its kernels with narrower vectors are put together
/// here as it does.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
mod narrow {
    use gemm_common::Parallelism;
    use gemm_common::gemm::gemm_basic_generic;
    use gemm_common::simd::{MixedSimd, V3};

    use super::Product;

    macro_rules! narrow {
        ($type:ident $name:ident $lanes:literal) => {
            pub(super) fn $type() -> Product<$type> {
                use $name::microkernel::fma::$type::{H_M, H_N, H_UKR, MR_DIV_N, NR, UKR};

                #[allow(clippy::too_many_arguments)] // the crate's own list
                #[rustfmt::skip]
                unsafe fn product(
                    m: usize, n: usize, k: usize,
                    dst: *mut $type, dst_cs: isize, dst_rs: isize, read_dst: bool,
                    lhs: *const $type, lhs_cs: isize, lhs_rs: isize,
                    rhs: *const $type, rhs_cs: isize, rhs_rs: isize,
                    alpha: $type, beta: $type,
                    conj_dst: bool, conj_lhs: bool, conj_rhs: bool,
                    parallelism: Parallelism,
                ) {
                    let simd = <V3 as MixedSimd<$type, $type, $type, $type>>::try_new();
                    let simd = simd.expect("looked for before");
                    // SAFETY: as the caller's, who hands on what the crate's own function asks for.
                    unsafe {
                        gemm_basic_generic::<
                            _, $type, $lanes, { MR_DIV_N * $lanes }, NR, MR_DIV_N, H_M, H_N,
                        >(
                            simd,
                            m, n, k,
                            dst, dst_cs, dst_rs, read_dst,
                            lhs, lhs_cs, lhs_rs,
                            rhs, rhs_cs, rhs_rs,
                            alpha, beta,
                            conj_dst, conj_lhs, conj_rhs,
                            |a, b, c| a * b + c,
                            &UKR,
                            &H_UKR,
                            false,
                            parallelism,
                        );
                    }
                }

                match <V3 as MixedSimd<$type, $type, $type, $type>>::try_new() {
                    Some(_) => product,
                    None => $name::gemm::$type::get_gemm_fn(),
                }
            }
        };
    }

    narrow!(f32 gemm_f32 8);
    narrow!(f64 gemm_f64 4);
}

/// There are none: the crate's own are as narrow.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
mod narrow {
    use super::Product;

    pub(super) fn f32() -> Product<f32> {
        gemm_f32::gemm::f32::get_gemm_fn()
    }

    pub(super) fn f64() -> Product<f64> {
        gemm_f64::gemm::f64::get_gemm_fn()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::Real;
    use crate::simd::widest;

    const WIDTHS: [Width; 3] = [Width::Scalar, Width::Narrow, Width::Wide];

    /// `a b`, of column-major matrices or of the transposed one of `a`.
    #[rustfmt::skip]
    fn product<T: Real>(most: Width, [m, n, k]: [usize; 3], a: (&[T], bool), b: &[T]) -> Vec<T> {
        let mut out = vec![T::of(9.0); m * n];
        assert!(a.0.len() == m * k && b.len() == k * n);
        let (column, row) = if a.1 { (1, k) } else { (m, 1) };
        // SAFETY: the strides stay within slices of the lengths that were looked at.
        unsafe {
            T::gemm_in(most)(
                m, n, k,
                out.as_mut_ptr(), m as isize, 1, false,
                a.0.as_ptr(), column as isize, row as isize,
                b.as_ptr(), k as isize, 1,
                T::zero(), T::one(),
                false, false, false,
                Parallelism::None,
            );
        }
        out
    }

    /// Products of whole numbers, which are exact in any order, in the kernels of each kind.
    fn check<T: Real>() {
        for [m, n, k] in [
            [1, 7, 3],
            [16, 16, 40],
            [33, 12, 5],
            [70, 65, 130],
            [5, 200, 2],
        ] {
            let entry = |i: usize, by: usize| T::of((i * by % 11) as f64 - 5.0);
            let a = Vec::from_iter((0..m * k).map(|i| entry(i, 7)));
            let rows = Vec::from_iter((0..m * k).map(|at| a[at / k + at % k * m]));
            let b = Vec::from_iter((0..k * n).map(|i| entry(i, 3)));
            let of = |i: usize, j: usize| {
                (0..k).fold(T::zero(), |sum, l| sum + a[i + l * m] * b[l + j * k])
            };
            let expected = Vec::from_iter((0..m * n).map(|at| of(at % m, at / m)));
            for most in WIDTHS {
                for left in [(&a[..], false), (&rows[..], true)] {
                    let found = product(most, [m, n, k], left, &b);
                    assert!(found == expected, "{m}×{k}×{n}, {most:?}");
                }
            }
        }
    }

    #[test]
    fn products_are_right_in_the_kernels_of_every_width() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn a_limit_takes_other_kernels_than_the_widest() {
        let other = |[narrow, wide]: [usize; 2]| narrow != wide;
        let of = |most| [f32::gemm_in(most) as usize, f64::gemm_in(most) as usize];
        let (narrow, wide) = (of(Width::Narrow), of(Width::Wide));
        assert_eq!(narrow, of(Width::Scalar));
        if widest() == Width::Wide {
            assert!(other([narrow[0], wide[0]]) && other([narrow[1], wide[1]]));
        }
    }
}
