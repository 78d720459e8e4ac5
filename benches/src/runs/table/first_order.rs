//! Multi-stage descent-ascent against other methods without second derivatives, at equal calls and
//! bytes.

use std::sync::Arc;

use autodiff::Real;
use models::closed_form::quadratic;
use models::{CORRUPTION, HyperCleaning, Task, data, hyper_cleaning};
use nalgebra::DVector;
use serde_json::{Map, Value};
use solvers::catalogue::{OuterRule, Settings};
use solvers::{Itd, Method};

use super::claims::{Claimed, above_0, cases, differences, methods as rows, over_seeds};
use super::spent::spent;
use super::{Kind, Record, Table, values};
use crate::catalogue::methods::method;
use crate::catalogue::settings::SolveSettings;

/// What the others are compared with.
const OWN: &str = "gda";
/// The others.
const OTHERS: [&str; 6] = ["f2sa", "f2sa:2", "f2sa:3", "f2ba", "pbgd", "bome"];
/// A method with second derivatives, at as many calls.
const SECOND: &str = "aid-cg";
/// Stages of descent-ascent, over the budget.
const STAGES: usize = 5;
/// An unrolled loop of as many steps, in the least memory that any policy needs.
const LOOP: &str = "itd";
const DEPTH: usize = 100;

/// What is solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    /// A strongly convex quadratic whose ∇φ is known.
    Quadratic,
    /// Hyper-cleaning with the linear model.
    Cleaning,
}

impl Problem {
    const ALL: [Problem; 2] = [Problem::Quadratic, Problem::Cleaning];

    fn name(self) -> &'static str {
        match self {
            Problem::Quadratic => "quadratic",
            Problem::Cleaning => "hyper-cleaning",
        }
    }

    fn task<T: Real>(self, seed: u64) -> Result<Task<T>, String> {
        match self {
            Problem::Quadratic => Ok(quadratic(5, 8, seed)),
            Problem::Cleaning => {
                let (splits, corrupted) = data::digits_cleaning(seed, CORRUPTION);
                hyper_cleaning(splits, Some(corrupted), HyperCleaning::default())
                    .map_err(|e| e.to_string())
            }
        }
    }

    /// The settings of a method that makes so many iterations: of each, chosen on seeds from 100 on, at
    /// 20000 calls.
    fn given(self, name: &str, iterations: usize) -> Settings {
        // Of x, of other variables, how many steps these make, the first penalty, and how it grows.
        let (rate, step, inner_steps, penalty, growth) = match (self, name) {
            (Problem::Quadratic, OWN) => (0.03, 0.5, 1, 32.0, 2.0),
            (Problem::Quadratic, "f2sa") => (0.1, 0.3, 10, 500.0, 500.0),
            (Problem::Quadratic, "f2sa:2") => (0.1, 0.5, 10, 100.0, 2.0),
            (Problem::Quadratic, "f2sa:3") => (0.1, 0.5, 20, 100.0, 2.0),
            (Problem::Quadratic, "f2ba") => (0.1, 0.3, 10, 500.0, 2.0),
            (Problem::Quadratic, "pbgd") => (0.3, 0.3, 1, 0.5, 4.0),
            (Problem::Quadratic, "bome") => (0.003, 0.5, 10, 0.5, 2.0),
            (Problem::Quadratic, _) => (0.1, 0.5, 1, 0.5, 2.0),
            (Problem::Cleaning, OWN) => (0.01, 2.0, 1, 0.1, 2.0),
            (Problem::Cleaning, "f2sa") => (0.1, 2.0, 5, 0.05, 0.5),
            (Problem::Cleaning, "f2sa:2") => (0.3, 2.0, 1, 5.0, 2.0),
            (Problem::Cleaning, "f2sa:3") => (0.1, 2.0, 5, 5.0, 2.0),
            (Problem::Cleaning, "f2ba") => (0.3, 2.0, 5, 0.05, 2.0),
            (Problem::Cleaning, "pbgd") => (0.1, 2.0, 5, 0.1, 2.0),
            (Problem::Cleaning, "bome") => (0.03, 2.0, 1, 0.5, 2.0),
            (Problem::Cleaning, _) => (0.1, 2.0, 1, 0.5, 2.0),
        };
        Settings {
            iterations: Some(iterations),
            report_every: Some(if name == SECOND { 1 } else { iterations }),
            stage_iterations: Some(iterations.div_ceil(STAGES)),
            optimiser: Some(match self {
                Problem::Quadratic => OuterRule::Gd,
                Problem::Cleaning => OuterRule::Adam,
            }),
            rate: Some(rate),
            step: (name != SECOND).then_some(step),
            inner_steps: Some(inner_steps),
            penalty: Some(penalty),
            growth: Some(growth),
            ..Settings::NONE
        }
    }

    fn method<T: Real>(
        self,
        name: &str,
        task: &Task<T>,
        iterations: usize,
        seed: u64,
    ) -> Result<Arc<dyn Method<T>>, String> {
        let settings = SolveSettings {
            seed,
            ..SolveSettings::of(task.name, name, self.given(name, iterations))
        };
        method::<T>(name, task, &settings)
    }

    /// What (x, y) is worth; the first is what claims are of, and whether more of it is better.
    fn measure<T: Real>(
        self,
        task: &Task<T>,
        x: &DVector<T>,
        y: &DVector<T>,
    ) -> Map<String, Value> {
        match (self, &task.known) {
            (Problem::Quadratic, Some(known)) => {
                let norm = (known.hypergradient)(x).norm().f64();
                values([(self.column(), norm.log10())])
            }
            _ => task
                .measure(x, y)
                .into_iter()
                .map(|(name, v)| (name.into(), v.into()))
                .collect(),
        }
    }

    /// The column that claims are of.
    fn column(self) -> &'static str {
        match self {
            // Of ‖∇φ‖.
            Problem::Quadratic => "log10_gradient",
            Problem::Cleaning => "test_accuracy",
        }
    }
}

