//! The scalar types of the engine.

/// A scalar the engine computes with: `f32` or `f64`.
///
/// Everything in the workspace is generic over this trait. Constants in formulas are written in
/// `f64` and converted once, through [`Real::of`].
pub trait Real:
    sealed::Sealed
    + crate::kernels::Gemm
    + crate::vector::Vector
    + crate::rules::elementwise::Kernels
    + crate::rules::elementwise::PairKernels
    + nalgebra::RealField
    + Copy
    + Default
    + Send
    + Sync
    + 'static
{
    /// Unit roundoff times two: the distance from 1 to the next number.
    const EPSILON: f64;
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest number of this type.
    fn of(value: f64) -> Self;

    /// This number as an `f64` (exact for both types).
    fn f64(self) -> f64;
}

macro_rules! real {
    ($type:ident) => {
        impl Real for $type {
            const EPSILON: f64 = $type::EPSILON as f64;
            const NAME: &'static str = stringify!($type);

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $type
            }

            #[inline(always)]
            fn f64(self) -> f64 {
                f64::from(self)
            }
        }
    };
}

mod sealed {
    pub trait Sealed: bytemuck::Pod {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

real!(f32);
real!(f64);
