//! Lower levels with many solutions: who comes to the best of them, in how many dimensions.

use autodiff::Real;
use models::closed_form::{bda_counterexample, bda_discriminating};
use models::{Task, sine_product};
use nalgebra::DVector;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::Constraint;
use solvers::catalogue::Settings;

use super::claims::{Claimed, cases, methods, over_seeds};
use super::to_end::to_end;
use super::{Kind, Record, Table, values};
use crate::catalogue::methods::method;
use crate::catalogue::settings::SolveSettings;

/// Entries of x; y has twice as many.
pub(super) const SIZES: [usize; 4] = [1, 10, 50, 100];
/// The methods where many lower solutions make a convex set, and whether each is to come to the best.
const CONVEX: [(&str, bool); 6] = [
    ("itd", false),
    ("aid-cg", false),
    ("bda", true),
    ("sl-bamm", true),
    ("gda", true),
    ("iaptt", true),
];
/// Those where g is not convex, and the solutions are apart.
const APART: [(&str, bool); 2] = [("itd", false), ("iaptt", true)];
/// Another row there, of which nothing is claimed: on longer steps below, the start stays on its branch.
const LONGER: &str = "iaptt, longer steps";
/// The name of that problem, and what y is held to.
const FOLLOWER: (&str, Constraint) = (
    "sine-product",
    Constraint::Box {
        low: -2.0,
        high: 2.0,
    },
);
/// A part of ‖x*‖ within which x has come to x*.
const NEAR: f64 = 0.01;

/// What a method is given where solutions make a convex set: chosen on seeds from 100 on.
fn given(name: &str) -> Settings {
    match name {
        // The stages end at a penalty of 512, as short steps as these allow for.
        "gda" => Settings {
            growth: Some(4.0),
            rate: Some(0.3),
            ..Settings::NONE
        },
        "sl-bamm" => Settings {
            rate: Some(0.1),
            step: Some(0.8),
            ..Settings::NONE
        },
        // The start goes on where it was: short loops, and more of them. Steps below that pass over the
        // solution make it the worst of the loop in turns, and x comes to it but slowly.
        "iaptt" => Settings {
            depth: Some(30),
            step: Some(0.5),
            iterations: Some(300),
            rate: Some(0.5),
            ..Settings::NONE
        },
        // What a loop leaves of the best solution falls like one over its depth.
        _ => Settings {
            depth: Some(300),
            iterations: Some(100),
            rate: Some(0.5),
            ..Settings::NONE
        },
    }
}

/// Where they are apart: the loops of the paper's code, and shorter steps of x.
fn given_apart(name: &str) -> Settings {
    Settings {
        depth: Some(40),
        step: Some(if name == LONGER { 0.01 } else { 5e-4 }),
        iterations: Some(2000),
        rate: Some(0.02),
        ..Settings::NONE
    }
}

/// A problem from a start that was drawn, with its solution.
struct Case<T: Real> {
    task: Task<T>,
    name: String,
    x: DVector<T>,
    /// The best of the lower solutions there.
    y: DVector<T>,
}

/// The rows of one seed, which draws where x and y start: each entry in [−2, 2], or wherever bounds let
/// it be.
pub(super) fn run<T: Real>(sizes: &[usize], seed: u64) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for problem in [bda_counterexample::<T>, bda_discriminating::<T>] {
        for n in sizes {
            let case = convex(problem(*n), seed)?;
            for (name, _) in CONVEX {
                records.push(of_method(&case, (name, name), given(name), seed)?);
            }
        }
    }
    let case = apart::<T>(seed)?;
    for row in APART.map(|(name, _)| name).into_iter().chain([LONGER]) {
        let name = row.split(',').next().unwrap_or(row);
        records.push(of_method(&case, (row, name), given_apart(row), seed)?);
    }
    Ok(records)
}

fn convex<T: Real>(task: Task<T>, seed: u64) -> Result<Case<T>, String> {
    let (n, known) = (task.x.len(), task.known.clone().ok_or("no closed form")?);
    let task = from_a_start(task, (-2.0, 2.0), seed);
    Ok(Case {
        name: format!("{}, n = {n}", task.name),
        task,
        // Of the best lower solution, both halves are x.
        y: DVector::from_fn(2 * n, |i, _| known.solution[i % n]),
        x: known.solution,
    })
}

