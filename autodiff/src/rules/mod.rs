//! The rule families. Each gives its operations in every sweep; none knows who sweeps.
//!
//! * [`elementwise`]: `f, f′, f″` from a table;
//! * `bilinear`: a product and its two adjoints; `conv` is one of them;
//! * `linear`: reductions and rearrangements, each with its adjoint; `differences` are two of them;
//! * [`reduce`]: the non-linear reductions, written as [`Primitive`](crate::Primitive)s.

pub(crate) mod bilinear;
pub(crate) mod conv;
mod differences;
pub mod elementwise;
pub(crate) mod linear;
pub mod reduce;
