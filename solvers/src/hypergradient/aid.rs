//! Approximate implicit differentiation.

use autodiff::kernels::norm;
use autodiff::unroll::Memory;
use autodiff::{Inputs, Meter, Point, Real};
use nalgebra::DVector;

use crate::inner::{InnerStep, StepLength, newton};
use crate::linear::{Cg, Direct, LinearSolver, Outcome};
use crate::{Bilevel, Estimate, Status, Workspace, default_tolerance};

use super::session::{Session, blank, residual, unrolled_status};
use super::{ConfigError, Strategy};

/// How the lower level is solved before it is differentiated implicitly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LowerSolve {
    /// To `‖∇_y g‖ ≤ tolerance`, by Newton's method; the precision's default if `None`.
    Tolerance(Option<f64>),
    /// By exactly the steps that [`Itd`](crate::Itd) unrolls, so that the two can be compared at
    /// one iterate.
    Steps {
        /// Number of steps.
        depth: usize,
        /// The kind of step.
        inner: InnerStep,
        /// Its length.
        length: StepLength,
    },
}

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
            lower: LowerSolve::Tolerance(None),
            linear,
        }
    }

    /// How the lower level is solved.
    #[must_use]
    pub fn lower(mut self, lower: LowerSolve) -> Self {
        self.lower = lower;
        self
    }

    /// Solves the lower level to `‖∇_y g‖ ≤ tolerance`.
    #[must_use]
    pub fn lower_tolerance(self, tolerance: f64) -> Self {
        self.lower(LowerSolve::Tolerance(Some(tolerance)))
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

/// What the lower level left behind.
struct Lower<T: Real> {
    y: Vec<T>,
    residual: f64,
    iterations: usize,
    step: Option<f64>,
    status: Status,
}

impl<L> Aid<L> {
    fn solve_lower<T: Real>(
        &self,
        problem: &Bilevel<T>,
        x: &[T],
        work: &mut Workspace<T>,
    ) -> Lower<T> {
        let start = work.start.clone();
        let meter = work.meter().clone();
        match self.lower {
            LowerSolve::Tolerance(tolerance) => {
                let tolerance = tolerance.unwrap_or(default_tolerance::<T>());
                let mut y = start.as_slice().to_vec();
                let minimum = newton(&mut work.lower, x, &mut y, tolerance, &meter);
                let residual = minimum.residual;
                Lower {
                    y,
                    residual,
                    iterations: minimum.iterations,
                    step: None,
                    // Written so that a NaN is no success.
                    status: if residual <= tolerance {
                        Status::Converged
                    } else {
                        Status::LowerNotConverged {
                            residual,
                            tolerance,
                        }
                    },
                }
            }
            LowerSolve::Steps {
                depth,
                inner,
                length,
            } => {
                let length = length.resolve(&mut work.lower, x, start.as_slice());
                let before = residual(&mut work.lower, x, start.as_slice());
                let key = format!("itd {inner:?} {length:e}");
                let mut steps = work.take(&key, || inner.record(problem.lower(), length));
                let first = inner.first_state(start.as_slice(), &meter);
                let nothing = Memory::Truncated { steps: 0 };
                let y = steps.forward(x, &first, depth, nothing)[..problem.dim_y()].to_vec();
                work.put(key, steps);
                let after = residual(&mut work.lower, x, &y);
                Lower {
                    y,
                    residual: after,
                    iterations: depth,
                    step: Some(length),
                    status: match unrolled_status(before, after) {
                        Status::Unrolled => Status::Converged,
                        diverged => diverged,
                    },
                }
            }
        }
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
            LowerSolve::Tolerance(Some(t)) => positive("tolerance", t),
            LowerSolve::Tolerance(None) => None,
            LowerSolve::Steps { depth: 0, .. } => {
                Some("depth 0: expected at least 1 step".to_owned())
            }
            LowerSolve::Steps { length, .. } => length.complaint(),
        };
        let reason = reason.or(positive("tolerance", self.linear.tolerance()));
        match reason {
            Some(reason) => Err(ConfigError {
                strategy: Strategy::<T>::name(self),
                reason,
            }),
            None => Ok(()),
        }
    }

    fn hypergradient(
        &self,
        problem: &Bilevel<T>,
        x: &DVector<T>,
        work: &mut Workspace<T>,
    ) -> Result<Estimate<T>, ConfigError> {
        Strategy::<T>::validate(self)?;
        work.check(problem, x);
        let session = Session::begin(work);
        let x = x.as_slice();
        let lower = self.solve_lower(problem, x, work);
        let meter = work.meter().clone();

        let value = work.upper.differentiate(&[x, &lower.y], Inputs::ALL);
        work.lower.linearise(&[x, &lower.y]);
        let b = work.upper.gradient(1);
        let solution = solve_linear(&self.linear, &mut work.lower, b, &meter);
        let cross = DVector::from_column_slice(work.lower.product(0));
        let direct = DVector::from_column_slice(work.upper.gradient(0));

        let mut estimate = blank(Strategy::<T>::name(self), DVector::from_vec(lower.y));
        estimate.hypergradient = direct - cross;
        estimate.upper = value.f64();
        estimate.status = match (solution.status, lower.status) {
            // A Hessian that is not positive definite says more than a residual, and no residual
            // can be told from what is not finite.
            (
                s @ (Status::SingularHessian { .. }
                | Status::NegativeCurvature { .. }
                | Status::NonFinite { .. }),
                _,
            ) => s,
            (s, Status::Converged) => s,
            (_, s) => s,
        };
        estimate.lower_residual = lower.residual;
        estimate.lower_iterations = lower.iterations;
        estimate.linear_residual = Some(solution.residual);
        estimate.linear_iterations = solution.iterations;
        estimate.step = lower.step;
        Ok(session.finish(work, estimate))
    }
}

