//! Random programs for [`proptest`](mod@proptest), with the feature `proptest`: expression graphs
//! over a few inputs, and loops over them.
//!
//! A [`Graph`] is plain data; its elementwise operations are drawn from the engine's own tables, so
//! a new row of one is drawn without another line. Every sequence of instructions is a program, as
//! operands are mapped into an operation's domain and resized where shapes do not fit. Values stay
//! of order one and away from kinks, so that what two ways of computing them may differ by is
//! rounding.
//!
//! [`properties`] holds what is true of all of them; [`for_all`](fn@for_all) checks a property.
//!
//! A counterexample [shrinks](Simplify) to fewer operations first, then to smaller shapes, then to
//! simpler numbers.
//!
//! # Example
//! Whether a [`Primitive`](crate::Primitive) of your own has the gradient that it should, wherever
//! it stands in a program:
//! ```
//! use autodiff::arbitrary::{Wave, case};
//! use proptest::test_runner::TestRunner;
//!
//! let mut runner = TestRunner::deterministic();
//! let outcome = runner.run(&case(), |case| {
//!     // `Wave` stands for your primitive, of a number of operands of one shape.
//!     let program = case.graph.record_with::<f64, _>(|operands| Wave { operands });
//!     let mut point = program.point();
//!     let (at, v) = (case.at(), case.v());
//!     let at: Vec<&[f64]> = at.iter().map(Vec::as_slice).collect();
//!     let along: Vec<Option<&[f64]>> = v.iter().map(|v| Some(&v[..])).collect();
//!     point.linearise(&at);
//!     // ⟨∇f, v⟩ by the reverse sweep is Df·v by the forward sweep.
//!     let products = v.iter().enumerate().flat_map(|(k, v)| point.gradient(k).iter().zip(v));
//!     let (sum, size) = products.fold((0.0, 0.0), |(s, m), (g, v)| (s + g * v, m + (g * v).abs()));
//!     let bound = 64.0 * f64::EPSILON * program.len() as f64 * (1.0 + size);
//!     assert!((point.directional(&along) - sum).abs() <= bound);
//!     Ok(())
//! });
//! outcome.unwrap();
//! ```

mod algebra;
mod draw;
mod for_all;
mod graph;
mod loops;
pub mod numbers;
pub mod properties;
mod record;
mod recording;
mod shrink;
mod simpler;
mod wave;

pub use draw::{Case, case, graph, instruction, number};
pub use for_all::{VARIABLE, for_all, programs};
pub use graph::{Back, Graph, Instruction};
pub use loops::{Loop, StepKind, unrolled};
pub use recording::loss;
pub use shrink::{Shrinking, Simplify, Simplifying, simpler_numbers, simplifying};
pub use wave::Wave;
