//! The first numbers of a register.

use pulp::Simd;

use super::Lanes;
use crate::real::Real;

type Mask<T, S> = <<T as super::Vector>::Pack<S> as Lanes>::Mask;

/// How many numbers of a register are read: of what stands in the midst of others, a whole register is, as
/// reading a part of one takes many times as long.
#[derive(Clone, Copy)]
pub(crate) struct Head<T: Real, S: Simd> {
    simd: S,
    len: usize,
    mask: Mask<T, S>,
}

impl<T: Real, S: Simd> Head<T, S> {
    /// `len` numbers, fewer than a register has.
    #[inline(always)]
    pub(crate) fn new(simd: S, len: usize) -> Self {
        let ones = [T::one(); crate::simd::line::<f32>()];
        let mask = T::fill(simd, T::zero()).lt(T::load(simd, &ones[..len]));
        Head { simd, len, mask }
    }

    /// The first numbers of `from`, whatever comes behind them; the other lanes are 0.
    #[inline(always)]
    pub(crate) fn load(self, from: &[T]) -> T::Pack<S> {
        match T::registers::<S>(from) {
            [whole, ..] => {
                let zero = T::fill(self.simd, T::zero());
                Lanes::choose(self.mask, T::pack(self.simd, *whole), zero)
            }
            [] => T::load(self.simd, &from[..self.len]),
        }
    }
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use super::*;
    use crate::simd::{Width, dispatch_lines, limit_width};

    struct Read<'a, T>(&'a [T], usize);

    impl<T: Real> WithSimd for Read<'_, T> {
        type Output = Vec<T>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<T> {
            let mut out = vec![T::of(7.0); T::lanes::<S>()];
            T::store(Head::<T, S>::new(simd, self.1).load(self.0), &mut out);
            out
        }
    }

    fn check<T: Real>() {
        let most = crate::simd::line::<T>();
        // What stands behind is nobody's, were it no number.
        let from = Vec::from_iter((0..2 * most).map(|i| match i < most - 1 {
            true => T::of(-0.5 * i as f64),
            false => T::of(f64::NAN),
        }));
        for len in 0..most {
            for end in [len, most - 1, most, 2 * most] {
                let read = dispatch_lines(Read(&from[..end], len));
                let (head, rest) = read.split_at(len);
                let bits = |v: &[T]| Vec::from_iter(v.iter().map(|v| v.f64().to_bits()));
                assert_eq!(bits(head), bits(&from[..len]));
                assert!(
                    rest.iter().all(|v| *v == T::zero()),
                    "{len} of {end}: {read:?}"
                );
            }
        }
    }

    #[test]
    fn the_first_numbers_are_read_and_nothing_behind_them() {
        for width in [Width::Scalar, Width::Narrow, Width::Wide] {
            limit_width(width);
            check::<f64>();
            check::<f32>();
        }
    }
}
