//! Implicit differentiation of the fixed point of a step.

mod entry;
mod gmres;
mod system;

use autodiff::bytes::{Buffer, Category};
use autodiff::kernels::add;
use autodiff::unroll::{Memory, Step};
use autodiff::{Inputs, Real};
use nalgebra::DVector;

use crate::accuracy::{PROBED, TOLD, degenerate, part, size, solved};
use crate::inner::{InnerStep, StepLength, Stop, Weak};
use crate::{Bilevel, Estimate, Status, Workspace, default_tolerance};

use super::footprint::{loop_bytes, workspace_bytes};
use super::session::{Session, blank, counted};
use super::{ConfigError, Strategy};
pub(super) use entry::entries;
pub use system::StepSystem;
use system::{Linearised, solve, solver_bytes};

/// Solves the lower level by steps `y ← Φ(x, y)`, and differentiates the equation `y = Φ(x, y)` of
/// their fixed point: `(I − ∂_yΦ)ᵀ p = ∇_yF`, then `∇_xF + (∂_xΦ)ᵀ p`.
///
/// The step may end in a projection or a soft threshold, so the lower level may have constraints or
/// a part that is not smooth. With plain gradient steps the equation is that of [`Aid`](crate::Aid),
/// with `p = v/s`. Steps that keep more than y (momentum, FISTA) are differentiated as the first of
/// them is, a step without momentum.
///
/// # Requirements on the problem
/// g twice differentiable, the solution unique, and Φ differentiable there: no constraint that holds
/// with equality may have a zero multiplier, no entry that a threshold makes 0 may be at its edge.
/// At such a point the result is one of several limits, and a warning names the entry.
///
/// # Cost in oracle calls
/// Those of the steps, one gradient of F, one Hessian-vector product of g for each iteration of the
/// linear solver and for each of its recomputed residuals, and one for the cross product. Where y is
/// not yet near enough, or the linear system not solved well enough, both again from there.
///
/// # Reference
/// Q. Bertrand et al., Implicit differentiation for fast hyperparameter selection in non-smooth
/// convex learning, Journal of Machine Learning Research 23, 2022; M. Blondel et al., Efficient and
/// modular implicit differentiation, NeurIPS 2022, section 2.2.
///
/// # Example
/// y* = 1 − x by its bound, whatever the rest of the lower level wants:
/// ```
/// use autodiff::{Var, objective};
/// use nalgebra::dvector;
/// use solvers::{AidStep, Bilevel, Constraint, InnerStep, Strategy};
///
/// let upper = objective(|x: Var, y: Var| 0.5 * y.norm_squared() + 0.0 * x.sum());
/// let lower = objective(|x: Var, y: Var| 0.5 * (y - 3.0 * x).norm_squared());
/// let problem = Bilevel::new(upper, lower, 2, 2)?;
///
/// let inside = InnerStep::projected(Constraint::Box { low: 0.0, high: 1.0 });
/// let estimate = AidStep::new(inside)
///     .hypergradient(&problem, &dvector![0.2, 0.8], &mut problem.workspace())?;
/// // y = (0.6, 1): the second entry is held by its bound.
/// assert!((estimate.hypergradient[0] - 3.0 * 0.6).abs() < 1e-9);
/// assert_eq!(estimate.hypergradient[1], 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AidStep {
    inner: InnerStep,
    length: StepLength,
    system: StepSystem,
    tolerance: Option<f64>,
    limit: usize,
}

/// Steps on the lower level are not differentiated one by one.
const NOTHING: Memory = Memory::Truncated { steps: 0 };

impl AidStep {
    /// These steps, of automatic length, to the precision's default tolerance; the linear system by
    /// fixed-point iteration.
    pub fn new(inner: InnerStep) -> Self {
        AidStep {
            inner,
            length: StepLength::Auto,
            system: StepSystem::Iteration,
            tolerance: None,
            limit: 100_000,
        }
    }

    /// A fixed step length.
    #[must_use]
    pub fn step(mut self, length: f64) -> Self {
        self.length = StepLength::Fixed(length);
        self
    }

    /// How the linear system is solved.
    #[must_use]
    pub fn system(mut self, system: StepSystem) -> Self {
        self.system = system;
        self
    }

