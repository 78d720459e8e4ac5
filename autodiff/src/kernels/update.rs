//! Updates of a slice by another one or by a number, in plain loops.
//!
//! What is overwritten has the bits of zeros that were added to: −0 is written as 0.

use pulp::{Simd, WithSimd};

use crate::real::Real;
use crate::simd::dispatch_plain;

/// What is done with each entry `o` of a slice and a number or an entry `a`.
#[derive(Clone, Copy)]
enum Update<'a, T> {
    /// `o + a`
    Add(&'a [T]),
    /// `o + s a`
    Axpy(T, &'a [T]),
    /// `o + b a`
    AddProduct(&'a [T], &'a [T]),
    /// `0 + b a`
    Product(&'a [T], &'a [T]),
    /// `0 + a`
    Put(&'a [T]),
    /// `0 + s a`
    Multiple(T, &'a [T]),
    /// `o + s a + s a`
    Twice(T, &'a [T]),
    /// `0 + s a + s a`
    PutTwice(T, &'a [T]),
    /// `o + s`
    Shift(T),
}

struct Updated<'o, 'a, T> {
    out: &'o mut [T],
    by: Update<'a, T>,
}

impl<T: Real> WithSimd for Updated<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let out = self.out.iter_mut();
        match self.by {
            Update::Add(a) => out.zip(a).for_each(|(o, a)| *o += *a),
            Update::Axpy(s, a) => out.zip(a).for_each(|(o, a)| *o += s * *a),
            Update::AddProduct(b, a) => {
                out.zip(b.iter().zip(a))
                    .for_each(|(o, (b, a))| *o += *b * *a);
            }
            Update::Product(b, a) => {
                out.zip(b.iter().zip(a))
                    .for_each(|(o, (b, a))| *o = T::zero() + *b * *a);
            }
            Update::Put(a) => out.zip(a).for_each(|(o, a)| *o = T::zero() + *a),
            Update::Multiple(s, a) => {
                out.zip(a).for_each(|(o, a)| *o = T::zero() + s * *a);
            }
            Update::Twice(s, a) => {
                out.zip(a).for_each(|(o, a)| *o = *o + s * *a + s * *a);
            }
            Update::PutTwice(s, a) => {
                out.zip(a)
                    .for_each(|(o, a)| *o = T::zero() + s * *a + s * *a);
            }
            Update::Shift(s) => out.for_each(|o| *o += s),
        }
    }
}

#[inline]
fn update<T: Real>(out: &mut [T], by: Update<'_, T>) {
    dispatch_plain(out.len(), Updated { out, by });
}

/// `out += scale · a`.
pub fn axpy<T: Real>(out: &mut [T], scale: T, a: &[T]) {
    assert_eq!(out.len(), a.len(), "axpy: lengths");
    update(out, Update::Axpy(scale, a));
}

/// `out += a`.
pub fn add<T: Real>(out: &mut [T], a: &[T]) {
    assert_eq!(out.len(), a.len(), "add: lengths");
    update(out, Update::Add(a));
}

/// `out += b · a`, entry by entry; here as below `out` is overwritten if it is `fresh`.
pub(crate) fn add_products<T: Real>(out: &mut [T], b: &[T], a: &[T], fresh: bool) {
    assert!(
        out.len() == a.len() && out.len() == b.len(),
        "products: lengths"
    );
    match fresh {
        true => update(out, Update::Product(b, a)),
        false => update(out, Update::AddProduct(b, a)),
    }
}

/// `out += a`.
pub(crate) fn put<T: Real>(out: &mut [T], a: &[T], fresh: bool) {
    assert_eq!(out.len(), a.len(), "put: lengths");
    match fresh {
        true => update(out, Update::Put(a)),
        false => update(out, Update::Add(a)),
    }
}

/// `out += scale · a`.
pub(crate) fn put_multiple<T: Real>(out: &mut [T], scale: T, a: &[T], fresh: bool) {
    match fresh {
        true => {
            assert_eq!(out.len(), a.len(), "multiple: lengths");
            update(out, Update::Multiple(scale, a));
        }
        false => axpy(out, scale, a),
    }
}

/// [`put_multiple`], and once more, in one pass.
pub(crate) fn put_multiple_twice<T: Real>(out: &mut [T], scale: T, a: &[T], fresh: bool) {
    assert_eq!(out.len(), a.len(), "multiple: lengths");
    match fresh {
        true => update(out, Update::PutTwice(scale, a)),
        false => update(out, Update::Twice(scale, a)),
    }
}

/// Adds a number to every entry.
pub(crate) fn put_number<T: Real>(out: &mut [T], number: T, fresh: bool) {
    match fresh {
        true => out.fill(T::zero() + number),
        false => update(out, Update::Shift(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_in_one_pass_has_the_bits_of_one_after_the_other() {
        for (n, fresh) in [(3, false), (3, true), (101, false), (101, true)] {
            let numbers = |step: f32| Vec::from_iter((0..n).map(|i| (i as f32 * step).sin()));
            let (a, mut once) = (numbers(0.7), numbers(1.3));
            let mut two = once.clone();
            put_multiple_twice(&mut once, 0.3, &a, fresh);
            put_multiple(&mut two, 0.3, &a, fresh);
            put_multiple(&mut two, 0.3, &a, false);
            assert_eq!(once, two, "{n} entries, fresh: {fresh}");
        }
    }
}
