//! The linear system of implicit differentiation, with what its solution tells.

use autodiff::kernels::{axpy, dot, norm};
use autodiff::{Inputs, Meter, Point, Real};

use super::vectors::Vectors;
use crate::Status;
use crate::accuracy::{Curvature, PROBED};
use crate::linear::{Cg, LinearSolver, Outcome};

/// What a linear solve gave.
pub(super) struct Solution {
    pub(super) status: Status,
    pub(super) residual: f64,
    /// Whether the Hessian, and not the iteration, is what kept it from an answer.
    pub(super) flawed: bool,
    pub(super) iterations: usize,
    /// The smallest curvature that products and the solution have met.
    pub(super) curvature: Curvature,
    /// An estimate of ‖v − H⁻¹b‖ / ‖v‖.
    pub(super) error: f64,
}

/// Solves `H v = b` at the point's linearisation, and leaves `H v` and the cross product with v in
/// the point.
pub(super) fn solve_linear<T: Real, L: LinearSolver<T>>(
    solver: &L,
    point: &mut Point<T>,
    b: &[T],
    vectors: &mut Vectors<T>,
    meter: &Meter,
) -> Solution {
    let tolerance = solver.tolerance();
    let mut iterations = 0;
    let mut curvature = Curvature::new();
    let mut flaw = flat_direction(point, vectors, &mut curvature);
    let v = &mut vectors.v;
    let difference = &mut vectors.spare[0];
    let mut residual = f64::NAN;
    let mut outcome = Outcome::Exhausted;
    // The solver's own residual drifts from the true one by rounding: one that ends short of the
    // tolerance goes on from where it is.
    for _ in 0..3 {
        let mut product = |p: &[T], out: &mut [T]| {
            let width = (p.len() / b.len().max(1)).max(1);
            point.second_block(width, &[None, Some(p)], Inputs::one(1));
            out.copy_from_slice(point.product(1));
            curvature.see(b.len(), p, out);
        };
        let report = solver.solve(&mut product, b, v, meter);
        iterations += report.iterations;
        point.second(&[None, Some(v)]);
        residual = relative_residual(point.product(1), b, difference);
        outcome = report.outcome;
        flaw = match outcome.flaw() {
            Some(Status::InconsistentSystem { .. }) => {
                Some(Status::InconsistentSystem { residual })
            }
            found => flaw.or(found),
        };
        if flaw.is_some() || residual <= tolerance || outcome != Outcome::Converged {
            break;
        }
    }
    curvature.see(v.len(), v, point.product(1));
    if let Some(Status::InconsistentSystem { .. }) = flaw
        && residual > 1.0
    {
        // Nothing at all leaves less.
        v.fill(T::zero());
        point.second(&[None, Some(v)]);
        residual = 1.0;
        flaw = Some(Status::InconsistentSystem { residual });
    }
    let flaw = flaw.or_else(|| curvature_along(v, point.product(1)));
    let status = match flaw {
        Some(status) => status,
        // A factorisation answers as exactly as rounding lets it.
        None if residual <= tolerance.max(1e3 * T::EPSILON) => Status::Converged,
        None if residual.is_nan() => Status::in_a_product(),
        None if outcome == Outcome::Approximate => Status::LinearApproximate { residual },
        None => Status::LinearNotConverged {
            residual,
            tolerance,
        },
    };
    let flawed = matches!(
        status,
        Status::SingularHessian { .. }
            | Status::NegativeCurvature { .. }
            | Status::InconsistentSystem { .. }
            | Status::NonFinite { .. }
    );
    Solution {
        status,
        flawed,
        residual,
        iterations,
        curvature,
        error: relative(curvature.distance(residual * norm(b).f64()), norm(v).f64()),
    }
}

/// Negative curvature along the solution itself: a solver without products of its own meets none.
fn curvature_along<T: Real>(v: &[T], hv: &[T]) -> Option<Status> {
    let scale = norm(v) * norm(hv);
    let relative_curvature = (dot(v, hv) / scale).f64();
    let rounding = 10.0 * T::EPSILON * (v.len() as f64).sqrt();
    (relative_curvature < -rounding).then_some(Status::NegativeCurvature { relative_curvature })
}

/// A right-hand side in the range of H hides a flat direction from a Krylov method. On small
/// problems a second one, which no direction is orthogonal to, finds it.
fn flat_direction<T: Real>(
    point: &mut Point<T>,
    vectors: &mut Vectors<T>,
    curvature: &mut Curvature,
) -> Option<Status> {
    let [probe, v, _] = &mut vectors.spare;
    let n = probe.len();
    if n > PROBED {
        return None;
    }
    for (i, probe) in probe.iter_mut().enumerate() {
        *probe = T::of(1.0 + 0.5 * (i as f64 * 78.233).sin());
    }
    v.fill(T::zero());
    let mut product = |p: &[T], out: &mut [T]| {
        point.second_by(&[None, Some(p)], Inputs::one(1));
        out.copy_from_slice(point.product(1));
        curvature.see(n, p, out);
    };
    let cg = Cg::new().tolerance(1e-3).max_iterations(n);
    let report = cg.solve_in(&mut product, probe, v, &mut vectors.cg);
    report.outcome.flaw()
}

/// ‖Hv − b‖ / ‖b‖, and 0 for b = 0.
fn relative_residual<T: Real>(hv: &[T], b: &[T], difference: &mut [T]) -> f64 {
    difference.copy_from_slice(hv);
    axpy(difference, -T::one(), b);
    relative(norm(difference).f64(), norm(b).f64())
}

/// `part / whole`, and the part itself where the whole is 0.
fn relative(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { part } else { part / whole }
}