/// Gradients and Hessian-vector products of both levels so far.
fn calls(progress: &solvers::Progress) -> usize {
    progress.oracles.total()
}

/// The rows of one seed.
pub(super) fn run<T: Real>(budgets: &[usize], seed: u64) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for problem in Problem::ALL {
        let task = problem.task::<T>(seed)?;
        for budget in budgets {
            let record = |name: &str, kind, values, status| Record {
                task: Table::FirstOrder.name(),
                case: format!("{}, {budget} calls", problem.name()),
                method: name.to_owned(),
                kind,
                values,
                seed,
                status,
                message: String::new(),
                success: true,
            };
            let all = std::iter::once(&OWN).chain(&OTHERS);
            let all = all.map(|name| (*name, Kind::Method));
            for (name, kind) in all.chain([(SECOND, Kind::Bound)]) {
                let iterations = iterations(problem, name, &task, *budget, seed)?;
                let method = problem.method(name, &task, iterations, seed)?;
                let ends = spent(&task, &*method, &[*budget], calls)?;
                let end = ends.first().ok_or("no end")?;
                let mut measured = problem.measure(&task, &end.x, &end.y);
                measured.extend(values([
                    ("calls", end.spent as f64),
                    ("steps", end.steps as f64),
                    ("peak_bytes", end.peak_bytes as f64),
                    ("told", f64::from(u8::from(!end.status.is_success()))),
                ]));
                records.push(record(name, kind, measured, end.status.code().into()));
            }
            // With no bytes at all, what is said is the least that any policy needs.
            let itd = Itd::reverse(DEPTH);
            let least = match itd.plan(&task.bilevel, 0) {
                Ok(plan) => plan.predicted_bytes,
                Err(error) => error.smallest.predicted_bytes,
            };
            let bytes = values([("peak_bytes", least as f64)]);
            records.push(record(LOOP, Kind::Bound, bytes, "predicted".into()));
        }
    }
    Ok(records)
}

/// How many iterations a budget lets a method make: its schedules are over as many. A method whose
/// iterations differ is stopped by the budget.
fn iterations<T: Real>(
    problem: Problem,
    name: &str,
    task: &Task<T>,
    budget: usize,
    seed: u64,
) -> Result<usize, String> {
    if name == SECOND {
        return Ok(budget);
    }
    let first = |iterations| -> Result<usize, String> {
        let method = problem.method(name, task, iterations, seed)?;
        let begun = method.begin(&task.bilevel, task.x.clone());
        let finish = begun.map_err(|e| e.to_string())?.finish();
        Ok(finish.last.as_ref().map_or(0, calls))
    };
    let (one, two) = (first(1)?, first(2)?);
    let (begin, step) = (2 * one - two.min(2 * one), (two - one).max(1));
    Ok((budget.saturating_sub(begin) / step).max(1))
}

/// Whether descent-ascent is ahead of the others at the largest budget, and what each of them holds.
pub(super) fn claims(records: &[Record]) -> Vec<Claimed> {
    let mut all = Vec::new();
    for problem in Problem::ALL {
        let mut of_problem = cases(records).into_iter();
        let Some(case) = of_problem.rfind(|case| case.starts_with(problem.name())) else {
            continue;
        };
        for other in rows(records, Kind::Method)
            .into_iter()
            .filter(|r| *r != OWN)
        {
            let mut gains = differences(records, case, [OWN, other], problem.column());
            let (text, unit) = match problem {
                Problem::Quadratic => {
                    gains.iter_mut().for_each(|gain| *gain = -*gain);
                    ("has the smaller ‖∇φ‖", "powers of ten")
                }
                Problem::Cleaning => ("is right more often", "points"),
            };
            all.extend(above_0(
                format!("{case}: {OWN} {text} than {other}"),
                &gains,
                unit,
            ));
        }
        all.extend(bytes(records, case));
    }
    all
}

/// That methods without second derivatives hold the same, and a loop more than that.
fn bytes(records: &[Record], case: &str) -> Vec<Claimed> {
    let mean = |row: &str| {
        let held = over_seeds(records, (case, row), "peak_bytes");
        held.iter().map(|(_, bytes)| bytes).sum::<f64>() / held.len() as f64
    };
    let own = mean(OWN);
    let parts = OTHERS.map(|other| (mean(other) / own, other));
    let by_part = |a: &&(f64, &str), b: &&(f64, &str)| a.0.total_cmp(&b.0);
    let (Some(least), Some(most)) = (parts.iter().min_by(by_part), parts.iter().max_by(by_part))
    else {
        return Vec::new();
    };
    let unrolled = mean(LOOP) / own;
    vec![
        Claimed {
            text: format!("{case}: none of the others needs more bytes than {OWN}"),
            value: format!(
                "{:.2} of its bytes ({}) to {:.2} ({})",
                least.0, least.1, most.0, most.1
            ),
            holds: most.0 <= 1.0,
        },
        Claimed {
            text: format!("{case}: no loop of {DEPTH} steps of {LOOP} fits these bytes"),
            value: format!("the least that a policy needs is {unrolled:.2} times as many"),
            holds: unrolled > 1.0,
        },
    ]
}
