//! What is generic over the scalar, compiled here once for each precision.
//!
//! The lists of strategies and methods reach all that they are made of. What they and a [`Layer`] are
//! called by is marked `#[inline(never)]`, so that other crates link to what is compiled here in place
//! of compiling it anew (see `compiled.rs` in `autodiff`).

use std::hint::black_box;

use autodiff::Real;

use crate::certificate::{self, Certificate};
use crate::{Bilevel, Layer, catalogue, linear, lower};

/// Both precisions; never called.
#[used]
static COMPILED: [fn(); 2] = [all::<f32>, all::<f64>];

fn all<T: Real>() {
    black_box([
        catalogue::strategies::<T> as *const (),
        catalogue::methods::<T> as *const (),
        catalogue::strategy::<T> as *const (),
        catalogue::method::<T> as *const (),
        linear::entries::<T> as *const (),
        lower::solve_lower::<T> as *const (),
        lower::solve_lower_from::<T> as *const (),
        certificate::certify::<T> as *const (),
        Certificate::of_pair::<T> as *const (),
        Layer::<T>::call as *const (),
        Layer::<T>::batch as *const (),
        Layer::<T>::pull_back as *const (),
        Layer::<T>::jacobian as *const (),
        Layer::<T>::predicted_pull_back_bytes as *const (),
        Layer::<T>::predicted_jacobian_bytes as *const (),
        Bilevel::<T>::with_part as *const (),
        Bilevel::<T>::with_constraints as *const (),
        Bilevel::<T>::workspace as *const (),
    ]);
}
