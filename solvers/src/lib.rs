//! Bilevel solvers: every hypergradient strategy on one problem definition.
//!
//! ```
//! use autodiff::{Var, objective};
//! use nalgebra::dvector;
//! use solvers::{Aid, Bilevel, Itd, Strategy};
//!
//! // min_x ½(y − 1)² + ½x²  with  y = argmin_y ½(y − x)²
//! let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
//! let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
//! let problem = Bilevel::new(upper, lower, 1, 1)?;
//! let mut work = problem.workspace();
//!
//! let x = dvector![0.3];
//! let exact = 2.0 * 0.3 - 1.0;
//! let aid = Aid::cg().hypergradient(&problem, &x, &mut work)?;
//! assert!((aid.hypergradient[0] - exact).abs() < 1e-12);
//! let itd = Itd::reverse(100).step(0.5).hypergradient(&problem, &x, &mut work)?;
//! assert!((itd.hypergradient[0] - exact).abs() < 1e-12);
//! println!("{itd}"); // the vector, residuals, status, oracle counts, peak bytes
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The [`guide`] has a page for each concept.

mod accuracy;
#[cfg(feature = "proptest")]
pub mod arbitrary;
#[cfg(feature = "argmin")]
pub mod argmin;
pub mod catalogue;
mod certificate;
#[cfg(not(test))]
mod compiled;
mod constraints;
mod criteria;
mod estimate;
mod expect;
// Documentation alone: an edit of a page builds nothing else anew.
#[cfg(any(doc, doctest))]
pub mod guide;
mod hessian;
mod hypergradient;
mod inner;
mod layer;
mod ledger;
pub mod linear;
mod loops;
mod lower;
mod lower_curvature;
mod method;
mod optimiser;
mod oracles;
mod part;
mod problem;
pub mod sampling;
mod schedule;
mod scratch;
mod sensitivities;
mod settling;
mod status;
mod trap;
mod workspace;

pub use certificate::{Certificate, Constants, certify};
pub use constraints::Constraints;
pub use criteria::{Envelope, Folds, Sure};
pub use estimate::Estimate;
pub use hypergradient::{
    ANY_DEPTH, Aid, AidStep, Answer, At, Bda, Budget, BudgetError, Call, ConfigError, Exact,
    Footprint, Itd, Kkt, OneStage, Plan, Room, StepSystem, Strategy,
};
pub use inner::{InnerStep, Numbers, OwnStep, Recorded, RmsProp, StepAt, StepLength, StepRule};
pub use layer::{Layer, Row};
pub use ledger::{Ledger, RestoreError};
pub use lower::{LowerSolution, LowerSolve, solve_lower, solve_lower_from};
pub use lower_curvature::LowerCurvature;
pub use oracles::Oracles;
pub use status::Status;
// Its list of methods is its own.
pub use method::stepwise::*;
pub use method::{
    Advance, Batches, Begun, Constraint, Descent, Finish, Gda, Ground, Hoag, Iaptt, Isgd, Keep,
    Maid, Method, Motion, Outer, Progress, Project, Rule, Run, State, Update, keep_warnings,
    keeping,
};
pub use optimiser::{Moving, Optimise, Optimiser};
pub use part::{Entrywise, FixedPart, Need, Parameter, Part, ProximalMap};
pub use problem::{Bilevel, ProblemError};
pub use schedule::Schedule;
pub use sensitivities::Sensitivities;
pub use workspace::Workspace;

/// The tolerance that residuals are solved to unless told otherwise: 1e-10 in `f64`, 1e-5 in `f32`.
pub fn default_tolerance<T: autodiff::Real>() -> f64 {
    if T::EPSILON < 1e-10 { 1e-10 } else { 1e-5 }
}
