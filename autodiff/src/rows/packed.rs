//! The layout of weights of several classes, feature after feature.

use crate::real::Real;

/// The padding of classes: vectors of every processor served divide it.
const fn padding(bytes: usize) -> usize {
    32 / bytes
}

/// The number of classes rounded up to whole vectors: the stride of [`pack`]ed weights.
pub fn packed_classes<T: Real>(classes: usize) -> usize {
    match classes {
        1 => 1,
        _ => classes.next_multiple_of(padding(size_of::<T>())),
    }
}

/// Rearranges weights from class after class (`classes` vectors of `d`) to feature after feature,
/// each with [`packed_classes`] entries, the last ones 0.
pub fn pack<T: Real>(w: &[T], d: usize, packed: &mut [T]) {
    let (classes, stride) = (w.len() / d, packed.len() / d);
    for (j, packed) in packed.chunks_exact_mut(stride).enumerate() {
        packed.fill(T::zero());
        for c in 0..classes {
            packed[c] = w[c * d + j];
        }
    }
}

/// Back from the layout of [`pack`].
pub fn unpack<T: Real>(packed: &[T], d: usize, out: &mut [T]) {
    let (classes, stride) = (out.len() / d, packed.len() / d);
    for (j, packed) in packed.chunks_exact(stride).enumerate() {
        for c in 0..classes {
            out[c * d + j] = packed[c];
        }
    }
}
