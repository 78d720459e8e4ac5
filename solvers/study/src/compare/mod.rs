//! The hypergradients of several strategies at one point.
//!
//! ```
//! use autodiff::{Var, objective};
//! use nalgebra::dvector;
//! use solvers::Bilevel;
//! use solvers::catalogue::{Entry, Setting, Settings, strategies, strategy};
//! use study::{Subject, compare};
//!
//! let upper = objective(|x: Var, y: Var| 0.5 * (y - 1.0).norm_squared() + 0.5 * x.norm_squared());
//! let lower = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared());
//! let problem = Bilevel::new(upper, lower, 1, 1)?;
//! let subject = Subject::new("scalar", &problem, dvector![0.3]);
//!
//! let settings = Settings { depth: Some(200), ..Settings::NONE };
//! let strategies = compare::named(&["aid-cg", "itd"], &settings)?;
//! let records = compare::run(&subject, &strategies, &settings)?;
//! assert!(records.iter().all(|r| r.error_vs_exact < Some(1e-8)));
//! println!("{}", compare::table(&records));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod page;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use autodiff::Real;
use autodiff::kernels::norm;
use autodiff::unroll::Memory;
use nalgebra::DVector;
use serde::Serialize;
use solvers::catalogue::{Entry, Setting, Settings, strategies, strategy};
use solvers::linear::Cg;
use solvers::{
    Aid, AidStep, Bilevel, ConfigError, Estimate, Exact, InnerStep, Itd, Room, StepSystem,
    Strategy, certify,
};

use crate::{Refused, Subject};

pub use page::{matrix, table};

/// The strategies that are compared unless others are named, each on the problems that suit it: beside
/// a part that is no set `bda` is left out.
pub const DEFAULT: &[&str] = &[
    "exact",
    "itd",
    "itd-checkpointed:10",
    "itd-truncated:10",
    "aid-cg",
    "aid-direct",
    "bda",
];

/// A strategy chosen at run time.
pub type AnyStrategy<T> = Arc<dyn Strategy<T>>;

/// A strategy under the name that its records carry: of the catalogue, or one's own.
pub type Named<T> = (String, AnyStrategy<T>);

/// The most entries of x for which forward mode is what others are measured against.
const FORWARD_LIMIT: usize = 64;

/// One strategy at one point.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The problem's name.
    pub problem: String,
    /// The strategy's name.
    pub strategy: String,
    /// How the computation ended, in a word.
    pub status: &'static str,
    /// ‖estimate − reference‖ / ‖reference‖; the absolute error where the reference is 0.
    pub error_vs_exact: Option<f64>,
    /// Norm of the hypergradient.
    pub norm: f64,
    /// ‖∇_y g‖ where it was taken.
    pub lower_residual: f64,
    /// How far y is from the solution of the lower level, estimated, as a part of y's size.
    pub distance: Option<f64>,
    /// Where a tolerance was given for the lower level, how much a nearer y changed the hypergradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// How far the last step of an unrolled loop moved y, as a part of the whole way.
    pub moving: Option<f64>,
    /// The share of the cotangent ∇_yF that is left at the start of an unrolled loop.
    pub left: Option<f64>,
    /// Where the lower level has a part beside g, how far it is to another active set, as a part of y.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// ‖Hv − b‖ / ‖b‖, recomputed.
    pub linear_residual: Option<f64>,
    /// Bound on the error's norm, certified or not.
    pub certificate: Option<f64>,
    /// Whether the problem's constants certify it.
    pub certified: Option<bool>,
    /// Hessian-vector products of both levels.
    pub hvps: usize,
    /// Gradients of both levels.
    pub gradients: usize,
    /// Iterations of the lower level.
    pub iterations: usize,
    /// Iterations of the linear solver, or steps pulled back.
    pub linear_iterations: usize,
    /// Wall-clock time.
    pub seconds: f64,
    /// The most bytes held at one time.
    pub peak_bytes: usize,
    /// Step length of the lower level.
    pub step: Option<f64>,
    /// F at the point.
    pub upper: f64,
    /// What the error is measured against: `closed-form`, `exact`, `implicit`, `fixed-point` or
    /// `forward-mode`; `None` if there is nothing.
    pub reference: Option<&'static str>,
    /// How the computation ended, in a sentence with a remedy.
    pub message: String,
    /// Remarks.
    pub warnings: Vec<String>,
    /// The strategies that nobody asked for and that were left out here, with the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// The hypergradient, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypergradient: Option<Vec<f64>>,
    /// Whether the status is what was asked for.
    #[serde(skip)]
    pub success: bool,
}

/// What errors are measured against.
#[derive(Debug)]
pub struct Reference<T: Real> {
    /// The hypergradient.
    pub hypergradient: DVector<T>,
    /// Where it comes from.
    pub origin: &'static str,
}

