//! What the tests of the workspace share.
//!
//! * [`programs`]: random programs, their inputs and their directions;
//! * [`campaign`]: how many of them are drawn, and how a failure is kept;
//! * [`numbers`]: dot products, bits and differences.
//!
//! The type system keeps recordings apart. A `Var` cannot meet one of another recording:
//! ```compile_fail
//! use autodiff::{Program, Shape};
//!
//! Program::<f64>::record(&[Shape::SCALAR], |outer| {
//!     Program::<f64>::record(&[Shape::SCALAR], |inner| inner[0] + outer[0]);
//!     outer[0]
//! });
//! ```
//! nor can it be handed to one as an argument of a gradient, or carried out through a `Vec`:
//! ```compile_fail
//! use autodiff::{Program, Shape, Var};
//!
//! let f = Program::<f64>::record(&[Shape::SCALAR], |v| v[0].square());
//! Program::<f64>::record(&[Shape::SCALAR], |outer| {
//!     Program::<f64>::record(&[Shape::SCALAR], |_| Var::gradient(&f, 0, &[outer[0]]));
//!     outer[0]
//! });
//! ```
//! ```compile_fail
//! use autodiff::{Program, Shape, Var};
//!
//! let mut kept: Vec<Var> = Vec::new();
//! Program::<f64>::record(&[Shape::SCALAR], |v| { kept.push(v[0]); v[0] });
//! ```
//! While the same nesting with the recordings kept apart is fine:
//! ```
//! use autodiff::{Program, Shape, Var};
//!
//! Program::<f64>::record(&[Shape::SCALAR], |outer| {
//!     let f = Program::<f64>::record(&[Shape::SCALAR], |inner| inner[0] + inner[0]);
//!     Var::gradient(&f, 0, &[outer[0]])
//! });
//! ```

pub mod campaign;
pub mod numbers;
pub mod programs;

/// The objectives of the README run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
