//! The gradient checker over a problem: its objectives, and each strategy's hypergradient.

mod page;

use std::sync::Arc;

use autodiff::check::{Check, Report, Row, Rung, Trial, Verdict};
use autodiff::unroll::Memory;
use autodiff::{Program, Real};
use nalgebra::DVector;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use solvers::catalogue::{Settings, strategy};
use solvers::{Bda, InnerStep, Itd, Status};

use crate::compare::{AnyStrategy, estimate};
use crate::{Refused, Subject};

pub use page::{count, table};

/// Strategies, each checked against differences of the outer function that it differentiates.
pub const STRATEGIES: [(&str, Way); 24] = [
    ("exact", Way::Solved),
    ("itd", Way::Unrolled),
    ("itd-taped", Way::Unrolled),
    ("itd-checkpointed:3", Way::Unrolled),
    ("itd-online:3", Way::Unrolled),
    ("itd-disk:3", Way::Unrolled),
    ("itd-reversible", Way::Backwards),
    ("itd-forward", Way::Unrolled),
    ("itd-truncated:3", Way::Truncated),
    ("aid-cg", Way::Solved),
    ("aid-direct", Way::Solved),
    ("aid-minres", Way::Solved),
    ("aid-neumann", Way::Solved),
    ("aid-fixed-point", Way::Solved),
    ("aid-nystrom:100", Way::Solved),
    ("aid-nystrom-cg", Way::Solved),
    ("aid-jacobi-cg", Way::Solved),
    ("aid-recycled-cg", Way::Solved),
    ("aid-gmres", Way::Solved),
    ("aid-one-step", Way::Solved),
    ("aid-step", Way::Solved),
    ("kkt", Way::Solved),
    ("bda", Way::Aggregated(Memory::Stored)),
    (
        "bda-checkpointed:3",
        Way::Aggregated(Memory::Checkpointed { slots: 3 }),
    ),
];

/// What a strategy differentiates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The lower level's solution.
    Solved,
    /// Steps to it.
    Unrolled,
    /// Steps of momentum, run backwards.
    Backwards,
    /// The last steps alone.
    Truncated,
    /// Steps on both levels.
    Aggregated(Memory),
}

/// Steps that are unrolled.
const DEPTH: usize = 8;
/// Their length, where the problem does not ask for shorter ones.
const LENGTH: f64 = 0.05;
/// Entries of a derivative that are looked at one by one.
const ENTRIES: usize = 24;
/// Entries of a hypergradient that are looked at: each takes many solves of the lower level.
const STRATEGY_ENTRIES: usize = 8;

/// One row of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// What is checked: an objective, a primitive, or a strategy on a problem.
    pub subject: String,
    /// The derivative or the identity.
    pub check: &'static str,
    /// The rung of the ladder.
    pub mode: &'static str,
    /// What the other way gives, of the comparison nearest to a mismatch.
    pub expected: f64,
    /// What the derivative under test gives.
    pub got: f64,
    /// Their distance over the tolerance.
    pub ratio: f64,
    /// `pass`, `mismatch`, `kink` or `unchecked`.
    pub verdict: &'static str,
    /// The input and entry, direction, operation and source line.
    pub place: String,
    /// The seed.
    pub seed: u64,
    /// Comparisons that the row stands for.
    pub number: usize,
    /// Why nothing could be said.
    pub reason: Option<String>,
}

/// The records of a report, one for each of its rows.
pub fn records(report: &Report) -> Vec<Record> {
    let record = |row: &Row<'_>| Record {
        subject: report.subject().to_owned(),
        check: row.trial.check,
        mode: row.trial.rung.name(),
        expected: row.trial.expected,
        got: row.trial.got,
        ratio: row.trial.ratio(),
        verdict: row.trial.verdict.name(),
        place: row.trial.place.to_string(),
        seed: report.seed(),
        number: row.count,
        reason: row.trial.verdict.reason().map(str::to_owned),
    };
    report.rows().iter().map(record).collect()
}

/// Rounding in single precision, and solves that stop at a tolerance, may hide what is looked for:
/// the rows say so, and that is no failure. A kink is one.
fn excused(report: Report) -> Report {
    let kink = |t: &Trial| matches!(t.verdict, Verdict::Kink(_));
    match report.trials().iter().any(kink) {
        true => report,
        false => report.excused(),
    }
}

/// What is to be decided in double precision.
fn in_precision<T: Real>(report: Report) -> Report {
    match T::NAME {
        "f32" => excused(report),
        _ => report,
    }
}

fn ladder(seed: u64) -> Check {
    Check::new().seed(seed).entries(ENTRIES)
}

/// Numbers around `centre`.
fn around<T: Real>(centre: &DVector<T>, seed: u64) -> DVector<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    centre.map(|c| c + T::of(rng.random_range(-0.5..0.5)))
}

/// The records of a problem: its objectives near its start, and each strategy of [`STRATEGIES`] that
/// suits it.
///
/// Every entry of a hypergradient that is looked at takes dozens of solves of the lower level: a
/// problem of some hundred entries is soon checked, a large one is better checked in a small size.
#[inline(never)]
pub fn run<T: Real>(subject: &Subject<'_, T>, seed: u64) -> Vec<Record> {
    let mut reports = objectives(subject, seed);
    for strategy in STRATEGIES {
        let report = hypergradient(subject, strategy, seed);
        reports.extend(report.expect("names of the catalogue"));
    }
    reports.iter().flat_map(records).collect()
}

