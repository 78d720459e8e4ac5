//! The choice of vector instructions when a kernel runs.
//!
//! A *line* is 64 bytes, on every machine: paddings are whole lines, and sums that a kernel spreads
//! over lanes have a line of them. So neither byte counts nor bits depend on the processor.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use pulp::{Simd, WithSimd};

/// Bytes of a line.
pub(crate) const LINE: usize = 64;

/// The numbers in a line.
pub(crate) const fn line<T>() -> usize {
    LINE / size_of::<T>()
}

/// Bytes of entries that start at a line: what is read in vectors of a line takes twice as long where
/// these lie across two.
const LONG: usize = 1 << 12;

/// Whether so many entries are to start at a line.
pub(crate) const fn is_long<T>(len: usize) -> bool {
    len * size_of::<T>() >= LONG
}

/// Most bytes that are fetched before they are worked with.
const NEAR: usize = 1 << 16;

/// Reads an entry of each line of a run, if it is short, in their order: so they come from memory as a
/// processor expects it, where a product reads some columns side by side.
#[inline(always)]
pub(crate) fn fetch<E: Copy>(run: &[E]) {
    if size_of_val(run) <= NEAR {
        for line in run.chunks(line::<E>()) {
            std::hint::black_box(line[0]);
        }
    }
}

/// Whether there are 32 registers of a line, and not eight.
pub(crate) const fn many_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32
}

/// How wide the vectors of kernels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Width {
    /// One number at a time. Where a processor has vectors but no fused multiply-add, so too.
    Scalar = 1,
    /// Vectors of 16 or 32 bytes: NEON, or AVX2 with fused multiply-adds.
    Narrow = 2,
    /// Vectors of 64 bytes: AVX-512.
    Wide = 3,
}

/// The width in use, as a number; 0 before it was asked for.
static WIDTH: AtomicU8 = AtomicU8::new(0);

/// The width of the vectors that kernels use: the widest that the processor has, or less if
/// [`limit_width`] or the environment variable `BILEVEL_VECTORS` (`scalar`, `narrow` or `wide`) says
/// so.
#[inline]
pub fn width() -> Width {
    match WIDTH.load(Ordering::Relaxed) {
        1 => Width::Scalar,
        2 => Width::Narrow,
        3 => Width::Wide,
        _ => limit_width(wanted()),
    }
}

/// Lets kernels of this process use vectors of no more than this width from now on, and returns
/// what they use: the processor may have less.
///
/// The kernels of this crate give the same bits with each: this is for holding them against each
/// other. Products of matrices are another crate's and may round otherwise, so that they stay as they are
/// in a process that runs; `BILEVEL_VECTORS=narrow` limits them too.
pub fn limit_width(width: Width) -> Width {
    let width = width.min(widest());
    WIDTH.store(width as u8, Ordering::Relaxed);
    width
}

/// What the environment said when it was asked first.
pub(crate) fn wanted() -> Width {
    static WANTED: OnceLock<Width> = OnceLock::new();
    *WANTED.get_or_init(|| match std::env::var("BILEVEL_VECTORS").as_deref() {
        Ok("scalar") => Width::Scalar,
        Ok("narrow") => Width::Narrow,
        Ok("wide") | Err(_) => Width::Wide,
        Ok(other) => {
            panic!("BILEVEL_VECTORS is `{other}`: expected `scalar`, `narrow` or `wide`")
        }
    })
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub(crate) fn widest() -> Width {
    use pulp::x86::{V3, V4};
    if V4::try_new().is_some() {
        Width::Wide
    } else if V3::try_new().is_some() {
        Width::Narrow
    } else {
        Width::Scalar
    }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
pub(crate) fn widest() -> Width {
    Width::Narrow
}

/// Runs a kernel compiled for the vectors in use.
#[inline]
pub(crate) fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        use pulp::x86::{V3, V4};
        let width = width();
        if let (Width::Wide, Some(simd)) = (width, V4::try_new()) {
            return Simd::vectorize(simd, kernel);
        }
        if let (Width::Narrow, Some(simd)) = (width, V3::try_new()) {
            return Simd::vectorize(simd, kernel);
        }
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    if width() == Width::Narrow {
        return pulp::Arch::new().dispatch(kernel);
    }
    Simd::vectorize(pulp::Scalar::new(), kernel)
}

/// Fewer entries than these are not worth a choice of instructions.
const FEW: usize = 32;

/// [`dispatch`] of a kernel of plain loops over `len` entries.
#[inline(always)]
pub(crate) fn dispatch_plain<K: WithSimd>(len: usize, kernel: K) -> K::Output {
    match len < FEW {
        true => kernel.with_simd(pulp::Scalar::new()),
        false => dispatch(kernel),
    }
}

/// [`dispatch`] with vectors of a line on every machine: where registers are narrower, of several. A
/// kernel that adds up lanes has the same bits then.
#[inline]
pub(crate) fn dispatch_lines<K: WithSimd>(kernel: K) -> K::Output {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        use pulp::x86::{V3, V3_512b, V4};
        let width = width();
        if let (Width::Wide, Some(simd)) = (width, V4::try_new()) {
            return Simd::vectorize(simd, kernel);
        }
        if let (Width::Narrow, Some(simd)) = (width, V3::try_new()) {
            return vectorize(V3_512b(simd), kernel);
        }
    }
    // The compiler makes NEON of it, which is there on every 64-bit Arm.
    Simd::vectorize(pulp::Scalar512b, kernel)
}

/// Runs a kernel compiled for `simd`, and with it: `pulp` would hand it the registers that a vector of
/// several is made of.
#[inline(always)]
pub(crate) fn vectorize<S: Simd, K: WithSimd>(simd: S, kernel: K) -> K::Output {
    struct Exactly<S, K> {
        simd: S,
        kernel: K,
    }

    impl<S: Simd, K: WithSimd> WithSimd for Exactly<S, K> {
        type Output = K::Output;

        #[inline(always)]
        fn with_simd<R: Simd>(self, _: R) -> K::Output {
            self.kernel.with_simd(self.simd)
        }
    }

    simd.vectorize(Exactly { simd, kernel })
}
