//! Constraints between the levels: `c(x, y) ≤ 0` and `c(x, y) = 0`.

mod active;
mod feasible;
mod interior;
mod level;
mod recorded;
mod scaled;
mod solve;

use std::fmt;
use std::sync::Arc;

use autodiff::{Real, Var};

pub(crate) use active::Active;
pub(crate) use level::{Level, Model, narrow};
pub(crate) use recorded::{ConstraintPoint, Recorded};
pub(crate) use solve::{Solved, Trouble, bytes, solve};

/// A recorded function of x and y.
type OfXAndY<T> = Arc<dyn for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T> + Send + Sync>;

/// Constraints of the lower level, `min_y g(x, y)` subject to `c(x, y) ≤ 0` and `c(x, y) = 0`: g and
/// the inequalities convex in y, the equalities affine in it.
///
/// Each is a recorded function of x and y of any shape, and every entry of its value is one
/// constraint. [`Bilevel::with_constraints`](crate::Bilevel::with_constraints) makes them part of a
/// problem, which [`Kkt`](crate::Kkt) solves and differentiates. For a set whose projection is known a
/// [`Part`](crate::Part) is cheaper.
///
/// # Example
/// The point nearest to 1 with `y ≤ x` is x itself while x < 1, with the multiplier 1 − x:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{Bilevel, Constraints, Kkt, Strategy};
///
/// let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
/// let lower = objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
/// let problem = Bilevel::new(upper, lower, 1, 1)?
///     .with_constraints(Constraints::new().at_most_zero(|x: Var, y: Var| y - x))?;
///
/// let estimate = Kkt::new().hypergradient(&problem, &dvector![0.3], &mut problem.workspace())?;
/// assert!((estimate.y[0] - 0.3).abs() < 1e-14);
/// assert!((estimate.hypergradient[0] - 0.3).abs() < 1e-14);
/// assert!((estimate.multipliers[0] - 0.7).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Constraints<T: Real> {
    equal: Vec<OfXAndY<T>>,
    at_most: Vec<OfXAndY<T>>,
}

impl<T: Real> Default for Constraints<T> {
    fn default() -> Self {
        Constraints::new()
    }
}

impl<T: Real> Constraints<T> {
    /// None yet.
    pub fn new() -> Self {
        Constraints {
            equal: Vec::new(),
            at_most: Vec::new(),
        }
    }

    /// Adds `c(x, y) ≤ 0`, for every entry of c.
    #[must_use]
    pub fn at_most_zero<C>(mut self, c: C) -> Self
    where
        C: for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        self.at_most.push(Arc::new(c));
        self
    }

    /// Adds `c(x, y) = 0`, for every entry of c.
    #[must_use]
    pub fn zero<C>(mut self, c: C) -> Self
    where
        C: for<'r> Fn(Var<'r, T>, Var<'r, T>) -> Var<'r, T> + Send + Sync + 'static,
    {
        self.equal.push(Arc::new(c));
        self
    }

    /// `−t Σ ln(−c_i(x, y))`, to be added to g where that is written: a barrier that keeps y inside
    /// the inequalities under any strategy, from a start inside.
    ///
    /// Its solution y_t is not that of the constrained level. With m inequalities g(x, y_t) is above the
    /// least value by at most `m t`, so y_t is off by at most `√(2 m t/μ)` where g is μ-strongly convex; the
    /// hypergradient is off in proportion to t where no multiplier is 0, so half the t shows by how much.
    ///
    /// Reference: S. Boyd and L. Vandenberghe, Convex optimization, 2004, section 11.2.2.
    ///
    /// # Panics
    /// If there are equalities, or no inequalities.
    ///
    /// # Example
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::dvector;
    /// use solvers::{Aid, Bilevel, Constraints, Strategy};
    ///
    /// let held = Constraints::new().at_most_zero(|x: Var, y: Var| y - x);
    /// let y_of = |t: f64| -> Result<f64, Box<dyn std::error::Error>> {
    ///     let held = held.clone();
    ///     let upper = objective(|_: Var, y: Var| 0.5 * y.norm_squared());
    ///     let lower = objective(move |x: Var, y: Var| {
    ///         0.5 * (y - 1.0).norm_squared() + held.barrier(x, y, t)
    ///     });
    ///     let problem = Bilevel::new(upper, lower, 1, 1)?.starting_from(dvector![0.0]);
    ///     let x = dvector![0.3];
    ///     Ok(Aid::cg().hypergradient(&problem, &x, &mut problem.workspace())?.y[0])
    /// };
    /// // y* = 0.3, where 0.7 presses: y_t is off by t/0.7.
    /// assert!((y_of(1e-5)? - (0.3 - 1e-5 / 0.7)).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn barrier<'r>(&self, x: Var<'r, T>, y: Var<'r, T>, t: f64) -> Var<'r, T> {
        let (equal, at_most) = (self.equal.len(), self.at_most.len());
        assert!(
            equal == 0 && at_most > 0,
            "a barrier of {equal} equalities and {at_most} inequalities: expected inequalities alone"
        );
        let logs = self.at_most.iter().map(|c| (-c(x, y)).ln().sum());
        Var::sum_of(logs) * T::of(-t)
    }

    /// All of them, the equalities first.
    fn all(&self) -> impl Iterator<Item = &OfXAndY<T>> {
        self.equal.iter().chain(&self.at_most)
    }
}

impl<T: Real> fmt::Debug for Constraints<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (equal, at_most) = (self.equal.len(), self.at_most.len());
        write!(f, "Constraints({equal} equal to 0, {at_most} at most 0)")
    }
}