/// The ladder over a scalar program, at a random point near these inputs.
#[inline(never)]
pub fn program<T: Real>(
    name: &str,
    program: &Arc<Program<T>>,
    near: &[&DVector<T>],
    seed: u64,
) -> Report {
    let seeds = (0..).map(|k| seed.wrapping_add(k));
    let at: Vec<DVector<T>> = near.iter().zip(seeds).map(|(c, s)| around(c, s)).collect();
    let at: Vec<&[T]> = at.iter().map(|a| a.as_slice()).collect();
    in_precision::<T>(ladder(seed).program(program, &at).named(name))
}

/// The ladder over both objectives of a problem, at a random point near its start.
#[inline(never)]
pub fn objectives<T: Real>(subject: &Subject<'_, T>, seed: u64) -> Vec<Report> {
    let problem = subject.problem();
    let levels = [("lower", problem.lower()), ("upper", problem.upper())];
    let report = |(level, objective): (&str, _)| {
        let name = format!("{} {level}", subject.name());
        program(&name, objective, &[subject.x(), problem.start()], seed)
    };
    levels.into_iter().map(report).collect()
}

/// The length of the steps that are unrolled: at most that which one finds itself.
fn length<T: Real>(subject: &Subject<'_, T>) -> f64 {
    let itd: AnyStrategy<T> = Arc::new(Itd::reverse(1));
    let found = estimate(subject, &itd).ok().and_then(|e| e.step);
    found.map_or(LENGTH, |found| LENGTH.min(found))
}

/// The hypergradient of a strategy against differences of the outer function through the map that
/// it differentiates: `F(x, y_K(x))` where it unrolls, `F(x, y*(x))` where it is implicit.
///
/// `None` where the strategy does not suit the problem.
///
/// # Errors
/// If the name is not that of a strategy.
#[inline(never)]
pub fn hypergradient<T: Real>(
    subject: &Subject<'_, T>,
    (name, way): (&str, Way),
    seed: u64,
) -> Result<Option<Report>, Refused> {
    let bilevel = subject.problem();
    let own_steps = bilevel.step().is_some();
    if own_steps && way == Way::Backwards {
        return Ok(None);
    }
    let unrolled = way != Way::Solved;
    let length = length(subject);
    let tolerance = if T::NAME == "f64" { 1e-12 } else { 1e-5 };
    let settings = Settings {
        depth: Some(DEPTH),
        tolerance: (!unrolled).then_some(tolerance),
        // The same length is too short for a linear system to be solved to its tolerance.
        step: (unrolled && !own_steps).then_some(length),
        inner: (way == Way::Backwards).then_some(InnerStep::Momentum(0.5)),
        ..Settings::NONE
    };
    let under_test: AnyStrategy<T> = match way {
        // Both lengths fixed: one found at each point anew would be part of the map.
        Way::Aggregated(memory) => {
            let bda = Bda::new(DEPTH).steps(length, length);
            Arc::new(bda.memory(memory))
        }
        _ => strategy(name, &settings).map_err(Refused::Name)?,
    };
    if under_test.suits(bilevel).is_err() {
        return Ok(None);
    }
    let map: AnyStrategy<T> = match unrolled {
        true => under_test.clone(),
        // Its answer is approximate, and not looked at; it has F at the solution at no more cost.
        false => {
            let step = Some(length);
            let settings = Settings { step, ..settings };
            let one_step = strategy("aid-one-step", &settings).map_err(Refused::Name)?;
            match one_step.suits(bilevel) {
                Ok(()) => one_step,
                // Under constraints, or of a map, F at the solution is the strategy's own.
                Err(_) => under_test.clone(),
            }
        }
    };
    let mut work = bilevel.workspace();
    let mut run = |strategy: &AnyStrategy<T>, x: &[f64]| {
        let x = DVector::from_iterator(x.len(), x.iter().map(|v| T::of(*v)));
        let estimate = strategy.hypergradient(bilevel, &x, &mut work);
        estimate.expect("validated when it was made")
    };
    let x = around(subject.x(), seed);
    let x: Vec<f64> = x.iter().map(|v| v.f64()).collect();
    let estimate = run(&under_test, &x);
    let hypergradient: Vec<f64> = estimate.hypergradient.iter().map(|v| v.f64()).collect();
    // An answer that is no derivative, and says so, has nothing to be held to.
    let approximate = matches!(
        estimate.status,
        Status::LinearApproximate { .. } | Status::CurvatureApproximate { .. }
    );
    let refused = if way == Way::Truncated {
        Some("it leaves out earlier steps on purpose".to_owned())
    } else if estimate.status.is_success() && !approximate {
        None
    } else {
        Some(estimate.status.to_string())
    };
    // The two solves of an implicit strategy stop at a tolerance, not at rounding.
    let factor = if unrolled { 1.0 } else { 1e2 };
    let check = ladder(seed).entries(STRATEGY_ENTRIES);
    let check = check.factor(factor).rungs(&[Rung::Differences]);
    let value = |x: &[f64]| match refused {
        Some(_) => f64::NAN,
        None => run(&map, x).upper,
    };
    let report = check
        .gradient(value, |_| hypergradient.clone(), &x)
        .named(format!("{} {name}", subject.name()));
    Ok(Some(match refused {
        Some(reason) => report.because(&reason),
        None => excused(report),
    }))
}
