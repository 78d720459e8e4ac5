//! Studies of a bilevel problem of your own, and a page of them.
//!
//! The records, tables and pages are those of the program `bilevel`, without its dependencies. A
//! [`Subject`] is a problem under a name, at a point x.
//!
//! | module | what its records say |
//! |---|---|
//! | [`compare`] | strategies at the point: error, residuals, oracle calls, time, bytes |
//! | [`memory`] | the memory policies of an unrolled loop, against its depth |
//! | [`plan`] | schedules for a budget of bytes, nothing run |
//! | [`check`] | derivatives of the objectives and of each strategy against differences |
//! | [`solve`] | a method's run, iteration by iteration |
//! | [`worth`] | what the start and the end of a run are worth, the lower level solved there |
//! | [`race`] | methods over seeds: φ and its gradient against calls, samples, bytes and time |
//!
//! Each record is plain data: serde writes it as the program's JSON, `table` shows it as text, and a
//! [`Page`] takes it as a section.
//!
//! ```
//! use autodiff::{Var, objective};
//! use nalgebra::dvector;
//! use solvers::catalogue::Settings;
//! use solvers::{Aid, Bilevel, Descent, Itd, Optimiser};
//! use study::{Page, Subject, compare, memory, solve};
//!
//! let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
//! let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
//! let problem = Bilevel::new(upper, lower, 1, 1)?;
//! let subject = Subject::new("scalar", &problem, dvector![0.3]);
//!
//! let strategies = compare::named(&["exact", "aid-cg", "itd"], &Settings::NONE)?;
//! let compared = compare::run(&subject, &strategies, &Settings::NONE)?;
//! println!("{}", compare::table(&compared));
//! let bytes = memory::run(&subject, Itd::reverse, &[10, 100, 1000], None)?;
//! let descent = Descent::new(Aid::cg(), Optimiser::Adam { rate: 0.1 }, 50);
//! let run = solve::run(&subject, "aid-cg", &descent)?;
//!
//! let page = Page::new("A scalar problem").compare(&compared).memory(&bytes).solve(&[run]);
//! # let dir = tempfile::tempdir()?;
//! # let file = dir.path().join("page.html");
//! # #[cfg(any())]
//! let file = "page.html";
//! page.write(file)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `cargo run --release -p bilevel-study --example own_page` makes a page of every study.

#[cfg(test)]
extern crate self as study;

pub mod check;
pub mod columns;
pub mod compare;
#[cfg(not(test))]
mod compiled;
pub mod curves;
pub mod format;
pub mod memory;
mod middle;
pub mod plan;
pub mod race;
mod refused;
pub mod report;
pub mod solve;
mod subject;
#[cfg(test)]
mod tests;
mod timing;
pub mod worth;

pub use middle::Middle;
pub use refused::Refused;
pub use report::Page;
pub use subject::Subject;
