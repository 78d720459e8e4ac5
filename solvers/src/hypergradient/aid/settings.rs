//! How implicit differentiation is set.

use crate::LowerCurvature;
use crate::inner::{InnerStep, StepLength};
use crate::linear::{Cg, Direct};
use crate::lower::LowerSolve;

use super::Aid;

impl Aid<Cg> {
    /// The lower level to its tolerance, the linear system by conjugate gradients.
    pub fn cg() -> Self {
        Aid::with(Cg::new())
    }
}

impl Aid<Direct> {
    /// The lower level to its tolerance, the linear system by a dense factorisation.
    pub fn direct() -> Self {
        Aid::with(Direct)
    }
}

impl<L> Aid<L> {
    /// The lower level to its tolerance, the linear system by this solver.
    pub fn with(linear: L) -> Self {
        Aid {
            lower: LowerSolve::default(),
            linear,
            curvature: LowerCurvature::Exact,
            rounding: false,
        }
    }

    /// How the lower level is solved.
    #[must_use]
    pub fn lower(mut self, lower: LowerSolve) -> Self {
        self.lower = lower;
        self
    }

    /// Solves the lower level to `‖∇_y g‖ ≤ tolerance`, by Newton's method, and on until the
    /// hypergradient is as near: see [`LowerSolve::Newton`].
    #[must_use]
    pub fn lower_tolerance(self, tolerance: f64) -> Self {
        let (_, limit) = self.newton();
        let tolerance = Some(tolerance);
        self.lower(LowerSolve::Newton { tolerance, limit })
    }

    /// Solves the lower level by Newton's method, in at most this many iterations.
    #[must_use]
    pub fn lower_limit(self, limit: usize) -> Self {
        let (tolerance, _) = self.newton();
        let limit = Some(limit);
        self.lower(LowerSolve::Newton { tolerance, limit })
    }

    /// The matrix of the linear system: the Hessian, or another that is definite where the Hessian is
    /// not. The answer is then biased, and [says](crate::Status::CurvatureApproximate) what is left of the
    /// Hessian's own system.
    ///
    /// # Example
    /// g = ½ (y² − x)² has H = 4x at y = √x, and F = ½ (y − 2)²:
    /// ```
    /// use autodiff::{Var, objective};
    /// use nalgebra::dvector;
    /// use solvers::{Aid, Bilevel, LowerCurvature, Status, Strategy};
    ///
    /// let upper = objective(|_x: Var, y: Var| 0.5 * (y - 2.0).norm_squared());
    /// let lower = objective(|x: Var, y: Var| 0.5 * (y.square() - x).norm_squared());
    /// let problem = Bilevel::new(upper, lower, 1, 1)?.starting_from(dvector![1.0]);
    ///
    /// let damped = Aid::cg().curvature(LowerCurvature::Damped(1.0));
    /// let estimate = damped.hypergradient(&problem, &dvector![0.25], &mut problem.workspace())?;
    /// // ∇_yF = −1.5 is divided by H + δ = 2 in the place of H = 1.
    /// assert!((estimate.hypergradient[0] + 0.75).abs() < 1e-8);
    /// assert!(matches!(estimate.status, Status::CurvatureApproximate { .. }));
    /// assert!((estimate.linear_residual.unwrap() - 0.5).abs() < 1e-8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn curvature(mut self, curvature: LowerCurvature) -> Self {
        self.curvature = curvature;
        self
    }

    /// Goes on with the lower level until no step helps, where no tolerance is given for it.
    #[must_use]
    pub fn until_rounding(mut self) -> Self {
        self.rounding = true;
        self
    }

    /// What is given of Newton's method.
    fn newton(&self) -> (Option<f64>, Option<usize>) {
        match self.lower {
            LowerSolve::Newton { tolerance, limit } => (tolerance, limit),
            _ => (None, None),
        }
    }

    /// Solves the lower level by `depth` gradient steps.
    #[must_use]
    pub fn lower_steps(self, depth: usize, length: StepLength) -> Self {
        self.lower(LowerSolve::Steps {
            depth,
            inner: InnerStep::GradientDescent,
            length,
        })
    }
}