fn apart<T: Real>(seed: u64) -> Result<Case<T>, String> {
    let task = sine_product::<T>();
    let known = task.known.clone().ok_or("no closed form")?;
    let task = task.beside(FOLLOWER.1.into()).map_err(|e| e.to_string())?;
    let bounds = task.bounds.ok_or("no bounds of x")?;
    Ok(Case {
        name: task.name.to_owned(),
        task: from_a_start(task, bounds, seed),
        x: known.solution,
        y: DVector::from_element(1, T::of(-2.0)),
    })
}

fn from_a_start<T: Real>(task: Task<T>, (low, high): (f64, f64), seed: u64) -> Task<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw =
        |n, (low, high): (f64, f64)| DVector::from_fn(n, |_, _| T::of(rng.random_range(low..high)));
    let (x, y) = (
        draw(task.x.len(), (low, high)),
        draw(task.bilevel.dim_y(), (-2.0, 2.0)),
    );
    Task { x, ..task }.starting_from(y)
}

fn of_method<T: Real>(
    case: &Case<T>,
    (row, name): (&str, &str),
    given: Settings,
    seed: u64,
) -> Result<Record, String> {
    let Case { task, x, y, .. } = case;
    let settings = SolveSettings {
        seed,
        ..SolveSettings::of(task.name, name, given)
    };
    let ended = to_end(&*method::<T>(name, task, &settings)?, task)?;
    let mut upper = task.bilevel.upper().point();
    let mut f = |x: &DVector<T>, y: &DVector<T>| upper.value(&[x.as_slice(), y.as_slice()]).f64();
    let gap = f(&ended.x, &ended.y) - f(x, y);
    let away = (&ended.x - x).norm().f64() / x.norm().f64();
    let n = x.len() as f64;
    let worth = values([("x_distance", away), ("upper_gap", gap / n)]);
    let place = (Table::CounterExamples.name(), case.name.clone());
    Ok(ended.record(place, row, worth, seed))
}

/// Where each method comes to, over all dimensions and starts.
pub(super) fn claims(records: &[Record]) -> Vec<Claimed> {
    let (apart, convex): (Vec<_>, Vec<_>) = cases(records)
        .into_iter()
        .partition(|case| *case == FOLLOWER.0);
    let of_convex = of_cases(records, &convex, &CONVEX, "in every dimension");
    let of_apart = of_cases(records, &apart, &APART, "of a g that is not convex");
    [of_convex, of_apart].concat()
}

fn of_cases(records: &[Record], cases: &[&str], rows: &[(&str, bool)], of: &str) -> Vec<Claimed> {
    let mut all = Vec::new();
    for name in methods(records, Kind::Method) {
        let column = |column: &str| {
            let rows = cases.iter();
            let of_rows = rows.flat_map(|case| over_seeds(records, (case, name), column));
            of_rows.map(|(_, value)| value).collect::<Vec<f64>>()
        };
        let (away, told) = (column("x_distance"), column("told"));
        let ends = |pick: fn(f64, f64) -> f64| away.iter().copied().reduce(pick);
        let (Some(least), Some(most)) = (ends(f64::min), ends(f64::max)) else {
            continue;
        };
        let Some((_, reaches)) = rows.iter().find(|(method, _)| *method == name) else {
            continue;
        };
        let runs = away.len();
        let near = away.iter().filter(|away| **away < NEAR).count();
        all.push(Claimed {
            text: match reaches {
                true => format!("{name} comes to the best of the solutions {of}"),
                false => format!("{name} comes to it in none"),
            },
            value: format!(
                "within 1 % of ‖x*‖ on {near} of {runs} runs; from {least:.1e} to {most:.1e}"
            ),
            holds: near == if *reaches { runs } else { 0 },
        });
        if !reaches {
            let said = told.iter().filter(|told| **told > 0.0).count();
            all.push(Claimed {
                text: format!("{name} says that its answer is none"),
                value: format!("on {said} of {runs} runs"),
                holds: said == runs,
            });
        }
    }
    all
}
