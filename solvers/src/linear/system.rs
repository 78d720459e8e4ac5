//! The linear system of implicit differentiation, with what its solution tells.

use autodiff::kernels::norm;
use autodiff::{Inputs, Point, Real};

use crate::Status;
use crate::accuracy::{Curvature, PROBED};
use crate::hessian::Hessian;
use crate::lower::Working;
use crate::lower_curvature::along;
use crate::part::{Face, OnFace};

use super::{Cg, LinearSolver, Outcome, Report, Scratch};

/// What a linear solve gave.
pub(crate) struct Solution {
    pub(crate) status: Status,
    /// ‖Hv − b‖ / ‖b‖ recomputed from v, and ‖Hv‖ for b = 0.
    pub(crate) residual: f64,
    /// Whether the Hessian, and not the iteration, is what kept it from an answer.
    pub(crate) flawed: bool,
    pub(crate) iterations: usize,
    /// The smallest curvature that products and the solution have met.
    pub(crate) curvature: Curvature,
    /// An estimate of ‖v − H⁻¹b‖ / ‖v‖; 0 where the status itself tells of it.
    pub(crate) error: f64,
    /// What was seen of H itself where another curvature took its place.
    pub(crate) remark: Option<String>,
}

/// What is known of a system before it is solved.
pub(crate) enum Known<'w, T> {
    /// A start; a flat direction that the right-hand side hides is looked for.
    Start,
    /// A start, and that H is positive definite.
    Positive,
    /// The factor of the matrix on a face, which the start was made by.
    Factor(&'w Working<T>),
}

/// Entries of scratch that [`solve`] takes, with `probe` or without.
pub(crate) fn scratch<T: Real>(solver: &dyn LinearSolver<T>, n: usize, probe: bool) -> usize {
    let probed = match probe && n <= PROBED {
        true => 2 * n + LinearSolver::<T>::scratch(&Cg::new(), n),
        false => 0,
    };
    solver.scratch(n).max(probed)
}

/// Bytes that a solver allocates beside its scratch, while it solves.
pub(crate) fn beside<T: Real>(solver: &dyn LinearSolver<T>, n: usize) -> usize {
    solver.bytes(n) - solver.scratch(n) * size_of::<T>()
}

/// Solves `H v = b` at the point's linearisation, from the `v` given, and leaves `H v` and the cross
/// product with v in the point. `kept` is what the last system left, or nothing. A v by a factor is measured
/// first, and refined by it once where its residual is not within the tolerance (N. Higham, Accuracy and
/// stability of numerical algorithms, 2002, chapter 12); where that is so it is the answer. But a solver
/// that allocates is run, as its bytes are predicted.
///
/// On a face the system is its own, `M u = b`, and what is left in the point is the product with
/// `v = D u`; scratch is then one vector more.
pub(crate) fn solve<T: Real>(
    solver: &dyn LinearSolver<T>,
    point: &mut Point<T>,
    mut face: Option<&mut Face<'_, T>>,
    b: &[T],
    (v, kept): (&mut [T], &mut [T]),
    scratch: Scratch<'_, T>,
    known: Known<'_, T>,
) -> Solution {
    let tolerance = solver.tolerance();
    let mut curvature = Curvature::new();
    let ([hv], mut scratch) = scratch.take(if face.is_some() { b.len() } else { 0 });
    let probes = !matches!(known, Known::Positive) && b.len() <= PROBED;
    let mut flaw = match probes {
        true => flat_direction(point, &mut face, b.len(), &mut scratch, &mut curvature),
        false => None,
    };
    if let Some(face) = &mut face {
        // What it loses is no part of the system there.
        (kept.chunks_exact_mut(b.len().max(1))).for_each(|kept| face.project(kept));
    }
    let (mut residual, mut outcome, mut iterations) = (f64::NAN, Outcome::Exhausted, 0);
    let by_factor = match known {
        Known::Factor(working) if beside(solver, b.len()) == 0 => {
            face.as_deref_mut().zip(Some(working))
        }
        _ => None,
    };
    let guessed = by_factor.is_some();
    if let Some((face, working)) = by_factor {
        outcome = Outcome::Converged;
        let mut measured = |face: &mut Face<'_, T>, v: &[T], hv: &mut [T]| {
            face.times(point, v, hv, true);
            relative_residual(hv, b)
        };
        residual = measured(face, v, hv);
        if residual > tolerance {
            for (hv, b) in hv.iter_mut().zip(b) {
                *hv = *b - *hv;
            }
            face.add_solution(hv, v, working);
            residual = measured(face, v, hv);
        }
    }
    // The solver's own residual drifts from the true one by rounding: one that ends short of the
    // tolerance goes on from where it is.
    for _ in 0..3 {
        if guessed && residual <= tolerance {
            break;
        }
        let report = run(
            solver,
            point,
            &mut face,
            b,
            (v, kept),
            &mut scratch,
            &mut curvature,
        );
        iterations += report.iterations;
        residual = relative_residual(product(point, &mut face, v, hv), b);
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
    if let Some(Status::InconsistentSystem { .. }) = flaw
        && residual > 1.0
    {
        // Nothing at all leaves less.
        v.fill(T::zero());
        product(point, &mut face, v, hv);
        residual = 1.0;
        flaw = Some(Status::InconsistentSystem { residual });
    }
    let hv = match face {
        Some(_) => &*hv,
        None => point.product(1),
    };
    curvature.see(v.len(), v, hv);
    let flaw = flaw.or_else(|| curvature_along(v, hv));
    let status = flaw.unwrap_or_else(|| reached::<T>(outcome, residual, tolerance));
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
        remark: None,
    }
}

