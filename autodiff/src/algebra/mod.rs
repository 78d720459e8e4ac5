//! Linear algebra of square matrices: factors, systems and determinants.
//!
//! * `factor`: the one place where a matrix is factored; `triangular`: systems with what comes out;
//! * `kind`: what a matrix is read as;
//! * `cholesky`, `solve`, `log_det`: the operations, each a [`Primitive`](crate::Primitive) with its
//!   rules for all sweeps. A quadratic form is made of them.

mod cholesky;
mod factor;
mod kind;
mod log_det;
mod matrices;
mod solve;
mod triangular;

pub use matrices::Matrices;
