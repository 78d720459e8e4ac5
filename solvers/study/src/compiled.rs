//! What is generic over the scalar, compiled here once for each precision, as
//! [`solvers`] has it.

use std::hint::black_box;

use autodiff::Real;

use crate::worth::Worth;
use crate::{check, compare, memory, race, solve};

/// Both precisions; never called.
#[used]
static COMPILED: [fn(); 2] = [all::<f32>, all::<f64>];

fn all<T: Real>() {
    black_box([
        check::run::<T> as *const (),
        check::program::<T> as *const (),
        check::objectives::<T> as *const (),
        check::hypergradient::<T> as *const (),
        compare::run::<T> as *const (),
        compare::record::<T> as *const (),
        memory::measure::<T> as *const (),
        race::run::<T> as *const (),
        solve::run::<T> as *const (),
        Worth::at::<T> as *const (),
    ]);
}
