//! How a computation ended.

use std::fmt;

use autodiff::unroll::{DiskError, Irreversible};

/// How a computation ended, with a remedy in words where it did not end well.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(tag = "code", content = "details", rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Status {
    /// Every tolerance was met.
    Converged,
    /// The loop was unrolled to the depth asked for.
    Unrolled,
    /// The steps asked for were made; nothing was solved to a tolerance.
    Stepped,
    /// The lower level stopped before its tolerance.
    LowerNotConverged {
        /// ‖∇_y g‖ reached.
        residual: f64,
        /// ‖∇_y g‖ asked for.
        tolerance: f64,
    },
    /// The lower level was solved as far as was asked for, by its residual, and y is far from the
    /// solution all the same: g is flat or small there.
    LowerInaccurate {
        /// The estimated distance to the solution, as a part of y's size.
        distance: f64,
        /// The distance that would do.
        allowed: f64,
    },
    /// The lower level was solved as far as was asked for, and the hypergradient still changed when y
    /// was brought nearer to the solution than that: it is not known to the tolerance.
    Unsettled {
        /// The last change, as a part of the larger of the hypergradient and of its two terms.
        change: f64,
        /// The change that would do.
        allowed: f64,
    },
    /// The steps on the lower level hardly moved it: neither ‖∇_y g‖ nor the cotangent has fallen.
    LowerStuck {
        /// ‖∇_y g‖ at the start.
        before: f64,
        /// ‖∇_y g‖ after the last step.
        after: f64,
        /// The share of the cotangent that is left at the start.
        left: f64,
    },
    /// The cotangent of an unrolled loop grew on the way back: the steps lead away from where they
    /// are, as from a maximum or a saddle, and the derivative with them.
    CotangentGrew {
        /// The cotangent's norm at the start of the loop over that at its end.
        growth: f64,
    },
    /// The unrolled lower level moved away from a stationary point.
    LowerDiverged {
        /// ‖∇_y g‖ at the start.
        before: f64,
        /// ‖∇_y g‖ after the last step.
        after: f64,
    },
    /// The linear solver stopped before its tolerance.
    LinearNotConverged {
        /// ‖Hv − b‖ / ‖b‖ reached, recomputed.
        residual: f64,
        /// ‖Hv − b‖ / ‖b‖ asked for.
        tolerance: f64,
    },
    /// The linear system was solved as far as was asked for: a count of iterations, or an
    /// approximation of the Hessian.
    LinearApproximate {
        /// ‖Hv − b‖ / ‖b‖ reached, recomputed.
        residual: f64,
    },
    /// The linear system was solved with another curvature in the place of the Hessian, as was
    /// [asked for](crate::LowerCurvature): the answer is biased.
    CurvatureApproximate {
        /// ‖Hv − b‖ / ‖b‖ with the Hessian H itself, recomputed.
        residual: f64,
        /// ‖Ĥv − b‖ / ‖b‖ with the curvature Ĥ that took its place, recomputed.
        solved: f64,
    },
    /// The curvature that took the place of the Hessian is singular or indefinite to working precision.
    CurvatureIndefinite {
        /// The smallest curvature met, in units of the largest; 0 where there was no solution.
        relative_curvature: f64,
    },
    /// The iteration for the linear system moves away from the solution.
    LinearDiverged {
        /// Factor by which its residual grows in a step.
        growth: f64,
    },
    /// The Hessian of the lower level is singular to working precision and ∇_yF is not in its
    /// range: the linear system has no solution.
    InconsistentSystem {
        /// The least ‖Hv − b‖ / ‖b‖, recomputed.
        residual: f64,
    },
    /// The Hessian of the lower level is singular to working precision: the lower level has a
    /// direction along which it is flat, and implicit differentiation has no answer.
    SingularHessian {
        /// The smallest curvature met, in units of the largest.
        relative_curvature: f64,
    },
    /// The Hessian of the lower level has a negative eigenvalue: y is no minimiser.
    NegativeCurvature {
        /// The most negative curvature met, in units of the largest magnitude.
        relative_curvature: f64,
    },
    /// No y satisfies the constraints of the lower level at this x.
    Infeasible {
        /// The least violation, as a distance in y.
        violation: f64,
    },
    /// The gradients by y of the constraints that hold with equality depend on each other, so their
    /// multipliers are not unique.
    DependentConstraints {
        /// The least singular value of the gradients, each of length one, in units of the largest.
        relative: f64,
    },
    /// A value is NaN or infinite.
    NonFinite {
        /// Where it first arose.
        place: String,
    },
    /// The lower level is not defined at this x: a weight is negative, a radius is not positive, or
    /// bounds have crossed.
    Undefined {
        /// Which parameter of which part, its value and what was expected.
        reason: String,
    },
    /// A loop under [`Memory::Reversible`](autodiff::unroll::Memory::Reversible) could not be run,
    /// or not undone.
    Irreversible(Irreversible),
    /// A loop under [`Memory::Disk`](autodiff::unroll::Memory::Disk) could not keep its states.
    Disk(DiskError),
    /// Somebody [interrupted](autodiff::bytes::Interrupt) the computation.
    Interrupted,
}