impl<T: Real> Reference<T> {
    /// The closed form where there is one, else [`Exact`]'s answer; where its dense Hessian would be
    /// [dear](Room::is_dear) or too large, that of conjugate gradients, both levels as far as the
    /// precision goes. Nothing where these do not succeed.
    pub fn of(subject: &Subject<'_, T>, settings: &Settings) -> Option<Self> {
        if let Some(hypergradient) = subject.closed_form() {
            return Some(Reference {
                hypergradient: hypergradient.clone(),
                origin: "closed-form",
            });
        }
        if subject.problem().step().is_some() {
            return Self::of_own_steps(subject, settings);
        }
        let (estimate, origin) = exact_or(
            &until_rounding::<T>(),
            subject.problem(),
            subject.x(),
            settings.depth(),
        )
        .ok()?;
        estimate.status.is_success().then_some(Reference {
            hypergradient: estimate.hypergradient,
            origin,
        })
    }

    /// Forward mode through the problem's own steps, where x is small enough for it; else their fixed
    /// point, if they have one.
    fn of_own_steps(subject: &Subject<'_, T>, settings: &Settings) -> Option<Self> {
        if subject.problem().dim_x() > FORWARD_LIMIT {
            return Self::of_step(subject);
        }
        let itd = Itd::reverse(settings.depth()).memory(Memory::Forward);
        let mut work = subject.problem().workspace();
        let estimate = itd.hypergradient(subject.problem(), subject.x(), &mut work);
        let estimate = estimate.ok()?;
        estimate.status.is_success().then_some(Reference {
            hypergradient: estimate.hypergradient,
            origin: "forward-mode",
        })
    }

    /// The fixed point of the steps, as far as the precision goes.
    fn of_step(subject: &Subject<'_, T>) -> Option<Self> {
        let aid = AidStep::new(InnerStep::GradientDescent).tolerance(1e3 * T::EPSILON);
        let aid = aid.system(StepSystem::Gmres { restart: 100 });
        let mut work = subject.problem().workspace();
        let estimate = aid.hypergradient(subject.problem(), subject.x(), &mut work);
        let estimate = estimate.ok()?;
        estimate.status.is_success().then_some(Reference {
            hypergradient: estimate.hypergradient,
            origin: "fixed-point",
        })
    }

    /// ‖h − reference‖ / ‖reference‖; ‖h‖ where the reference is 0.
    pub fn error(&self, h: &DVector<T>) -> f64 {
        let error = norm((h - &self.hypergradient).as_slice());
        let scale = norm(self.hypergradient.as_slice());
        if scale == T::zero() {
            error.f64()
        } else {
            (error / scale).f64()
        }
    }
}

/// Conjugate gradients, both levels as far as the precision goes.
pub(crate) fn until_rounding<T: Real>() -> Aid<Cg> {
    Aid::with(Cg::new().tolerance(1e3 * T::EPSILON)).until_rounding()
}

/// The estimate at x, with its origin: of [`Exact`], or of `implicit` where the dense Hessian would be
/// [dear](Room::is_dear) beside loops of this depth, or too large.
///
/// # Errors
/// Where neither suits the problem: one line.
pub(crate) fn exact_or<T: Real>(
    implicit: &Aid<Cg>,
    problem: &Bilevel<T>,
    x: &DVector<T>,
    depth: usize,
) -> Result<(Estimate<T>, &'static str), String> {
    let dim_y = problem.dim_y();
    let room = Strategy::<T>::room(&Exact, dim_y);
    let constrained = problem.constraints().is_some();
    if constrained && room.is_too_dense(dim_y) {
        return Err(format!(
            "the dense system of constraints would be too large for y of {dim_y} entries"
        ));
    }
    let mut work = problem.workspace();
    let dear = room.is_too_dense(dim_y) || room.is_dear(dim_y, depth);
    let (estimate, origin) = match dear && !constrained {
        false => (Exact.hypergradient(problem, x, &mut work), "exact"),
        true => (implicit.hypergradient(problem, x, &mut work), "implicit"),
    };
    estimate
        .map(|estimate| (estimate, origin))
        .map_err(|refused| refused.to_string())
}

/// Why these strategies, which nobody asked for, are left out on y of `dim_y` entries beside loops of
/// `settings`: each forms a dense Hessian that is too large, or takes more than its share of the time.
/// `None` if there are none.
pub fn left_out<'a>(
    strategies: impl Iterator<Item = (&'a str, Room)>,
    dim_y: usize,
    settings: &Settings,
) -> Option<String> {
    let depth = settings.depth();
    let dear = strategies.filter(|(_, r)| r.is_too_dense(dim_y) || r.is_dear(dim_y, depth));
    let names: Vec<&str> = dear.map(|(name, _)| name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{}: a dense Hessian takes {dim_y} products, against {} sweeps of a loop of depth {depth}: \
             run if named",
            names.join(", "),
            2 * depth
        )
    })
}