    /// The residual that the lower level is solved to at least, and the relative one of the linear
    /// system. Unless given, a residual above the default will do where y is near all the same.
    ///
    /// The steps go on until y is within 1e-7 of its own size (3e-4 in `f32`), or this tolerance if
    /// it is more, of the fixed point, as far as the linear system can tell.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// The most steps on the lower level, and the most iterations on the linear system.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The most bytes that the estimate's workspace holds, without running anything; see
    /// [`Itd::predicted_peak_bytes`](crate::Itd::predicted_peak_bytes).
    pub fn predicted_peak_bytes<T: Real>(&self, problem: &Bilevel<T>) -> usize {
        let (dim_x, dim_y) = (problem.dim_x(), problem.dim_y());
        // The length is one number in the recording, whichever it is.
        let step = self.inner.record(problem.lower(), 0.5);
        let second = self.length.is_found() || dim_y <= PROBED;
        let previous = Stop::<T>::previous(self.inner, dim_y);
        let vectors = step.dim_state() + self.inner.spare(dim_y, self.length) + previous;
        workspace_bytes(problem, [0, usize::from(second)], Some(&step))
            + loop_and_linearisation(&step)
            + (vectors + 4 * dim_y + dim_x) * size_of::<T>()
            + solver_bytes::<T>(self.system, dim_y)
    }
}

/// Bytes of a loop that keeps nothing and then linearises one step.
fn loop_and_linearisation<T: Real>(step: &Step<T>) -> usize {
    let kept = |memory| -> usize {
        let bytes = |category| step.kept_bytes(1, memory, category);
        Category::ALL.into_iter().map(bytes).sum()
    };
    loop_bytes(step, 1, Memory::Stored) - kept(Memory::Stored) + kept(Memory::Taped)
}

