//! Both levels as problems for the optimisers of the crate [`argmin`](https://argmin-rs.org) 0.11,
//! with its parameters as `Vec`s.
//!
//! [`Outer`] is x ↦ F(x, y*(x)) with the hypergradient of any [`Strategy`]; [`Inner`] is
//! y ↦ g(x, y) with its Hessian as an operator, which Newton-CG and Steihaug's trust region ask for
//! products alone.
//!
//! ```
//! use argmin::core::{Executor, State as _};
//! use argmin::solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS};
//! use autodiff::{Var, objective};
//! use solvers::{Aid, Bilevel, argmin::Outer};
//!
//! let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
//! let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
//! let problem = Bilevel::new(upper, lower, 1, 1)?;
//! let strategy = Aid::cg();
//! let lbfgs = LBFGS::new(MoreThuenteLineSearch::new(), 5);
//! let run = Executor::new(Outer::new(&problem, &strategy), lbfgs)
//!     .configure(|state| state.param(vec![3.0]).max_iters(20))
//!     .run()
//!     .map_err(|error| error.to_string())?;
//! assert!((run.state().get_best_param().unwrap()[0] - 0.5).abs() < 1e-8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argmin::core::{CostFunction, Error, Gradient, Hessian};
use argmin_math::ArgminDot;
use autodiff::{Inputs, Point, Real};
use nalgebra::DVector;

use crate::hessian::Hessian as Products;
use crate::{Bilevel, Estimate, Status, Strategy, Workspace};

/// Why an evaluation of [`Outer`] has no number: the strategy's status.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{strategy}: {status}")]
pub struct Unsuccessful {
    /// The strategy's name.
    pub strategy: String,
    /// What it met.
    pub status: Status,
}

/// The outer level: F(x, y*(x)) and its hypergradient, for x of `dim_x` entries.
///
/// The value and the hypergradient at one x are one estimate, computed once. The lower level starts
/// from [`Bilevel::start`] each time, so that the answer at x depends on nothing before.
///
/// # Errors
/// Evaluations end in an error, and with them argmin's run, where the strategy's settings are
/// invalid, or in [`Unsuccessful`] where its status is no success.
///
/// # Panics
/// Evaluations panic if x does not have `dim_x` entries.
pub struct Outer<'a, T: Real> {
    problem: &'a Bilevel<T>,
    strategy: &'a dyn Strategy<T>,
    state: Mutex<(Workspace<T>, Option<Evaluated<T>>)>,
}

struct Evaluated<T: Real> {
    x: Vec<T>,
    estimate: Estimate<T>,
}

impl<'a, T: Real> Outer<'a, T> {
    /// The outer level of `problem`, differentiated by `strategy`.
    pub fn new(problem: &'a Bilevel<T>, strategy: &'a dyn Strategy<T>) -> Self {
        Outer {
            problem,
            strategy,
            state: Mutex::new((problem.workspace(), None)),
        }
    }

    /// The last estimate, with its evidence; `None` before the first evaluation.
    pub fn last(&self) -> Option<Estimate<T>> {
        let state = locked(&self.state);
        state.1.as_ref().map(|last| last.estimate.clone())
    }

    fn at<R>(&self, x: &[T], read: impl FnOnce(&Estimate<T>) -> R) -> Result<R, Error> {
        let mut state = locked(&self.state);
        let (work, last) = &mut *state;
        if last.as_ref().is_none_or(|last| last.x != x) {
            let at = DVector::from_column_slice(x);
            let estimate = self.strategy.hypergradient(self.problem, &at, work)?;
            let x = x.to_vec();
            *last = Some(Evaluated { x, estimate });
        }
        let estimate = &last.as_ref().expect("evaluated above").estimate;
        if !estimate.status.is_success() {
            return Err(Error::new(Unsuccessful {
                strategy: estimate.strategy.clone(),
                status: estimate.status.clone(),
            }));
        }
        Ok(read(estimate))
    }
}

