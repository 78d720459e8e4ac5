//! What is generic over the scalar, compiled here once for each precision.
//!
//! The catalogue's entries reach the tasks and what those record, with the kernels that go over samples.
//! What they do not reach, other crates would compile anew with all these kernels: it is marked
//! `#[inline(never)]`, as tasks are, and is named here (see `compiled.rs` in `autodiff`).

use std::hint::black_box;

use autodiff::Real;

use crate::Dataset;

/// Both precisions; never called.
#[used]
static COMPILED: [fn(); 2] = [all::<f32>, all::<f64>];

fn all<T: Real>() {
    black_box([
        Dataset::<T>::binary as *const (),
        Dataset::<T>::classes as *const (),
        Dataset::<T>::targets as *const (),
        Dataset::<T>::select as *const (),
        Dataset::<T>::logistic_loss as *const (),
        Dataset::<T>::logistic_loss_of as *const (),
        Dataset::<T>::squared_loss as *const (),
        Dataset::<T>::squared_loss_of as *const (),
        Dataset::<T>::cross_entropy as *const (),
        Dataset::<T>::cross_entropy_of as *const (),
        Dataset::<T>::weighted_cross_entropy as *const (),
        Dataset::<T>::weighted_cross_entropy_of as *const (),
        Dataset::<T>::accuracy as *const (),
    ]);
}
