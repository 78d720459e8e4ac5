//! The linear system of implicit differentiation with another curvature in the place of the Hessian, and
//! what that leaves of the Hessian's own.

use autodiff::{Inputs, Point, Real};

use crate::accuracy::{Curvature, PROBED};
use crate::lower_curvature::{LowerCurvature, along};
use crate::{Status, linear::Scratch};

use super::system::{Solution, flat_direction, residual_of};
use super::{LinearSolver, Outcome};

/// Solves `Ĥ v = b` at the point's linearisation, from the `v` given, and leaves the Hessian's own
/// product `H v` and the cross product with v in the point. `kept` is what the last system left.
///
/// # Cost in oracle calls
/// The solver's products and one more that is of H; another one of Gauss–Newton's for the residual of its
/// own system, where damping is known without. On small problems H is looked at for a flat direction, as
/// it is where it is solved with.
pub(crate) fn solve<T: Real>(
    kind: LowerCurvature,
    solver: &dyn LinearSolver<T>,
    point: &mut Point<T>,
    b: &[T],
    (v, kept): (&mut [T], &mut [T]),
    mut scratch: Scratch<'_, T>,
) -> Solution {
    let tolerance = solver.tolerance();
    let mut curvature = Curvature::new();
    let flaw_of_h = match b.len() <= PROBED {
        true => flat_direction(point, &mut None, b.len(), &mut scratch, &mut curvature),
        false => None,
    };
    let (mut solved, mut outcome, mut iterations) = (f64::NAN, Outcome::Exhausted, 0);
    let mut negative = 0.0_f64;
    // As with the Hessian: rounding may leave it short of the tolerance.
    for _ in 0..3 {
        let mut h = kind.of(point);
        let report = solver.solve_keeping(&mut h, b, v, kept, &mut scratch);
        curvature = curvature.and(h.seen());
        negative = negative.min(h.negative());
        iterations += report.iterations;
        outcome = report.outcome;
        if let LowerCurvature::GaussNewton { .. } = kind {
            point.gauss_newton(&[None, Some(v)], Inputs::one(1));
        } else {
            point.second(&[None, Some(v)]);
        }
        let damping = T::of(kind.damping());
        let products = point.product(1).iter().zip(&*v);
        solved = residual_of(products.map(|(hv, v)| *hv + damping * *v), b);
        if solved <= tolerance || outcome != Outcome::Converged {
            break;
        }
    }
    if let LowerCurvature::GaussNewton { .. } = kind {
        point.second(&[None, Some(v)]);
    }
    let hv = point.product(1);
    curvature.see(v.len(), v, hv);
    negative = negative.min(along(v, hv));
    let residual = residual_of(hv.iter().copied(), b);
    let status = reached::<T>(outcome, (residual, solved), tolerance);
    let flawed = matches!(
        status,
        Status::CurvatureIndefinite { .. } | Status::NonFinite { .. }
    );
    let remark = match flaw_of_h {
        None if negative < 0.0 => Some(Status::NegativeCurvature {
            relative_curvature: negative,
        }),
        flaw => flaw,
    };
    Solution {
        status,
        residual,
        flawed,
        iterations,
        curvature,
        error: 0.0,
        remark: remark.map(|of_h| format!("with the exact curvature the status would be: {of_h}")),
    }
}

/// What came of a system with another curvature, and these residuals of the Hessian's own and of itself.
fn reached<T: Real>(outcome: Outcome, (residual, solved): (f64, f64), tolerance: f64) -> Status {
    let indefinite = |relative_curvature| Status::CurvatureIndefinite { relative_curvature };
    match outcome {
        Outcome::Negative { relative_curvature } | Outcome::Singular { relative_curvature } => {
            indefinite(relative_curvature)
        }
        Outcome::Inconsistent { .. } => indefinite(0.0),
        Outcome::Diverged { growth } => Status::LinearDiverged { growth },
        _ if residual.is_nan() || outcome == Outcome::NonFinite => Status::in_a_product(),
        Outcome::Approximate => Status::CurvatureApproximate { residual, solved },
        _ if solved <= tolerance.max(1e3 * T::EPSILON) => {
            Status::CurvatureApproximate { residual, solved }
        }
        _ => Status::LinearNotConverged {
            residual: solved,
            tolerance,
        },
    }
}
