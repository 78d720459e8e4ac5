//! Formulas over slices, in the widest vectors of the processor.

use std::array::from_fn;
use std::slice::{from_mut, from_ref};

use pulp::bytemuck::{cast_slice, cast_slice_mut};
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

    /// The register that a [`Pack`](Vector::Pack) is in.
    type Register<S: Simd>: Copy + std::fmt::Debug;

    /// How many that is.
    fn lanes<S: Simd>() -> usize;

    /// The whole registers of a slice.
    fn registers<S: Simd>(a: &[Self]) -> &[Self::Register<S>];

    /// The whole registers of a slice, to be written.
    fn registers_mut<S: Simd>(a: &mut [Self]) -> &mut [Self::Register<S>];

    /// The numbers in a register.
    fn pack<S: Simd>(simd: S, register: Self::Register<S>) -> Self::Pack<S>;

    /// The register of some numbers.
    fn register<S: Simd>(a: Self::Pack<S>) -> Self::Register<S>;

    /// The number `a` in every lane.
    fn fill<S: Simd>(simd: S, a: Self) -> Self::Pack<S>;

    /// The sum of all lanes: the upper half is added to the lower one until one lane is left.
    fn total<S: Simd>(a: Self::Pack<S>) -> Self;

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

    /// `out[i] = formula(a[..][i], old)`, where `old` is `out[i]`, or 0 if `out` is `fresh`. The last
    /// entries, too few for a vector, are computed in one all the same, so that every entry has the same
    /// bits wherever it stands.
    ///
    /// # Panics
    /// If an operand is shorter than `out`.
    #[doc(hidden)]
    #[allow(private_bounds)]
    fn each<const N: usize>(
        formula: impl Formula<N>,
        a: &[&[Self]; N],
        out: &mut [Self],
        fresh: bool,
    );

    /// [`each`](Vector::each), where an operand of one entry goes with all of the others'.
    ///
    /// # Panics
    /// If an operand has no entry, and `out` some.
    #[doc(hidden)]
    #[allow(private_bounds)]
    fn each_spread<const N: usize>(
        formula: impl Formula<N>,
        a: &[&[Self]; N],
        out: &mut [Self],
        fresh: bool,
    );
}

/// Whether the vectors of `S` are several registers. `pulp` cannot load or store a part of such a
/// vector: the second half of it would be at the wrong place.
const fn of_several_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT < 16
}

