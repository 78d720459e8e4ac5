//! Formulas over slices, in the widest vectors of the processor.

use pulp::{Arch, Simd, WithSimd};

use super::lanes::Lanes;
use super::packs::{F32s, F64s};

/// A formula of `N` numbers.
pub(crate) trait Formula<const N: usize>: Copy {
    /// The value for operands `a` where `old` stands now.
    fn of<V: Lanes>(self, a: [V; N], old: V) -> V;
}

/// The scalar types that have vectors.
pub trait Vector: Sized {
    /// `out[i] = formula(a[..][i], out[i])`. The last entries, too few for a vector, are computed in
    /// one all the same, so that every entry has the same bits wherever it stands.
    ///
    /// # Panics
    /// If an operand is shorter than `out`.
    #[doc(hidden)]
    #[allow(private_bounds)]
    fn each<const N: usize>(
        arch: Arch,
        formula: impl Formula<N>,
        a: [&[Self]; N],
        out: &mut [Self],
    );
}

macro_rules! vector {
    ($type:ident $Pack:ident $split:ident $split_mut:ident $load:ident $store:ident) => {
        impl Vector for $type {
            #[allow(private_bounds)]
            #[inline]
            fn each<const N: usize>(
                arch: Arch,
                formula: impl Formula<N>,
                a: [&[$type]; N],
                out: &mut [$type],
            ) {
                struct Each<'a, F, const N: usize> {
                    formula: F,
                    a: [&'a [$type]; N],
                    out: &'a mut [$type],
                }

                impl<F: Formula<N>, const N: usize> WithSimd for Each<'_, F, N> {
                    type Output = ();

                    #[inline(always)]
                    fn with_simd<S: Simd>(self, s: S) {
                        let n = self.out.len();
                        let (out, out_tail) = S::$split_mut(self.out);
                        // Loops, since `map` on arrays is not always inlined, and then slow.
                        let (mut heads, mut tails) = ([&[][..]; N], [&[][..]; N]);
                        for k in 0..N {
                            let (head, tail) = S::$split(&self.a[k][..n]);
                            (heads[k], tails[k]) = (&head[..out.len()], tail);
                        }
                        for i in 0..out.len() {
                            let old = $Pack(s, out[i]);
                            let mut a = [old; N];
                            for k in 0..N {
                                a[k] = $Pack(s, heads[k][i]);
                            }
                            out[i] = self.formula.of(a, old).1;
                        }
                        if !out_tail.is_empty() {
                            let old = $Pack(s, s.$load(out_tail));
                            let mut a = [old; N];
                            for k in 0..N {
                                a[k] = $Pack(s, s.$load(tails[k]));
                            }
                            s.$store(out_tail, self.formula.of(a, old).1);
                        }
                    }
                }

                arch.dispatch(Each { formula, a, out });
            }
        }
    };
}

vector!(f64 F64s as_simd_f64s as_mut_simd_f64s partial_load_f64s partial_store_f64s);
vector!(f32 F32s as_simd_f32s as_mut_simd_f32s partial_load_f32s partial_store_f32s);
