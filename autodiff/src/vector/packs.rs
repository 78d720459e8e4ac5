//! [`Lanes`] from the vectors of the `pulp` crate.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};
use std::ops::{Add, Div, Mul, Neg, Sub};

use pulp::Simd;
use pulp::bytemuck::{cast_slice, cast_slice_mut};

use super::lanes::{Lanes, Parts};

/// What `f64` leaves of ln 2.
const LN_2_TAIL: f64 = 2.319_046_813_846_299_6e-17;

macro_rules! operators {
    ($Pack:ident: $($Trait:ident $method:ident $op:ident;)*) => {$(
        impl<S: Simd> $Trait for $Pack<S> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, b: Self) -> Self { Self(self.0, self.0.$op(self.1, b.1)) }
        }
    )*};
}

macro_rules! packs {
    ($Pack:ident $type:ident $bits:ident $v:ident $words:ident $mask:ident:
     $splat:ident $splat_bits:ident $add:ident $sub:ident $mul:ident $div:ident $neg:ident
     $fma:ident $sqrt:ident $abs:ident $eq:ident $lt:ident $le:ident $select:ident
     $to_bits:ident $from_bits:ident $and:ident $or:ident $plus:ident $minus:ident;
     shift $shift:literal unit $unit:literal top $top:literal) => {
        #[doc = concat!("As many `", stringify!($type), "` as a vector of `S` holds.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $Pack<S: Simd>(
            /// The instructions.
            pub S,
            /// The numbers.
            pub S::$v,
        );

        operators! { $Pack: Add add $add; Sub sub $sub; Mul mul $mul; Div div $div; }

        impl<S: Simd> Neg for $Pack<S> {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self(self.0, self.0.$neg(self.1))
            }
        }

        impl<S: Simd> $Pack<S> {
            #[inline(always)]
            fn bits(self) -> S::$words {
                self.0.$to_bits(self.1)
            }

            #[inline(always)]
            fn from_bits(simd: S, bits: S::$words) -> Self {
                Self(simd, simd.$from_bits(bits))
            }
        }

        impl<S: Simd> Lanes for $Pack<S> {
            type Scalar = $type;
            type Mask = S::$mask;

            const SINGLE: bool = size_of::<$type>() == 4;
            const LN2_HIGH: f64 = {
                let bits = (LN_2 as $type).to_bits();
                $type::from_bits(bits >> $top << $top) as f64
            };
            const LN2_LOW: f64 = (LN_2 - Self::LN2_HIGH) + LN_2_TAIL;
            const MIN_POSITIVE: f64 = $type::MIN_POSITIVE as f64;

            #[inline(always)]
            fn of(self, c: f64) -> Self {
                Self(self.0, self.0.$splat(c as $type))
            }

            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                Self(self.0, self.0.$fma(self.1, b.1, c.1))
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(self.0, self.0.$sqrt(self.1))
            }

            #[inline(always)]
            fn abs(self) -> Self {
                Self(self.0, self.0.$abs(self.1))
            }

            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                let s = self.0;
                let sign = s.$and(sign.bits(), self.of(-0.0).bits());
                Self::from_bits(s, s.$or(self.abs().bits(), sign))
            }

            #[inline(always)]
            fn eq(self, b: Self) -> Self::Mask {
                self.0.$eq(self.1, b.1)
            }

            #[inline(always)]
            fn lt(self, b: Self) -> Self::Mask {
                self.0.$lt(self.1, b.1)
            }

            #[inline(always)]
            fn le(self, b: Self) -> Self::Mask {
                self.0.$le(self.1, b.1)
            }

            #[inline(always)]
            fn choose(mask: Self::Mask, yes: Self, no: Self) -> Self {
                Self(yes.0, yes.0.$select(mask, yes.1, no.1))
            }

            #[inline(always)]
            fn map(mut self, f: impl Fn($type) -> $type) -> Self {
                let lanes: &mut [$type] = cast_slice_mut(std::slice::from_mut(&mut self.1));
                for lane in lanes {
                    *lane = f(*lane);
                }
                self
            }

            #[inline(always)]
            fn zip(mut self, b: Self, f: impl Fn($type, $type) -> $type) -> Self {
                let lanes: &mut [$type] = cast_slice_mut(std::slice::from_mut(&mut self.1));
                let others: &[$type] = cast_slice(std::slice::from_ref(&b.1));
                for (lane, other) in lanes.iter_mut().zip(others) {
                    *lane = f(*lane, *other);
                }
                self
            }

            #[inline(always)]
            fn nearest(self) -> Self {
                // Beyond this number the spacing is 1, so that adding it rounds.
                let far = self.of(1.5 / ($type::EPSILON as f64));
                self + far - far
            }

            #[inline(always)]
            fn exp2(self) -> Self {
                // The sum has k + bias in the low bits of the word that the exponent is in, whence
                // the shift takes it to its place and all else out of the word.
                let bias = ($type::MAX_EXP - 1) as f64;
                let place = self.of(1.5 / ($type::EPSILON as f64) + bias * $unit);
                let sum = self.mul_add(self.of($unit), place);
                let mut bits = sum.bits();
                let words: &mut [S::u32s] = cast_slice_mut(std::slice::from_mut(&mut bits));
                for word in words {
                    *word = self
                        .0
                        .wrapping_dyn_shl_u32s(*word, self.0.splat_u32s($shift));
                }
                Self::from_bits(self.0, bits)
            }

            #[inline(always)]
            fn decompose(self) -> Parts<Self> {
                let s = self.0;
                let one = (1.0 as $type).to_bits();
                let root = (FRAC_1_SQRT_2 as $type).to_bits();
                let field: $bits = ($type::INFINITY).to_bits();
                // From √½ on, the sum has the exponent field of the next binade.
                let field = s.$and(
                    s.$plus(self.bits(), s.$splat_bits(one - root)),
                    s.$splat_bits(field),
                );
                let fraction = s.$plus(s.$minus(self.bits(), field), s.$splat_bits(one));
                let scale = s.$minus(s.$splat_bits(2 * one), field);
                let mut count = field;
                let words: &mut [S::u32s] = cast_slice_mut(std::slice::from_mut(&mut count));
                for word in words {
                    *word = s.wrapping_dyn_shr_u32s(*word, s.splat_u32s($shift));
                }
                // The field as the low digits of a number whose spacing is 1 (f32) or 2⁻³² of the
                // unit (f64); subtracting the rest leaves k units.
                let far = 1.0 / ($type::EPSILON as f64);
                let count = Self::from_bits(s, s.$or(count, self.of(far).bits()));
                let bias = ($type::MAX_EXP - 1) as f64;
                let exponent = (count - self.of(far + bias * $unit)) * self.of(1.0 / $unit);
                Parts {
                    exponent,
                    fraction: Self::from_bits(s, fraction),
                    scale: Self::from_bits(s, scale),
                }
            }
        }
    };
}

packs! {
    F64s f64 u64 f64s u64s m64s:
    splat_f64s splat_u64s add_f64s sub_f64s mul_f64s div_f64s neg_f64s
    mul_add_f64s sqrt_f64s abs_f64s equal_f64s less_than_f64s less_than_or_equal_f64s select_f64s
    transmute_u64s_f64s transmute_f64s_u64s and_u64s or_u64s add_u64s sub_u64s;
    shift 20 unit 4294967296.0 top 32
}
packs! {
    F32s f32 u32 f32s u32s m32s:
    splat_f32s splat_u32s add_f32s sub_f32s mul_f32s div_f32s neg_f32s
    mul_add_f32s sqrt_f32s abs_f32s equal_f32s less_than_f32s less_than_or_equal_f32s select_f32s
    transmute_u32s_f32s transmute_f32s_u32s and_u32s or_u32s add_u32s sub_u32s;
    shift 23 unit 1.0 top 12
}
