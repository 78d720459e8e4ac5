//! What is generic over the scalar, compiled here once for each precision.
//!
//! A generic function is compiled in every crate that calls it, unless it is marked
//! `#[inline(never)]` and a crate below has it already. Sweeps, loops, the checker and what records an
//! operation with rules of its own are so marked where other crates come in, and are named here: the
//! program and each of the tests then link to them. It is a matter of time to build alone: a mark that
//! is missing is no error. The crate's own tests compile what they use, and leave this out.

use std::hint::black_box;

use crate::batch::Batch;
use crate::check::Check;
use crate::cholesky;
use crate::point::Point;
use crate::program::Program;
use crate::real::Real;
use crate::recorder::Recorder;
use crate::sparse::Sparse;
use crate::sweep::{
    Sweep, primal_bytes, reverse_bytes, scratch_bytes, second_bytes, tangent_bytes,
};
use crate::table::Table;
use crate::unroll::{Step, Unrolled};
use crate::var::Var;
use crate::workspace::Workspace;

/// Both precisions; never called.
#[used]
static COMPILED: [fn(); 2] = [all::<f32>, all::<f64>];

fn all<T: Real>() {
    black_box([
        Sweep::<T>::primal as *const (),
        Sweep::<T>::primal_for_reverse as *const (),
        Sweep::<T>::differentiate as *const (),
        Sweep::<T>::reverse as *const (),
        Sweep::<T>::tangent as *const (),
        Sweep::<T>::second as *const (),
        Sweep::<T>::joint as *const (),
        Sweep::<T>::products as *const (),
        primal_bytes::<T> as *const (),
        scratch_bytes::<T> as *const (),
        reverse_bytes::<T> as *const (),
        tangent_bytes::<T> as *const (),
        second_bytes::<T> as *const (),
    ]);
    black_box([
        Point::<T>::hessian_among as *const (),
        Point::<T>::hessian_roots as *const (),
        Point::<T>::first_non_finite as *const (),
        Point::<T>::kinks as *const (),
        Program::<T>::find_non_finite as *const (),
        Program::<T>::rounding as *const (),
        Program::<T>::rounding_bound as *const (),
        Program::<T>::stays_zero as *const (),
        Program::<T>::kinks as *const (),
        Recorder::<T>::finish as *const (),
        Workspace::<T>::new as *const (),
        Workspace::<T>::linearisation_bytes as *const (),
        Workspace::<T>::hand_tangents_on as *const (),
        Workspace::<T>::hand_all_on as *const (),
    ]);
    black_box([
        Unrolled::<T>::new as *const (),
        Unrolled::<T>::forward as *const (),
        Unrolled::<T>::reverse as *const (),
        Unrolled::<T>::find_non_finite as *const (),
        Step::<T>::peak_bytes as *const (),
        Step::<T>::kept_bytes as *const (),
        Check::program::<T> as *const (),
        Check::step::<T> as *const (),
        cholesky::append::<T> as *const (),
        cholesky::factor::<T> as *const (),
        cholesky::factor_if::<T> as *const (),
        cholesky::remove::<T> as *const (),
        cholesky::solve::<T> as *const (),
        Table::<T>::of_rows as *const (),
        Table::<T>::of_entries as *const (),
        Table::<T>::of_samples as *const (),
        Table::<T>::pick as *const (),
        Table::<T>::select as *const (),
        Table::<T>::columns as *const (),
    ]);
    black_box([
        Var::<T>::unary as *const (),
        Var::<T>::elementwise_with as *const (),
        Var::<T>::gradient as *const (),
        Var::<T>::leaves as *const (),
        Var::<T>::matmul as *const (),
        Var::<T>::outer as *const (),
        Var::<T>::conv2d as *const (),
        Var::<T>::conv2d_filters as *const (),
        Var::<T>::norm as *const (),
        Var::<T>::log_sum_exp as *const (),
        Var::<T>::log_sum_exp_cols as *const (),
        Var::<T>::log_softmax as *const (),
        Var::<T>::log_softmax_cols as *const (),
        Var::<T>::sum_of_leaves as *const (),
        Var::<T>::pick as *const (),
        Batch::<T>::rows as *const (),
        Batch::<T>::columns as *const (),
        Sparse::<T>::tr_mul as *const (),
    ]);
}