/// What a residual says of a solution where nothing is wrong with H.
fn reached<T: Real>(outcome: Outcome, residual: f64, tolerance: f64) -> Status {
    // A factorisation answers as exactly as rounding lets it.
    if residual <= tolerance.max(1e3 * T::EPSILON) {
        Status::Converged
    } else if residual.is_nan() {
        Status::in_a_product()
    } else if outcome == Outcome::Approximate {
        Status::LinearApproximate { residual }
    } else {
        Status::LinearNotConverged {
            residual,
            tolerance,
        }
    }
}

/// How one of several systems with the same H was solved.
#[derive(Clone, Debug, PartialEq)]
pub struct Solved {
    /// How it ended.
    pub status: Status,
    /// ‖Hv − b‖ / ‖b‖, recomputed from v; ‖Hv‖ for b = 0.
    pub residual: f64,
    /// Iterations, of a block with the others where they are solved together.
    pub iterations: usize,
}

/// Solves `H v = b` at the point's linearisation for each of `count` right-hand sides in `b`, one after
/// the other, from those in `v`; leaves `H v` and the cross products of all in the point. There may be
/// [`BLOCK`](super::dense::BLOCK) of them.
pub(crate) fn solve_block<T: Real>(
    solver: &dyn LinearSolver<T>,
    point: &mut Point<T>,
    b: &[T],
    v: &mut [T],
    count: usize,
    scratch: &mut Scratch<'_, T>,
) -> Vec<Solved> {
    let (n, tolerance) = (b.len() / count, solver.tolerance());
    let mut reports = vec![Report::BEGUN; count];
    let mut iterations = vec![0; count];
    let measured = |point: &mut Point<T>, v: &[T]| -> Vec<f64> {
        point.second_block(count, &[None, Some(v)], Inputs::ALL);
        let each = point.product(1).chunks_exact(n).zip(b.chunks_exact(n));
        each.map(|(hv, b)| relative_residual(hv, b)).collect()
    };
    let mut residuals = Vec::new();
    // As one system is: rounding may leave it short of the tolerance.
    for _ in 0..3 {
        solver.solve_block(&mut Hessian::of(point), b, v, &mut reports, scratch);
        for (sum, report) in iterations.iter_mut().zip(&reports) {
            *sum += report.iterations;
        }
        residuals = measured(point, v);
        let converged = reports.iter().all(|r| r.outcome == Outcome::Converged);
        if !converged || residuals.iter().all(|r| *r <= tolerance) {
            break;
        }
    }
    let hopeless =
        |j: usize| matches!(reports[j].outcome, Outcome::Inconsistent { .. }) && residuals[j] > 1.0;
    if (0..count).any(hopeless) {
        // Nothing at all leaves less.
        let all = (0..count).filter(|j| hopeless(*j));
        all.for_each(|j| v[j * n..][..n].fill(T::zero()));
        residuals = measured(point, v);
    }
    let each = v.chunks_exact(n).zip(point.product(1).chunks_exact(n));
    let each = each.zip(reports.iter().zip(residuals).zip(iterations));
    each.map(|((v, hv), ((report, residual), iterations))| {
        let flaw = match report.outcome.flaw() {
            Some(Status::InconsistentSystem { .. }) => {
                Some(Status::InconsistentSystem { residual })
            }
            flaw => flaw.or_else(|| curvature_along(v, hv)),
        };
        let status = flaw.unwrap_or_else(|| reached::<T>(report.outcome, residual, tolerance));
        Solved {
            status,
            residual,
            iterations,
        }
    })
    .collect()
}

