//! What a status promises, and whether an estimate keeps it.

use autodiff::Real;
use nalgebra::DVector;

use super::{Case, Danger, Solution};
use crate::{Estimate, Status};

/// How far a success without a warning may be off, as a part; both the hypergradient and y.
///
/// | status | the hypergradient and y are within |
/// |---|---|
/// | `converged` | 1 % |
/// | `unrolled`, `stepped` | 1 % of the solution's; 5 % where both levels are aggregated |
/// | `linear-approximate`, `curvature-approximate` | 1 %, and the hypergradient within what the linear residual explains |
/// | any with a warning, any failure | nothing: it is told |
///
/// The hypergradient's error is a part of the largest of ‖h‖, ‖∇_xF‖ and ‖h − ∇_xF‖, and y's of
/// ‖y*‖ ([`Case::size`] has what stands for a solution of 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promise {
    /// The part.
    pub part: f64,
    /// Whether the strategy was given less room than it takes by itself, or a tolerance: that it
    /// was not met is then a fact, however right the answer.
    pub limited: bool,
    /// Whether the strategy chooses the solution that is best for F where there are many.
    pub chooses: bool,
}

impl Promise {
    /// Of `converged`, `unrolled` and `stepped`. That of `linear-approximate` and `curvature-approximate` is
    /// wider by what its linear residual explains: with h = ∇_xF + Jᵀ∇_yF for J = dy*/dx, a residual ρ = ∇_yF − Hv
    /// moves h by Jᵀρ.
    pub const SOLVED: Promise = Promise::within(1e-2);

    /// Of loops that aggregate both levels, whose y is pulled off the lower level's solution by
    /// O(α_K).
    pub const AGGREGATED: Promise = Promise {
        chooses: true,
        ..Promise::within(5e-2)
    };

    const fn within(part: f64) -> Self {
        Promise {
            part,
            limited: false,
            chooses: false,
        }
    }
}

/// An alarm beside an estimate that is off by less than this is a false one.
const RIGHT_BEYOND_DOUBT: f64 = 1e-4;

/// What an estimate is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Within what its status promises, and nothing says otherwise.
    Right,
    /// A failure or a warning, where the estimate is wrong, in doubt, or beside a danger.
    Told,
    /// A failure or a warning, where the estimate is right beyond doubt and no danger is near.
    FalseAlarm,
    /// Wrong, under a success and without a warning.
    Silent,
}

/// How far an estimate is off the nearest solution, as a part; infinite where it is not finite or
/// there is no solution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Error {
    /// Of the hypergradient.
    pub hypergradient: f64,
    /// Of y, of what the lower level determines of it.
    pub y: f64,
    /// What the linear residual explains of the hypergradient's.
    pub explained: f64,
}

impl Error {
    const NOTHING: Error = Error {
        hypergradient: f64::INFINITY,
        y: f64::INFINITY,
        explained: 0.0,
    };

    fn worst(&self) -> f64 {
        self.hypergradient.max(self.y)
    }

    fn keeps(&self, promise: Promise) -> bool {
        self.hypergradient <= promise.part + self.explained && self.y <= promise.part
    }
}

/// The error of an estimate by a strategy with this promise: that of the solution it is nearest to.
pub fn error<T: Real>(case: &Case, estimate: &Estimate<T>, promise: Promise) -> Error {
    let double = |v: &DVector<T>| v.map(|v| v.f64());
    let (h, y) = (double(&estimate.hypergradient), double(&estimate.y));
    let finite = h.iter().chain(&y).all(|v| v.is_finite()) && estimate.upper.is_finite();
    if !finite {
        return Error::NOTHING;
    }
    let best = case.truth.best.iter().filter(|_| promise.chooses);
    let errors = case.truth.solutions.iter().chain(best).map(|s| {
        let explained = match estimate.status {
            Status::LinearApproximate { .. } | Status::CurvatureApproximate { .. } => {
                estimate.linear_residual.unwrap_or(0.0)
            }
            _ => 0.0,
        };
        error_at(case, s, (&h, &y), (explained, T::EPSILON))
    });
    errors
        .min_by(|a, b| a.worst().total_cmp(&b.worst()))
        .unwrap_or(Error::NOTHING)
}

fn error_at(
    case: &Case,
    solution: &Solution,
    (h, y): (&DVector<f64>, &DVector<f64>),
    (residual, epsilon): (f64, f64),
) -> Error {
    let want = case.hypergradient(solution);
    let [by_x, by_y] = case.upper_gradients(&solution.y);
    let moved = solution.slope.norm() * by_y.norm();
    let parts = want.norm().max(by_x.norm()).max((&want - &by_x).norm());
    // What rounding makes of the terms is no error.
    let size = parts.max(1e2 * epsilon * moved);
    let off = y - &solution.y;
    let off = match &case.truth.determined {
        Some(part) if case.truth.best.is_none() => part * off,
        _ => off,
    };
    let part = |error: f64, size: f64| if error == 0.0 { 0.0 } else { error / size };
    Error {
        hypergradient: part((h - want).norm(), size),
        y: part(off.norm(), case.size(solution)),
        explained: part(residual * moved, size),
    }
}

/// What an estimate is worth, where a success keeps this promise.
pub fn judge<T: Real>(case: &Case, estimate: &Estimate<T>, promise: Promise) -> Verdict {
    let error = error(case, estimate, promise);
    let alarm = !estimate.status.is_success() || !estimate.warnings.is_empty();
    let silent = match case.truth.danger {
        Danger::Ambiguous => true,
        Danger::None | Danger::Real => !error.keeps(promise),
    };
    match (alarm, silent) {
        (false, false) => Verdict::Right,
        (false, true) => Verdict::Silent,
        (true, _) if case.truth.danger != Danger::None => Verdict::Told,
        (true, _) if promise.limited && fell_short(&estimate.status) => Verdict::Told,
        (true, _) if error.worst() >= RIGHT_BEYOND_DOUBT => Verdict::Told,
        // An alarm is due where rounding may have left no more digits than were hit.
        (true, _) if case.is_ill_conditioned(T::EPSILON, RIGHT_BEYOND_DOUBT) => Verdict::Told,
        (true, _) => Verdict::FalseAlarm,
    }
}

/// Whether a tolerance or a count of steps is what was not met.
fn fell_short(status: &Status) -> bool {
    matches!(
        status,
        Status::LowerNotConverged { .. } | Status::LinearNotConverged { .. } | Status::Unrolled
    )
}
