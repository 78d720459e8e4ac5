//! The choice of vector instructions when a kernel runs.

use pulp::WithSimd;

/// Runs a kernel compiled for the processor's vectors: of 32 bytes at most, also where there are
/// wider ones, so that paddings, and with them all byte counts, are the same on every x86 machine.
#[inline]
pub(crate) fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        use pulp::{Scalar, Simd, x86::V3};
        match V3::try_new() {
            Some(simd) => Simd::vectorize(simd, kernel),
            None => Simd::vectorize(Scalar::new(), kernel),
        }
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    pulp::Arch::new().dispatch(kernel)
}
