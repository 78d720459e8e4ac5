//! Approximate implicit differentiation.

mod entry;
mod lower;
mod system;
mod vectors;

use autodiff::kernels::{axpy, norm};
use autodiff::{Inputs, Real};
use nalgebra::DVector;

use crate::accuracy::{self, TOLD, degenerate, part, solved};
use crate::inner::{InnerStep, StepLength};
use crate::linear::{Cg, Direct, LinearSolver};
use crate::{Bilevel, Certificate, Estimate, Status, Workspace};

use super::footprint::{loop_bytes, workspace_bytes};
use super::session::{Session, blank, counted};
use super::{ConfigError, Room, Strategy};
pub(super) use entry::{entries, expect_smooth};
pub use lower::LowerSolve;
use lower::NOTHING;
use system::solve_linear;
use vectors::Vectors;

/// Solves the lower level, then `H v = ∇_yF`, and returns `∇_xF − ∇²_xy g · v`.
///
/// # Requirements on the problem
/// g twice differentiable, its Hessian in y positive definite at the solution. A Hessian that is
/// singular or indefinite is reported in the status.
///
/// # Cost in oracle calls
/// Those of the lower level, one gradient of F, one of g, the linear solver's Hessian-vector
/// products, and one more that gives the recomputed residual and the cross product together. With
/// `dim_y ≤ 20` up to `dim_y` more products look for a flat direction outside the Krylov space.
///
/// # Reference
/// F. Pedregosa, Hyperparameter optimization with approximate gradient, ICML 2016.
#[derive(Clone, Debug, PartialEq)]
pub struct Aid<L> {
    lower: LowerSolve,
    linear: L,
    warm: bool,
    rounding: bool,
}

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
            warm: false,
            rounding: false,
        }
    }

    /// How the lower level is solved.
    #[must_use]
    pub fn lower(mut self, lower: LowerSolve) -> Self {
        self.lower = lower;
        self
    }

    /// Whether the linear system starts from the solution of the last call in the same workspace,
    /// which keeps it. Direct and one-step solutions do not depend on where they start.
    #[must_use]
    pub fn warm_linear(mut self, warm: bool) -> Self {
        self.warm = warm;
        self
    }

    /// Solves the lower level to `‖∇_y g‖ ≤ tolerance`, by Newton's method.
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

    /// Goes on with the lower level until no step helps, whatever its default tolerance.
    pub(super) fn until_rounding(mut self) -> Self {
        self.rounding = true;
        self
    }

    /// What is given of Newton's method.
    fn newton(&self) -> (Option<f64>, Option<usize>) {
        match self.lower {
            LowerSolve::Newton { tolerance, limit } => (tolerance, limit),
            LowerSolve::Steps { .. } => (None, None),
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

impl<L> Aid<L> {
    /// The most bytes that the estimate's workspace holds, without running anything: programs,
    /// sweeps, vectors and the linear solver's.
    ///
    /// [`Estimate::bytes`](crate::Estimate::bytes) has exactly this as its peak, in a workspace
    /// that was fresh or used by this strategy alone.
    pub fn predicted_peak_bytes<T: Real>(&self, problem: &Bilevel<T>) -> usize
    where
        L: LinearSolver<T>,
    {
        let dim_y = problem.dim_y();
        // The length is one number in the recording, whichever it is.
        let steps = match self.lower {
            LowerSolve::Newton { .. } => None,
            LowerSolve::Steps { depth, inner, .. } => {
                Some((inner.record(problem.lower(), 0.5), depth))
            }
        };
        let step = steps.as_ref().map(|s| &s.0);
        let lower = steps.as_ref().map(|s| loop_bytes(&s.0, s.1, NOTHING));
        workspace_bytes(problem, [0, self.linear.block(dim_y)], step)
            + lower.unwrap_or(0)
            + Vectors::<T>::bytes(self.lower, dim_y)
            + (dim_y + problem.dim_x()) * size_of::<T>()
            + self.linear.bytes(dim_y)
    }
}

impl<T: Real, L: LinearSolver<T>> Strategy<T> for Aid<L> {
    fn name(&self) -> String {
        format!("aid-{}", self.linear.name())
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let positive = |what: &str, t: f64| {
            let bad = !(t.is_finite() && t > 0.0);
            bad.then(|| format!("{what} {t}: expected a positive number"))
        };
        let reason = match self.lower {
            LowerSolve::Newton { limit: Some(0), .. } => {
                Some("at most 0 iterations: expected at least 1".to_owned())
            }
            LowerSolve::Newton { tolerance, .. } => {
                tolerance.and_then(|t| positive("tolerance", t))
            }
            LowerSolve::Steps { depth: 0, .. } => {
                Some("depth 0: expected at least 1 step".to_owned())
            }
            LowerSolve::Steps { inner, .. } if inner.is_proximal() => Some(format!(
                "steps {inner} solve a lower level that is not smooth: expected aid-step or itd"
            )),
            LowerSolve::Steps { inner, length, .. } => inner.complaint(length),
        };
        let reason = reason.or(self.linear.complaint());
        match reason {
            Some(reason) => Err(ConfigError {
                strategy: Strategy::<T>::name(self),
                reason,
            }),
            None => Ok(()),
        }
    }

    fn room(&self, dim_y: usize) -> Room {
        self.linear.room(dim_y)
    }

    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        Strategy::<T>::validate(self)?;
        self.suits(problem)?;
        work.check(problem, x);
        let session = Session::begin(work);
        let (x, meter) = (x.as_slice(), work.meter().clone());
        let warm = self.warm || work.warm_linear;
        let first_guess = work.linear.take().filter(|_| warm);
        let mut vectors = Vectors::new(self.lower, work.start.as_slice(), first_guess, &meter);
        let mut lower = self.solve_lower(problem, x, work, &mut vectors);

        let (mut y, _y_bytes) = counted(&vectors.y, &meter);
        let (mut hypergradient, _bytes) = counted(x, &meter);
        let (value, solution, distance) = loop {
            let at = [x, &vectors.y[..]];
            let value = work.upper.differentiate(&at, Inputs::ALL);
            work.lower.linearise(&at);
            let b = work.upper.gradient(1);
            let solution = solve_linear(&self.linear, &mut work.lower, b, &mut vectors, &meter);
            let curvature = lower.curvature.and(solution.curvature);
            let off = curvature.distance(lower.residual);
            let distance = part(off, &vectors.y, work.start.as_slice());
            if solution.flawed || !self.go_on(x, work, &mut vectors, &mut lower, distance) {
                break (value, solution, distance);
            }
        };
        y.as_mut_slice().copy_from_slice(&vectors.y);
        hypergradient
            .as_mut_slice()
            .copy_from_slice(work.upper.gradient(0));
        axpy(
            hypergradient.as_mut_slice(),
            -T::one(),
            work.lower.product(0),
        );

        let mut estimate = blank(Strategy::<T>::name(self), y);
        estimate.hypergradient = hypergradient;
        estimate.upper = value.f64();
        let (status, warning) = self.judge::<T>(&lower, distance);
        // Where the lower level was started at a stationary point, that is what is meant. How near it
        // is tells the solution itself, as curvatures of both signs cancel.
        let reach = norm(&vectors.v).f64() / norm(work.lower.product(1)).f64();
        let saddle_distance = part(lower.residual * reach, &vectors.y, work.start.as_slice());
        let saddle = matches!(solution.status, Status::NegativeCurvature { .. })
            && self.linear.solves_indefinite()
            && lower.iterations == 0
            && saddle_distance <= solved::<T>()
            && solution.residual <= self.linear.tolerance();
        if saddle {
            estimate.warnings.push(format!(
                "y, which the lower level was started at, is stationary and no minimiser: this is \
                 the derivative of that point ({})",
                solution.status
            ));
        }
        estimate.status = match (solution.status, status) {
            (_, s) if saddle => s,
            // A Hessian that is not positive definite says more than a residual, and no residual
            // can be told from what is not finite.
            (s, _) if solution.flawed => s,
            (Status::Converged, s) => s,
            (s, Status::Converged | Status::Stepped) => s,
            (_, s) => s,
        };
        if let (true, Some(relative_curvature)) =
            (estimate.status.is_success(), lower.trend.degenerate())
        {
            let singular = Status::SingularHessian { relative_curvature };
            estimate.status = self.short::<T>(&lower).unwrap_or(singular);
        }
        if estimate.status.is_success() {
            estimate.warnings.extend(warning);
            if solution.error > TOLD {
                estimate.warnings.push(format!(
                    "the linear system's solution may be off by some {:.1e} of its size (relative \
                     residual {:.1e}): solve it further",
                    solution.error, solution.residual
                ));
            }
        }
        estimate.distance = Some(distance);
        estimate.lower_residual = lower.residual;
        estimate.lower_iterations = lower.iterations;
        estimate.linear_residual = Some(solution.residual);
        estimate.linear_iterations = solution.iterations;
        estimate.step = lower.step;
        let size = estimate.hypergradient.norm().f64();
        let at = (estimate.y.as_slice(), size);
        estimate.certificate =
            Certificate::stated(problem, x, at.0, at.1, &work.upper, &work.lower);
        if estimate.status.is_success() {
            let (at, size) = (
                estimate.y.as_slice(),
                accuracy::size(&vectors.y, work.start.as_slice()),
            );
            let spare = &mut vectors.spare[0];
            let flat = degenerate(&mut work.lower, [x, at], &vectors.v, size, spare);
            if let Some(relative_curvature) = flat {
                estimate.status = Status::SingularHessian { relative_curvature };
            }
        }
        let estimate = session.finish(work, estimate, x, |work| {
            let (LowerSolve::Steps { depth, inner, .. }, Some(length)) = (self.lower, lower.step)
            else {
                return None;
            };
            let key = format!("itd {inner:?} {length:e}");
            let mut steps = work.take(&key, || inner.record(problem.lower(), length));
            let nothing = vec![T::zero(); inner.dim_state(problem.dim_y())];
            let found = steps.find_non_finite(x, &vectors.first, depth, NOTHING, &nothing);
            work.put(key, steps);
            found
        });
        // One that is not finite would spoil all later calls.
        if warm && vectors.v.iter().all(|v| v.is_finite()) {
            work.linear = Some(vectors.v);
        }
        Ok(estimate)
    }
}