impl<T: Real> fmt::Debug for Outer<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outer({:?})", self.strategy)
    }
}

impl<T: Real> CostFunction for Outer<'_, T> {
    type Param = Vec<T>;
    type Output = T;

    fn cost(&self, x: &Vec<T>) -> Result<T, Error> {
        self.at(x, |estimate| T::of(estimate.upper))
    }
}

impl<T: Real> Gradient for Outer<'_, T> {
    type Param = Vec<T>;
    type Gradient = Vec<T>;

    fn gradient(&self, x: &Vec<T>) -> Result<Vec<T>, Error> {
        self.at(x, |estimate| estimate.hypergradient.as_slice().to_vec())
    }
}

/// The lower level at one x: g(x, y), its gradient and its Hessian in y, for y of `dim_y` entries.
///
/// # Panics
/// Evaluations panic if y does not have `dim_y` entries.
pub struct Inner<T: Real> {
    x: Vec<T>,
    point: Mutex<Point<T>>,
}

impl<T: Real> Inner<T> {
    /// The lower level of `problem` at `x`.
    ///
    /// # Panics
    /// If `x` does not have `dim_x` entries.
    #[track_caller]
    pub fn new(problem: &Bilevel<T>, x: &DVector<T>) -> Self {
        assert!(
            x.len() == problem.dim_x(),
            "x has {} entries: the problem's outer variable has {}",
            x.len(),
            problem.dim_x()
        );
        Inner {
            x: x.as_slice().to_vec(),
            point: Mutex::new(problem.lower().point()),
        }
    }
}

impl<T: Real> fmt::Debug for Inner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inner(x of {} entries)", self.x.len())
    }
}

impl<T: Real> CostFunction for Inner<T> {
    type Param = Vec<T>;
    type Output = T;

    fn cost(&self, y: &Vec<T>) -> Result<T, Error> {
        Ok(locked(&self.point).value(&[&self.x, y]))
    }
}

impl<T: Real> Gradient for Inner<T> {
    type Param = Vec<T>;
    type Gradient = Vec<T>;

    fn gradient(&self, y: &Vec<T>) -> Result<Vec<T>, Error> {
        let mut point = locked(&self.point);
        point.differentiate(&[&self.x, y], Inputs::one(1));
        Ok(point.gradient(1).to_vec())
    }
}

impl<T: Real> Hessian for Inner<T> {
    type Param = Vec<T>;
    type Hessian = HessianAt<T>;

    fn hessian(&self, y: &Vec<T>) -> Result<HessianAt<T>, Error> {
        // Of its own: argmin keeps it while the gradient is taken elsewhere.
        let mut point = locked(&self.point).program().point();
        point.linearise(&[&self.x, y]);
        Ok(HessianAt(Arc::new(Mutex::new(point))))
    }
}

/// ∇²_yy g at a point, as products `H v`; cloning shares the linearisation.
#[derive(Clone)]
pub struct HessianAt<T: Real>(Arc<Mutex<Point<T>>>);

impl<T: Real> HessianAt<T> {
    /// The dense Hessian, `dim_y × dim_y` column by column, for argmin's solvers that invert it.
    pub fn dense(&self) -> Vec<Vec<T>> {
        let entries = locked(&self.0).program().input_shape(1).len();
        let unit = |k: usize| Vec::from_iter((0..entries).map(|i| T::of(f64::from(i == k))));
        (0..entries).map(|k| self.dot(&unit(k))).collect()
    }
}

impl<T: Real> fmt::Debug for HessianAt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HessianAt")
    }
}

impl<T: Real> ArgminDot<Vec<T>, Vec<T>> for HessianAt<T> {
    fn dot(&self, v: &Vec<T>) -> Vec<T> {
        let mut point = locked(&self.0);
        Products::of(&mut point).times(v).to_vec()
    }
}

/// A panic in another thread left nothing half done here: every evaluation sets its inputs.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
