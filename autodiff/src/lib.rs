//! Tape-based automatic differentiation: record once, sweep many times, every byte counted.
//!
//! A closure over [`Var`]s is recorded into an immutable [`Program`]. Sweeps over it give values,
//! tangents (JVP), adjoints (VJP) and products with the Hessian (HVP), all through a [`Point`]: the
//! program with its buffers, linearised once for many products. An [`Unrolled`](unroll::Unrolled)
//! loop is a coarse tape over a recorded step.
//!
//! ```
//! use autodiff::{Objective, Var, objective};
//!
//! // g(x, y) = ½ Σ e^{x_j} y_j²
//! let g = objective(|x: Var, y: Var| 0.5 * x.exp().dot(y.square())).record(2, 2);
//! let mut point = g.point();
//! point.linearise(&[&[0.0, 0.0], &[1.0, 2.0]]);
//! assert_eq!(point.gradient(1), [1.0, 2.0]);
//!
//! // One sweep gives both blocks of the Hessian times a direction in y.
//! point.second(&[None, Some(&[1.0, 1.0])]);
//! assert_eq!(point.product(1), [1.0, 1.0]); // ∇²_yy g · v
//! assert_eq!(point.product(0), [1.0, 2.0]); // ∇²_xy g · v
//! ```

mod activity;
mod adjoints;
mod algebra;
#[cfg(feature = "proptest")]
pub mod arbitrary;
mod batch;
mod block;
mod builder;
pub mod bytes;
pub mod check;
pub mod cholesky;
#[cfg(not(test))]
mod compiled;
mod gauss_newton;
mod inputs;
pub mod kernels;
mod kinks;
mod layout;
mod leaves;
mod linearised;
mod matvec;
mod non_finite;
mod objective;
mod operands;
mod picked;
mod plan;
mod point;
mod primitive;
mod program;
pub mod ranks;
mod real;
mod recorder;
mod recordings;
mod rerecord;
mod rounding;
pub mod rows;
pub mod rules;
mod sampled;
mod shape;
mod simd;
mod site;
mod sparse;
mod sweep;
mod table;
pub mod threads;
mod tiles;
pub mod unroll;
mod var;
pub mod vector;
mod workspace;

/// The matrices of [`Var::matrix`], [`Layout::pack`] and of the solvers' vectors.
pub use nalgebra;

pub use algebra::Matrices;
pub use batch::{Batch, Places, index_of};
pub use builder::{Builder, Value};
pub use bytes::Meter;
pub use inputs::Inputs;
pub use kinks::Kink;
pub use layout::{Blocks, Layout};
pub use leaves::Weighted;
pub use non_finite::{NonFinite, Quantity};
pub use objective::{Closure, Objective, objective};
pub use operands::{OperandAdjoints, OperandTangents, Operands, Stash};
pub use point::Point;
pub use primitive::{Asked, HESSIAN_ROOM, Primitive};
pub use program::Program;
pub use real::Real;
pub use rerecord::Rerecord;
pub use rules::conv::Padding;
pub use sampled::{Batched, BatchedClosure, Sampled, SampledClosure, batched, sampled};
pub use shape::Shape;
pub use site::Site;
pub use sparse::{FewColumns, Sparse, SparseColumns, SparseError, SparsePass, SparseRows};
pub use table::{Storage, Table};
pub use var::Var;
pub use workspace::Sweeps;
