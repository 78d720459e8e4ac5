//! The one slot of methods that solve a bilevel problem.

mod descent;
mod gda;
mod hoag;
mod implicit;
mod isgd;
mod maid;
mod stepwise;

pub use descent::Descent;
pub use gda::Gda;
pub use hoag::Hoag;
pub use isgd::Isgd;
pub use maid::Maid;
pub use stepwise::{
    Amigo, Bome, Bsa, F2sa, Fsla, Pbgd, Rule, Saba, Soba, State, Stepwise, StocBio, StochasticAid,
    Update,
};

use std::fmt::Debug;

use autodiff::Real;
use nalgebra::DVector;

use crate::{Bilevel, Certificate, ConfigError, Oracles, Status};

/// A way of solving a bilevel problem; each is a value of one slot.
pub trait Method<T: Real>: Debug + Send + Sync {
    /// The name in records.
    fn name(&self) -> String;

    /// Checks the settings and starts a run at `x`.
    ///
    /// # Errors
    /// With the reason, and what was expected, before any work.
    ///
    /// # Panics
    /// If `x` does not have `dim_x` entries.
    fn begin<'p>(
        &self,
        problem: &'p Bilevel<T>,
        x: DVector<T>,
    ) -> Result<Box<dyn Run<T> + 'p>, ConfigError>;
}

/// A method on its way.
pub trait Run<T: Real> {
    /// Makes one outer iteration and reports it; `None` when there are no more.
    fn step(&mut self) -> Option<Progress>;

    /// Outer iterations in all.
    fn iterations(&self) -> usize;

    /// The outer variable.
    fn x(&self) -> &DVector<T>;

    /// The inner variable.
    fn y(&self) -> &DVector<T>;
}

/// What one outer iteration reports.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Iterations made so far.
    pub iteration: usize,
    /// F at the point the iteration started from.
    pub upper: f64,
    /// ‖∇_y g‖ at that point's y.
    pub lower_residual: f64,
    /// Norm of the hypergradient, or of what takes its place.
    pub hypergradient_norm: f64,
    /// How its computation ended.
    pub status: Status,
    /// The accuracy ε that its solves were asked for, in methods that choose one.
    pub accuracy: Option<f64>,
    /// The bound on its error, in the same methods, where the problem states its constants.
    pub certificate: Option<Certificate>,
    /// Sweeps of both objectives since the run began.
    pub oracles: Oracles,
    /// The most bytes held at one time since the run began.
    pub peak_bytes: usize,
    /// Remarks the user should see.
    pub warnings: Vec<String>,
}

/// Stepped, unless an iterate is not finite.
fn iterate_status<T: Real>(iteration: usize, iterates: &[&[T]]) -> Status {
    let mut entries = iterates.iter().flat_map(|v| v.iter());
    if entries.all(|v| v.is_finite()) {
        return Status::Stepped;
    }
    Status::NonFinite {
        place: format!("in the iterate after {iteration} iterations"),
    }
}