/// A solve with H, or on the face.
fn run<T: Real>(
    solver: &dyn LinearSolver<T>,
    point: &mut Point<T>,
    face: &mut Option<&mut Face<'_, T>>,
    b: &[T],
    (v, kept): (&mut [T], &mut [T]),
    scratch: &mut Scratch<'_, T>,
    curvature: &mut Curvature,
) -> Report {
    let (report, met) = match face {
        Some(face) => {
            let mut h = OnFace::new(point, face);
            let report = solver.solve_keeping(&mut h, b, v, kept, scratch);
            (report, h.curvature())
        }
        None => {
            let mut h = Hessian::of(point);
            let report = solver.solve_keeping(&mut h, b, v, kept, scratch);
            (report, h.curvature())
        }
    };
    *curvature = curvature.and(met);
    report
}

/// `H v`, or `M v` on the face, and the cross product, in the point.
fn product<'a, T: Real>(
    point: &'a mut Point<T>,
    face: &mut Option<&mut Face<'_, T>>,
    v: &[T],
    out: &'a mut [T],
) -> &'a [T] {
    match face {
        Some(face) => {
            face.times(point, v, out, true);
            out
        }
        None => {
            point.second(&[None, Some(v)]);
            point.product(1)
        }
    }
}

/// Negative curvature along the solution itself: a solver without products of its own meets none.
fn curvature_along<T: Real>(v: &[T], hv: &[T]) -> Option<Status> {
    let relative_curvature = along(v, hv);
    (relative_curvature < 0.0).then_some(Status::NegativeCurvature { relative_curvature })
}

/// A right-hand side in the range of H hides a flat direction from a Krylov method. On small
/// problems a second one, which no direction is orthogonal to, finds it.
pub(super) fn flat_direction<T: Real>(
    point: &mut Point<T>,
    face: &mut Option<&mut Face<'_, T>>,
    n: usize,
    scratch: &mut Scratch<'_, T>,
    curvature: &mut Curvature,
) -> Option<Status> {
    let ([b, v], mut scratch) = scratch.split(n);
    along_all(b);
    if let Some(face) = face {
        face.project(b);
    }
    v.fill(T::zero());
    let cg = Cg::new().tolerance(1e-3).max_iterations(n);
    run(&cg, point, face, b, (v, &mut []), &mut scratch, curvature)
        .outcome
        .flaw()
}

/// A right-hand side that no eigenvector of a structured matrix is orthogonal to.
pub(crate) fn along_all<T: Real>(b: &mut [T]) {
    for (i, b) in b.iter_mut().enumerate() {
        *b = T::of(1.0 + 0.5 * (i as f64 * 78.233).sin());
    }
}

/// ‖Hv − b‖ / ‖b‖, and 0 for Hv = b = 0.
fn relative_residual<T: Real>(hv: &[T], b: &[T]) -> f64 {
    residual_of(hv.iter().copied(), b)
}

/// [`relative_residual`] of a product that comes entry by entry.
pub(super) fn residual_of<T: Real>(hv: impl Iterator<Item = T>, b: &[T]) -> f64 {
    let squares = hv.zip(b).map(|(h, b)| (h.f64() - b.f64()).powi(2));
    relative(squares.sum::<f64>().sqrt(), norm(b).f64())
}

/// `part / whole`, and the part itself where the whole is 0.
fn relative(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { part } else { part / whole }
}