macro_rules! vector {
    ($type:ident $Pack:ident $v:ident $lanes:ident $split:ident $split_mut:ident $load:ident
     $store:ident $splat:ident $sum:ident) => {
        impl Vector for $type {
            type Pack<S: Simd> = $Pack<S>;
            type Register<S: Simd> = S::$v;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn registers<S: Simd>(a: &[$type]) -> &[S::$v] {
                S::$split(a).0
            }

            #[inline(always)]
            fn registers_mut<S: Simd>(a: &mut [$type]) -> &mut [S::$v] {
                S::$split_mut(a).0
            }

            #[inline(always)]
            fn pack<S: Simd>(simd: S, register: S::$v) -> $Pack<S> {
                $Pack(simd, register)
            }

            #[inline(always)]
            fn register<S: Simd>(a: $Pack<S>) -> S::$v {
                a.1
            }

            #[inline(always)]
            fn fill<S: Simd>(simd: S, a: $type) -> $Pack<S> {
                $Pack(simd, simd.$splat(a))
            }

            #[inline(always)]
            fn total<S: Simd>(a: $Pack<S>) -> $type {
                a.0.$sum(a.1)
            }

            #[inline(always)]
            fn load<S: Simd>(simd: S, a: &[$type]) -> $Pack<S> {
                assert!(a.len() <= S::$lanes, "more numbers than lanes");
                if let [whole] = S::$split(a).0 {
                    return $Pack(simd, *whole);
                }
                if of_several_registers::<S>() {
                    let mut lanes = simd.$splat(0.0);
                    for (lane, a) in cast_slice_mut(from_mut(&mut lanes)).iter_mut().zip(a) {
                        *lane = *a;
                    }
                    return $Pack(simd, lanes);
                }
                $Pack(simd, simd.$load(a))
            }

            #[inline(always)]
            fn store<S: Simd>(a: $Pack<S>, out: &mut [$type]) {
                assert!(out.len() <= S::$lanes, "more places than lanes");
                if let [whole] = S::$split_mut(out).0 {
                    *whole = a.1;
                } else if of_several_registers::<S>() {
                    let lanes: &[$type] = cast_slice(from_ref(&a.1));
                    for (out, lane) in out.iter_mut().zip(lanes) {
                        *out = *lane;
                    }
                } else {
                    a.0.$store(out, a.1);
                }
            }

            #[allow(private_bounds)]
            #[inline]
            fn each<const N: usize>(
                formula: impl Formula<N>,
                a: &[&[$type]; N],
                out: &mut [$type],
                fresh: bool,
            ) {
                dispatch(Each::<'_, $type, _, N, false> {
                    formula,
                    a,
                    out,
                    fresh,
                });
            }

            #[allow(private_bounds)]
            #[inline]
            fn each_spread<const N: usize>(
                formula: impl Formula<N>,
                a: &[&[$type]; N],
                out: &mut [$type],
                fresh: bool,
            ) {
                dispatch(Each::<'_, $type, _, N, true> {
                    formula,
                    a,
                    out,
                    fresh,
                });
            }
        }

        impl<F: Formula<N>, const N: usize, const SPREAD: bool> WithSimd
            for Each<'_, $type, F, N, SPREAD>
        {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, s: S) {
                let Each {
                    formula,
                    a,
                    out,
                    fresh,
                } = self;
                let n = out.len();
                let (out, out_tail) = S::$split_mut(out);
                let old = |out: &S::$v| if fresh { s.$splat(0.0) } else { *out };
                let old_tail = |out: &[$type]| match fresh {
                    true => s.$splat(0.0),
                    false => s.$load(out),
                };
                if SPREAD && (0..N).any(|k| a[k].len() != n) {
                    let one = |k: usize| a[k].len() != n;
                    let ones: [_; N] = from_fn(|k| match one(k) {
                        true => s.$splat(a[k][0]),
                        false => s.$splat(0.0),
                    });
                    for i in 0..out.len() {
                        let a = from_fn(|k| match one(k) {
                            true => $Pack(s, ones[k]),
                            false => $Pack(s, S::$split(a[k]).0[i]),
                        });
                        out[i] = formula.of(a, $Pack(s, old(&out[i]))).1;
                    }
                    if !out_tail.is_empty() {
                        let a = from_fn(|k| match one(k) {
                            true => $Pack(s, ones[k]),
                            false => $Pack(s, s.$load(S::$split(a[k]).1)),
                        });
                        let new = formula.of(a, $Pack(s, old_tail(out_tail)));
                        s.$store(out_tail, new.1);
                    }
                    return;
                }
                let heads: [_; N] = from_fn(|k| &S::$split(&a[k][..n]).0[..out.len()]);
                for i in 0..out.len() {
                    let a = from_fn(|k| $Pack(s, heads[k][i]));
                    out[i] = formula.of(a, $Pack(s, old(&out[i]))).1;
                }
                if !out_tail.is_empty() {
                    let a = from_fn(|k| $Pack(s, s.$load(S::$split(&a[k][..n]).1)));
                    let new = formula.of(a, $Pack(s, old_tail(out_tail)));
                    s.$store(out_tail, new.1);
                }
            }
        }
    };
}

/// A formula over slices; if it may `SPREAD`, some have one entry for all.
struct Each<'a, T, F, const N: usize, const SPREAD: bool> {
    formula: F,
    /// By reference: what was written as words is read again as words, and not copied in wider pieces,
    /// which would wait for them.
    a: &'a [&'a [T]; N],
    out: &'a mut [T],
    fresh: bool,
}

vector!(f64 F64s f64s F64_LANES as_simd_f64s as_mut_simd_f64s partial_load_f64s
    partial_store_f64s splat_f64s reduce_sum_f64s);
vector!(f32 F32s f32s F32_LANES as_simd_f32s as_mut_simd_f32s partial_load_f32s
    partial_store_f32s splat_f32s reduce_sum_f32s);