/// The strategies of these names of the catalogue, each made of those `settings` that it takes.
///
/// # Errors
/// If a name is none, a setting does not fit it, or a setting is given that none of them takes.
pub fn named<T: Real>(names: &[&str], settings: &Settings) -> Result<Vec<Named<T>>, Refused> {
    let named = |name: &&str| Ok(((*name).to_owned(), strategy(name, settings)?));
    let named = names.iter().map(named).collect::<Result<_, _>>();
    let named = named.map_err(Refused::Name)?;
    refuse_foreign(names, settings, |s| s.key.to_owned()).map_err(Refused::Name)?;
    Ok(named)
}

/// Refuses a setting that none of the strategies of these names takes, or that changes nothing as
/// the others are; `shown` is how a setting is written there.
///
/// # Errors
/// With the settings that are taken, or the one that is missing: one line.
pub fn refuse_foreign(
    names: &[&str],
    settings: &Settings,
    shown: impl Fn(&Setting) -> String,
) -> Result<(), String> {
    let taken = names.iter().filter_map(|name| {
        let (entry, _) = Entry::find(strategies::<f64>(), name)?;
        Some((*name, entry.accepts))
    });
    let taken: Vec<_> = taken.collect();
    settings.refuse_foreign("strategy", &taken, &shown)?;
    let called = names.iter().filter_map(|name| {
        let (entry, rest) = Entry::find(strategies::<f64>(), name)?;
        Some((entry, *name, rest))
    });
    settings.refuse_idle(settings, &called.collect::<Vec<_>>(), shown)
}

/// The records of strategies at the subject's point, in their order, each run in a workspace of its
/// own. Errors are against the [`Reference`] under `settings`.
///
/// # Errors
/// If a strategy does not suit the problem, or would form too large a dense Hessian; before any
/// work. Numerical trouble is no error: it is the record's status.
#[inline(never)]
pub fn run<T: Real>(
    subject: &Subject<'_, T>,
    strategies: &[Named<T>],
    settings: &Settings,
) -> Result<Vec<Record>, Refused> {
    let dim_y = subject.problem().dim_y();
    for (name, strategy) in strategies {
        strategy.validate()?;
        strategy.suits(subject.problem())?;
        let room = strategy.room(dim_y).check(name, dim_y, usize::MAX);
        room.map_err(Refused::Room)?;
    }
    let reference = Reference::of(subject, settings);
    let of_one = |(name, strategy): &Named<T>| {
        let estimate = estimate(subject, strategy)?;
        Ok(record(subject, name, &estimate, reference.as_ref(), false))
    };
    strategies.iter().map(of_one).collect()
}

/// Runs one strategy in a workspace of its own.
///
/// # Errors
/// If its settings do not fit, or the problem does not suit it; before any work.
pub fn estimate<T: Real>(
    subject: &Subject<'_, T>,
    strategy: &AnyStrategy<T>,
) -> Result<Estimate<T>, ConfigError> {
    let mut work = subject.problem().workspace();
    strategy.hypergradient(subject.problem(), subject.x(), &mut work)
}

/// The record of an estimate, with its vector if it is to be `full`.
#[inline(never)]
pub fn record<T: Real>(
    subject: &Subject<'_, T>,
    name: &str,
    estimate: &Estimate<T>,
    reference: Option<&Reference<T>>,
    full: bool,
) -> Record {
    let h = &estimate.hypergradient;
    // Of a direction that is trusted: a bound about another one would say nothing.
    let success = estimate.status.is_success();
    let bound = success.then(|| certify(subject.problem(), subject.x(), estimate));
    let bound = bound.flatten();
    Record {
        problem: subject.name().to_owned(),
        strategy: name.to_owned(),
        status: estimate.status.code(),
        error_vs_exact: reference.map(|r| r.error(h)),
        norm: norm(h.as_slice()).f64(),
        lower_residual: estimate.lower_residual,
        distance: estimate.distance,
        change: estimate.change,
        moving: estimate.moving,
        left: estimate.left,
        margin: estimate.margin,
        linear_residual: estimate.linear_residual,
        certificate: bound.map(|c| c.bound),
        certified: bound.map(|c| c.certified),
        hvps: estimate.oracles.hvps(),
        gradients: estimate.oracles.gradients(),
        iterations: estimate.lower_iterations,
        linear_iterations: estimate.linear_iterations,
        seconds: estimate.seconds,
        peak_bytes: estimate.bytes.peak,
        step: estimate.step,
        upper: estimate.upper,
        reference: reference.map(|r| r.origin),
        message: estimate.status.to_string(),
        warnings: estimate.warnings.clone(),
        left_out: None,
        hypergradient: full.then(|| h.iter().map(|v| v.f64()).collect()),
        success,
    }
}
