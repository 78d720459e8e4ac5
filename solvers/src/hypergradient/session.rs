//! What every strategy measures and checks in the same way.

use std::time::Instant;

use autodiff::bytes::{Category, Claim};
use autodiff::kernels::norm;
use autodiff::unroll::NonFiniteStep;
use autodiff::{Inputs, Meter, Point, Real};
use nalgebra::DVector;

use crate::{Estimate, Oracles, Status, Workspace};

/// A call of a strategy, from its start.
pub(super) struct Session {
    started: Instant,
    oracles: Oracles,
}

impl Session {
    pub(super) fn begin<T: Real>(work: &Workspace<T>) -> Self {
        work.meter().reset_peak();
        Session {
            started: Instant::now(),
            oracles: work.oracles(),
        }
    }

    /// Completes an estimate: measures, and looks for values that are not finite. `find` runs the
    /// loop that was unrolled to `estimate.y`, if there was one, again; it is called only where
    /// something is not finite.
    pub(super) fn finish<T: Real>(
        self,
        work: &mut Workspace<T>,
        mut estimate: Estimate<T>,
        x: &[T],
        find: impl FnOnce(&mut Workspace<T>) -> Option<NonFiniteStep>,
    ) -> Estimate<T> {
        estimate.bytes = work.bytes();
        estimate.oracles = work.oracles() - self.oracles;
        // What is NaN because a loop could not be undone is said to be that.
        let said = matches!(estimate.status, Status::Irreversible(_));
        let entries = estimate.hypergradient.iter().chain(estimate.y.iter());
        let mut numbers = [estimate.upper, estimate.lower_residual].into_iter();
        let bad = entries.into_iter().any(|v| !v.is_finite())
            || numbers.any(|v| !v.is_finite())
            || matches!(estimate.status, Status::NonFinite { .. });
        if bad && !said {
            estimate.status = Status::NonFinite {
                place: match find(work) {
                    Some(step) => step.to_string(),
                    None => locate(work, x, estimate.y.as_slice()),
                },
            };
        }
        let y = estimate.y.as_slice();
        for (name, point) in [("g", &mut work.lower), ("F", &mut work.upper)] {
            estimate.warnings.extend(kink(name, point, x, y));
        }
        estimate.seconds = self.started.elapsed().as_secs_f64();
        estimate
    }
}

/// An estimate before its parts are known.
pub(super) fn blank<T: Real>(strategy: String, y: DVector<T>) -> Estimate<T> {
    Estimate {
        strategy,
        hypergradient: DVector::zeros(0),
        y,
        upper: f64::NAN,
        status: Status::Converged,
        lower_residual: f64::NAN,
        linear_residual: None,
        distance: None,
        moving: None,
        left: None,
        certificate: None,
        lower_iterations: 0,
        linear_iterations: 0,
        recomputed_steps: 0,
        step: None,
        oracles: Oracles::default(),
        bytes: Default::default(),
        seconds: 0.0,
        warnings: Vec::new(),
    }
}

/// A vector of the estimate, counted while the estimate is made.
pub(super) fn counted<T: Real>(entries: &[T], meter: &Meter) -> (DVector<T>, Claim) {
    let claim = Claim::new(size_of_val(entries), Category::Solver, meter);
    (DVector::from_column_slice(entries), claim)
}

/// ‖∇_y g(x, y)‖, by one gradient.
pub(super) fn residual<T: Real>(lower: &mut Point<T>, x: &[T], y: &[T]) -> f64 {
    lower.differentiate(&[x, y], Inputs::one(1));
    norm(lower.gradient(1)).f64()
}

/// A kink of an objective at (x, y), where derivatives were taken, in words.
fn kink<T: Real>(name: &str, point: &mut Point<T>, x: &[T], y: &[T]) -> Option<String> {
    if !point.program().has_kinks() {
        return None;
    }
    point.value(&[x, y]);
    let kinks = point.kinks();
    let first = kinks.first()?;
    let more = match kinks.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    Some(format!(
        "a derivative of {name} was taken at a kink: {first}{more}; what is answered is one of several"
    ))
}

/// Where a value, a gradient or a Hessian-vector product of the objectives is not finite.
fn locate<T: Real>(work: &mut Workspace<T>, x: &[T], y: &[T]) -> String {
    let at = [x, y];
    // The direction that implicit differentiation starts with; and one that no entry is zero of.
    work.upper.differentiate(&at, Inputs::one(1));
    let upward = work.upper.gradient(1).to_vec();
    let anywhere: Vec<T> = (0..y.len())
        .map(|i| T::of(1.0 + 0.5 * (i as f64).sin()))
        .collect();
    let directions = [&upward[..], &anywhere].map(|v| [None, Some(v)]);
    let find = |point: &Point<T>| {
        let mut directions = directions.iter();
        directions.find_map(|v| point.program().find_non_finite(&at, v))
    };
    let upper = work.upper.program().find_non_finite(&at, &[None, None]);
    let found = upper
        .map(|at| ("F", at))
        .or_else(|| find(&work.lower).map(|at| ("g", at)));
    match found {
        Some((level, at)) => format!("in the objective {level}: {at}"),
        None => "the derivatives overflow although both objectives are finite".into(),
    }
}
