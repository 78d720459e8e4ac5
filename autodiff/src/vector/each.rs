//! Formulas over slices, in the widest vectors of the processor.

use pulp::{Simd, WithSimd};

use super::lanes::Lanes;
use super::packs::{F32s, F64s};
use crate::simd::dispatch;

/// A formula of `N` numbers.
pub(crate) trait Formula<const N: usize>: Copy {
    /// The value for operands `a` where `old` stands now.
    fn of<V: Lanes>(self, a: [V; N], old: V) -> V;
}

/// The scalar types that have vectors.
pub trait Vector: Sized {
    /// As many numbers as a vector of `S` holds.
    type Pack<S: Simd>: Lanes<Scalar = Self>;

    /// How many that is.
    fn lanes<S: Simd>() -> usize;

    /// The numbers `a`, as many as there are lanes or fewer; the other lanes are 0.
    ///
    /// # Panics
    /// If there are more.
    fn load<S: Simd>(simd: S, a: &[Self]) -> Self::Pack<S>;

    /// Writes the first lanes to `out`, as many as it has entries.
    ///
    /// # Panics
    /// If it has more than there are lanes.
    fn store<S: Simd>(a: Self::Pack<S>, out: &mut [Self]);

    /// `out[i] = formula(a[..][i], out[i])`. The last entries, too few for a vector, are computed in
    /// one all the same, so that every entry has the same bits wherever it stands.
    ///
    /// # Panics
    /// If an operand is shorter than `out`.
    #[doc(hidden)]
    #[allow(private_bounds)]
    fn each<const N: usize>(formula: impl Formula<N>, a: [&[Self]; N], out: &mut [Self]);

    /// [`each`](Vector::each), inside a kernel that runs already.
    #[doc(hidden)]
    #[allow(private_bounds)]
    fn each_in<S: Simd, const N: usize>(
        simd: S,
        formula: impl Formula<N>,
        a: [&[Self]; N],
        out: &mut [Self],
    );
}

macro_rules! vector {
    ($type:ident $Pack:ident $lanes:ident $split:ident $split_mut:ident $load:ident $store:ident) => {
        impl Vector for $type {
            type Pack<S: Simd> = $Pack<S>;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn load<S: Simd>(simd: S, a: &[$type]) -> $Pack<S> {
                assert!(a.len() <= S::$lanes, "more numbers than lanes");
                $Pack(simd, simd.$load(a))
            }

            #[inline(always)]
            fn store<S: Simd>(a: $Pack<S>, out: &mut [$type]) {
                assert!(out.len() <= S::$lanes, "more places than lanes");
                a.0.$store(out, a.1);
            }

            #[allow(private_bounds)]
            #[inline]
            fn each<const N: usize>(formula: impl Formula<N>, a: [&[$type]; N], out: &mut [$type]) {
                struct Each<'a, F, const N: usize> {
                    formula: F,
                    a: [&'a [$type]; N],
                    out: &'a mut [$type],
                }

                impl<F: Formula<N>, const N: usize> WithSimd for Each<'_, F, N> {
                    type Output = ();

                    #[inline(always)]
                    fn with_simd<S: Simd>(self, s: S) {
                        $type::each_in(s, self.formula, self.a, self.out);
                    }
                }

                dispatch(Each { formula, a, out });
            }

            #[allow(private_bounds)]
            #[inline(always)]
            fn each_in<S: Simd, const N: usize>(
                s: S,
                formula: impl Formula<N>,
                a: [&[$type]; N],
                out: &mut [$type],
            ) {
                let n = out.len();
                let (out, out_tail) = S::$split_mut(out);
                let parts = a.map(|a| S::$split(&a[..n]));
                let heads = parts.map(|(head, _)| &head[..out.len()]);
                for i in 0..out.len() {
                    let a = heads.map(|a| $Pack(s, a[i]));
                    out[i] = formula.of(a, $Pack(s, out[i])).1;
                }
                if !out_tail.is_empty() {
                    let a = parts.map(|(_, tail)| $Pack(s, s.$load(tail)));
                    let old = $Pack(s, s.$load(out_tail));
                    s.$store(out_tail, formula.of(a, old).1);
                }
            }
        }
    };
}

vector!(f64 F64s F64_LANES as_simd_f64s as_mut_simd_f64s partial_load_f64s partial_store_f64s);
vector!(f32 F32s F32_LANES as_simd_f32s as_mut_simd_f32s partial_load_f32s partial_store_f32s);