impl<T: Real> Strategy<T> for AidStep {
    fn name(&self) -> String {
        match self.system {
            StepSystem::Iteration => "aid-step".into(),
            StepSystem::Gmres { .. } => "aid-step-gmres".into(),
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let tolerance = self.tolerance.unwrap_or(default_tolerance::<T>());
        let reason = match (self.inner, self.system) {
            (InnerStep::Adam { .. } | InnerStep::AdamWith { .. }, _) => Some(format!(
                "a step of {} divides by what it has moved, which is 0 at its fixed point: expected \
                 gd, or another step without adaptive lengths",
                self.inner
            )),
            (_, StepSystem::Gmres { restart: 0 }) => {
                Some("restart after 0 iterations: expected at least 1".to_owned())
            }
            _ if self.limit == 0 => Some("at most 0 steps: expected at least 1".to_owned()),
            _ if !(tolerance.is_finite() && tolerance > 0.0) => {
                Some(format!("tolerance {tolerance}: expected a positive number"))
            }
            _ => self.inner.complaint(self.length),
        };
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
        self.suits(problem)?;
        work.check(problem, x);
        let session = Session::begin(work);
        let tolerance = self.tolerance.unwrap_or(default_tolerance::<T>());
        let (x, dim_y, meter) = (x.as_slice(), problem.dim_y(), work.meter().clone());
        let (inner, proximal) = (self.inner, self.inner.proximal());
        let buffer = |len: usize| Buffer::zeros(len, Category::Solver, &meter);
        let mut state = inner.first_state(work.start.as_slice(), &meter);
        let mut spare = buffer(inner.spare(dim_y, self.length));
        let mut previous = buffer(Stop::<T>::previous(inner, dim_y));
        let (mut p, mut q, mut residual) = (buffer(dim_y), buffer(dim_y), buffer(dim_y));

        let y = &state[..dim_y];
        let length = self
            .length
            .resolve_proximal(proximal, &mut work.lower, x, y, &mut spare);
        let before = proximal.residual(&mut work.lower, x, y, length, &mut spare);
        let key = format!("itd {inner:?} {length:e}");
        let mut steps = work.take(&key, || inner.record(problem.lower(), length));
        let (mut y, _y_bytes) = counted(&state[..dim_y], &meter);
        let (mut hypergradient, _bytes) = counted(x, &meter);
        let allowed = tolerance.max(solved::<T>());
        let (mut wanted, mut linear, mut depth) = (tolerance, tolerance, 0);
        let (after, upper, solution, distance, weak) = loop {
            let mut stop = Stop {
                inner,
                length,
                tolerance: wanted,
                least: 1,
                lower: &mut work.lower,
                x,
                previous: &mut previous,
                spare: &mut spare,
                latest: f64::INFINITY,
                rate: 0.0,
            };
            let until = |made: usize, state: &[T]| stop.reached(made, state);
            let last = steps.forward_until(x, &state, self.limit - depth, NOTHING, until);
            let rate = stop.rate;
            y.as_mut_slice().copy_from_slice(&last[..dim_y]);
            depth += steps.depth();
            let at = y.as_slice();
            let after = proximal.residual(&mut work.lower, x, at, length, &mut spare);
            let gradient = work.lower.gradient(1);
            let weak = Weak {
                start: work.start.as_slice(),
                scale: before,
                residual: after,
                length,
                blur: allowed,
            };
            let weak = weak.entry(proximal, at, gradient);
            let upper = work.upper.differentiate(&[x, at], Inputs::ALL);
            inner.start(at, &mut state);
            steps.forward(x, &state, 1, Memory::Taped);
            let mut linearised = Linearised {
                steps: &mut steps,
                inner,
                cotangent: &mut state,
            };
            let solution = solve(
                self.system,
                (linear, self.limit),
                &mut linearised,
                work.upper.gradient(1),
                [&mut p, &mut q, &mut residual],
                &meter,
            );
            // No rate is seen better than by as many steps.
            let slowest = (1.0 - rate).max(1.0 / depth as f64);
            let off = after * length * solution.reach.max(1.0 / slowest);
            let distance = part(off, at, work.start.as_slice());
            let nearer = 0.5 * after * (allowed / distance);
            // Written so that a NaN, or steps that lead no further, end it.
            let goes_on = distance > allowed && nearer > 0.0 && nearer < 0.5 * wanted;
            // The linear system too: once, to what rounding lets it.
            let sharper = (0.1 * TOLD * linear / solution.error).max(4.0 * T::EPSILON);
            let again = solution.error > TOLD && linear == tolerance && sharper < linear;
            if !(goes_on || again) || depth >= self.limit {
                break (after, upper, solution, distance, weak);
            }
            if again {
                linear = sharper;
            }
            if goes_on {
                wanted = nearer;
            }
            inner.start(at, &mut state);
        };
        let mut linearised = Linearised {
            steps: &mut steps,
            inner,
            cotangent: &mut state,
        };
        let by_x = work.upper.gradient(0);
        hypergradient.as_mut_slice().copy_from_slice(by_x);
        add(hypergradient.as_mut_slice(), linearised.pull(&p, &mut q));
        work.put(key.clone(), steps);

        let mut estimate = blank(Strategy::<T>::name(self), y);
        estimate.hypergradient = hypergradient;
        estimate.upper = upper.f64();
        // A given tolerance is strict; the default is within reach of rounding.
        let met = after <= tolerance || self.tolerance.is_none();
        let near = distance <= allowed;
        // Written so that a NaN is no success.
        estimate.status = if let Some(relative_curvature) = solution.repels {
            Status::NegativeCurvature { relative_curvature }
        } else if near && met && solution.residual <= tolerance {
            Status::Converged
        } else if near && met {
            Status::LinearNotConverged {
                residual: solution.residual,
                tolerance,
            }
        } else if !near && !(after <= before) {
            Status::LowerDiverged { before, after }
        } else if after > tolerance {
            Status::LowerNotConverged {
                residual: after,
                tolerance,
            }
        } else if solution.residual > tolerance {
            // Without its solution nothing is known of the distance.
            Status::LinearNotConverged {
                residual: solution.residual,
                tolerance,
            }
        } else {
            Status::LowerInaccurate { distance, allowed }
        };
        estimate.distance = Some(distance);
        estimate.warnings.extend(weak);
        if estimate.status.is_success() && solution.error > TOLD {
            estimate.warnings.push(format!(
                "the linear system's solution may be off by some {:.1e} of its size (relative \
                 residual {:.1e}): solve it further",
                solution.error, solution.residual
            ));
        }
        if matches!(estimate.status, Status::LowerNotConverged { .. }) {
            let remedy = if after < 0.99 * before {
                "allow more, or measure y in units of like curvature"
            } else {
                "take a shorter one where they go to and fro"
            };
            estimate.warnings.push(format!(
                "{depth} steps of length {length:.1e} did not settle: {remedy}"
            ));
        }
        if matches!(estimate.status, Status::LinearNotConverged { .. }) {
            estimate.warnings.push(format!(
                "the step's fixed point was differentiated by {}: where it does not contract, the \
                 lower level has more than one solution; where it is slow, use gmres",
                Strategy::<T>::name(self)
            ));
        }
        estimate.lower_residual = after;
        estimate.lower_iterations = depth;
        estimate.linear_residual = Some(solution.residual);
        estimate.linear_iterations = solution.iterations;
        estimate.step = Some(length);
        if estimate.status.is_success() {
            let (at, size) = (
                estimate.y.as_slice(),
                size(estimate.y.as_slice(), work.start.as_slice()),
            );
            if dim_y <= PROBED {
                work.lower.linearise(&[x, at]);
                work.lower.second_by(&[None, Some(&p)], Inputs::one(1));
                let flat = degenerate(&mut work.lower, [x, at], &p, size, &mut q);
                if let Some(relative_curvature) = flat {
                    estimate.status = Status::SingularHessian { relative_curvature };
                }
            }
        }
        Ok(session.finish(work, estimate, x, |work| {
            inner.start(work.start.as_slice(), &mut state);
            let mut steps = work.take(&key, || inner.record(problem.lower(), length));
            let nothing = vec![T::zero(); state.len()];
            let found = steps.find_non_finite(x, &state, depth, NOTHING, &nothing);
            work.put(key, steps);
            found
        }))
    }
}