impl Status {
    /// A linear system that met a product which is not finite.
    pub(crate) fn in_a_product() -> Self {
        Status::NonFinite {
            place: "in a Hessian-vector product of the lower level".into(),
        }
    }

    /// The status as one word, for records.
    pub fn code(&self) -> &'static str {
        match self {
            Status::Converged => "converged",
            Status::Unrolled => "unrolled",
            Status::Stepped => "stepped",
            Status::LowerNotConverged { .. } => "lower-not-converged",
            Status::LowerInaccurate { .. } => "lower-inaccurate",
            Status::Unsettled { .. } => "unsettled",
            Status::LowerStuck { .. } => "lower-stuck",
            Status::CotangentGrew { .. } => "cotangent-grew",
            Status::LowerDiverged { .. } => "lower-diverged",
            Status::LinearNotConverged { .. } => "linear-not-converged",
            Status::LinearApproximate { .. } => "linear-approximate",
            Status::CurvatureApproximate { .. } => "curvature-approximate",
            Status::CurvatureIndefinite { .. } => "curvature-indefinite",
            Status::LinearDiverged { .. } => "linear-diverged",
            Status::InconsistentSystem { .. } => "inconsistent-system",
            Status::SingularHessian { .. } => "singular-hessian",
            Status::NegativeCurvature { .. } => "negative-curvature",
            Status::Infeasible { .. } => "infeasible",
            Status::DependentConstraints { .. } => "dependent-constraints",
            Status::NonFinite { .. } => "non-finite",
            Status::Undefined { .. } => "undefined",
            Status::Irreversible(_) => "irreversible",
            Status::Disk(_) => "disk-failed",
            Status::Interrupted => "interrupted",
        }
    }

    /// Whether the estimate is what was asked for.
    pub fn is_success(&self) -> bool {
        matches!(
            self,
            Status::Converged
                | Status::Unrolled
                | Status::Stepped
                | Status::LinearApproximate { .. }
                | Status::CurvatureApproximate { .. }
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Converged => write!(f, "converged"),
            Status::Unrolled => write!(f, "unrolled to the depth asked for"),
            Status::Stepped => write!(f, "made the steps asked for"),
            Status::LowerNotConverged {
                residual,
                tolerance,
            } => write!(
                f,
                "the lower level stopped at ‖∇_y g‖ = {residual:.2e}, above {tolerance:.2e}: allow \
                 more iterations, or a tolerance within reach of the precision"
            ),
            Status::LowerInaccurate { distance, allowed } => write!(
                f,
                "y is off the lower level's solution by some {distance:.1e} of its size, above \
                 {allowed:.1e}: solve the lower level further, or measure its variables in units of \
                 like curvature; where it is flat for ever it has no solution"
            ),
            Status::Unsettled { change, allowed } => write!(
                f,
                "the hypergradient still changed by {change:.1e} of its size, above {allowed:.1e}, when y \
                 was brought nearer to the solution than the tolerance asks: allow more iterations, or \
                 leave the tolerance out"
            ),
            Status::LowerStuck {
                before,
                after,
                left,
            } => write!(
                f,
                "the lower level hardly moved, ‖∇_y g‖ went from {before:.2e} to {after:.2e} and \
                 {left:.2e} of the cotangent is left: take longer steps or more of them, measure y \
                 in units of like curvature, or solve it otherwise; without curvature there is no \
                 solution to come to"
            ),
            Status::CotangentGrew { growth } => write!(
                f,
                "the cotangent grew by a factor of {growth:.2e} through the loop: the steps lead \
                 away from a maximum or a saddle, or are too long; start elsewhere, or take \
                 shorter ones"
            ),
            Status::LowerDiverged { before, after } => write!(
                f,
                "the lower level moved away, ‖∇_y g‖ went from {before:.2e} to {after:.2e}: take a \
                 shorter step; where g has a kink or no minimiser no step will do"
            ),
            Status::LinearNotConverged {
                residual,
                tolerance,
            } => write!(
                f,
                "the linear solver stopped at relative residual {residual:.2e}, above \
                 {tolerance:.2e}: allow more iterations, or use the direct solver"
            ),
            Status::LinearApproximate { residual } => write!(
                f,
                "the linear system was solved as far as was asked for, to relative residual \
                 {residual:.2e}: allow more iterations or a higher rank for a smaller one"
            ),
            Status::CurvatureApproximate { residual, solved } => write!(
                f,
                "the linear system was solved with an approximate curvature, to relative residual \
                 {solved:.2e}, and {residual:.2e} is left of the Hessian's own, so the hypergradient is \
                 biased: take less damping, or the exact curvature where it is positive definite"
            ),
            Status::CurvatureIndefinite { relative_curvature } => write!(
                f,
                "the approximate curvature is singular or indefinite to working precision (relative \
                 curvature {relative_curvature:.1e}), so the linear system has no solution to go by: add \
                 damping, or mark outputs that the lower level is convex in"
            ),
            Status::LinearDiverged { growth } => write!(
                f,
                "the linear iteration diverges, its residual grows by a factor of {growth:.2} in a \
                 step: take a step below 2 over the largest curvature, let the step be found, or \
                 use conjugate gradients"
            ),
            Status::InconsistentSystem { residual } => write!(
                f,
                "the Hessian of the lower level is singular to working precision and ∇_yF is not in \
                 its range, so the linear system has no solution (least relative residual \
                 {residual:.2e}): add strong convexity to the lower level, use BDA or GDA where it \
                 has many solutions, or measure y in units of like curvature"
            ),
            Status::SingularHessian { relative_curvature } => write!(
                f,
                "the Hessian of the lower level is singular to working precision (relative \
                 curvature {relative_curvature:.1e}), so nothing tells how y moves with x: add \
                 strong convexity to the lower level, use BDA or GDA where it has many solutions, \
                 write g without a kink or a zero of higher order there, or measure y in units of \
                 like curvature"
            ),
            Status::NegativeCurvature { relative_curvature } => write!(
                f,
                "the Hessian of the lower level has negative curvature (relative \
                 {relative_curvature:.1e}), so y is no minimiser: start it elsewhere, or solve it \
                 further; where a saddle is meant, start at it and use minres"
            ),
            Status::Infeasible { violation } => write!(
                f,
                "no y satisfies the constraints of the lower level at this x (the least violation is a \
                 distance of {violation:.1e}): keep x where they have a solution, by bounds, or \
                 penalise what they ask for"
            ),
            Status::DependentConstraints { relative } => write!(
                f,
                "the gradients of the constraints that hold with equality depend on each other (least \
                 singular value {relative:.1e}), so their multipliers are not unique and y may have \
                 no derivative: state each constraint once, and a pair of opposite inequalities as \
                 one equality"
            ),
            Status::NonFinite { place } => write!(
                f,
                "not a finite number: {place}; check that x, the start and the data are where this is \
                 defined, and take a shorter step where a loop ran away"
            ),
            Status::Undefined { reason } => write!(
                f,
                "the lower level is not defined at this x ({reason}): keep x where it is, by bounds or \
                 as a logarithm, and take a shorter step"
            ),
            Status::Irreversible(reason) => write!(
                f,
                "{reason}: take a shorter step, scale y, or use another memory policy"
            ),
            Status::Disk(reason) => write!(
                f,
                "{reason}: make room there, name another folder by TMPDIR, or take more slots"
            ),
            Status::Interrupted => write!(
                f,
                "interrupted before its end, so nothing of it is a result: lift the interrupt, and call \
                 again"
            ),
        }
    }
}