struct Solution {
    status: Status,
    residual: f64,
    iterations: usize,
}

/// Solves `H v = b` at the point's linearisation, and leaves `H v` and the cross product with v in
/// the point.
fn solve_linear<T: Real, L: LinearSolver<T>>(
    solver: &L,
    point: &mut Point<T>,
    b: &[T],
    meter: &Meter,
) -> Solution {
    let tolerance = solver.tolerance();
    let mut v = vec![T::zero(); b.len()];
    let mut iterations = 0;
    let mut flaw = flat_direction(point, b.len(), meter);
    let mut residual = f64::NAN;
    // The solver's own residual drifts from the true one by rounding: one that ends short of the
    // tolerance goes on from where it is.
    for _ in 0..3 {
        let mut product = |p: &[T], out: &mut [T]| {
            let width = (p.len() / b.len().max(1)).max(1);
            point.second_block(width, &[None, Some(p)], Inputs::one(1));
            out.copy_from_slice(point.product(1));
        };
        let report = solver.solve(&mut product, b, &mut v, meter);
        iterations += report.iterations;
        point.second(&[None, Some(&v)]);
        residual = relative_residual(point.product(1), b);
        flaw = flaw.or(problem_of(report.outcome));
        if flaw.is_some() || residual <= tolerance || report.outcome != Outcome::Converged {
            break;
        }
    }
    let status = match flaw {
        Some(status) => status,
        // A factorisation answers as exactly as rounding lets it.
        None if residual <= tolerance.max(1e3 * T::EPSILON) => Status::Converged,
        None => Status::LinearNotConverged {
            residual,
            tolerance,
        },
    };
    Solution {
        status,
        residual,
        iterations,
    }
}

fn problem_of(outcome: Outcome) -> Option<Status> {
    match outcome {
        Outcome::Converged | Outcome::Exhausted => None,
        Outcome::Singular { relative_curvature } => {
            Some(Status::SingularHessian { relative_curvature })
        }
        Outcome::Negative { relative_curvature } => {
            Some(Status::NegativeCurvature { relative_curvature })
        }
        Outcome::NonFinite => Some(Status::NonFinite {
            place: "in a Hessian-vector product of the lower level".into(),
        }),
    }
}

/// A right-hand side in the range of H hides a flat direction from a Krylov method. On small
/// problems a second one, which no direction is orthogonal to, finds it.
fn flat_direction<T: Real>(point: &mut Point<T>, n: usize, meter: &Meter) -> Option<Status> {
    if n > 20 {
        return None;
    }
    let probe: Vec<T> = (0..n)
        .map(|i| T::of(1.0 + 0.5 * (i as f64 * 78.233).sin()))
        .collect();
    let mut v = vec![T::zero(); n];
    let mut product = |p: &[T], out: &mut [T]| {
        point.second_by(&[None, Some(p)], Inputs::one(1));
        out.copy_from_slice(point.product(1));
    };
    let cg = Cg::new().tolerance(1e-3).max_iterations(n);
    problem_of(cg.solve(&mut product, &probe, &mut v, meter).outcome)
}

/// ‖Hv − b‖ / ‖b‖, and 0 for b = 0.
fn relative_residual<T: Real>(hv: &[T], b: &[T]) -> f64 {
    let difference: Vec<T> = hv.iter().zip(b).map(|(h, b)| *h - *b).collect();
    let (r, scale) = (norm(&difference).f64(), norm(b).f64());
    if scale == 0.0 { r } else { r / scale }
}
