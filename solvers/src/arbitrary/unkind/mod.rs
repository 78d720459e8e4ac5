//! Lower levels that are less kind, with known answers: values that cancel, kinks, no solution,
//! flat tails, other scales, starts far off or at a maximum.
//!
//! A [`Case`] is a bilevel problem and its answer, a [`Setting`] a strategy with its steps; each is
//! a function of a seed and a number. [`judge`] says what an estimate is worth.
//!
//! # Example
//! ```
//! use solvers::arbitrary::unkind::{Case, Setting, Verdict, judge};
//!
//! let case = Case::draw(1, 3);
//! let setting = Setting::<f64>::draw(&case);
//! let problem = case.bilevel::<f64>();
//! let estimate = setting.strategy.hypergradient(&problem, &case.x, &mut problem.workspace())?;
//! let verdict = judge(&case, &estimate, setting.promise);
//! println!("{} by {}: {verdict:?}", case.form, setting.text);
//! # Ok::<(), solvers::ConfigError>(())
//! ```

mod case;
mod dice;
mod frame;
mod judge;
mod lower;
mod setting;
mod truth;
mod upper;

pub use case::Case;
pub use judge::{Error, Promise, Verdict, error, judge};
pub use lower::Family;
pub use setting::Setting;
pub use truth::{Danger, Solution, Truth};
