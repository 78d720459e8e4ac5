//! Lower levels with many solutions: who comes to the best of them, in how many dimensions.

use autodiff::Real;
use models::Task;
use models::closed_form::{bda_counterexample, bda_discriminating};
use nalgebra::DVector;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use solvers::catalogue::Settings;

use super::claims::{Claimed, cases, methods, over_seeds};
use super::to_end::to_end;
use super::{Kind, Record, Table, values};
use crate::catalogue::methods::method;
use crate::catalogue::settings::SolveSettings;

/// Entries of x; y has twice as many.
pub(super) const SIZES: [usize; 4] = [1, 10, 50, 100];
/// The methods, and whether each is to come to the best solution.
const METHODS: [(&str, bool); 5] = [
    ("itd", false),
    ("aid-cg", false),
    ("bda", true),
    ("sl-bamm", true),
    ("gda", true),
];
/// A part of ‖x*‖ within which x has come to x*.
const NEAR: f64 = 0.01;

/// What a method is given: chosen on seeds from 100 on.
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
        // What a loop leaves of the best solution falls like one over its depth.
        _ => Settings {
            depth: Some(300),
            iterations: Some(100),
            rate: Some(0.5),
            ..Settings::NONE
        },
    }
}

/// The rows of one seed, which draws where x and y start: each entry in [−2, 2].
pub(super) fn run<T: Real>(sizes: &[usize], seed: u64) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for problem in [bda_counterexample::<T>, bda_discriminating::<T>] {
        for n in sizes {
            let task = from_a_start(problem(*n), seed);
            for (name, _) in METHODS {
                records.push(of_method(&task, name, seed)?);
            }
        }
    }
    Ok(records)
}

fn from_a_start<T: Real>(task: Task<T>, seed: u64) -> Task<T> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |n| DVector::from_fn(n, |_, _| T::of(rng.random_range(-2.0..2.0)));
    let (x, y) = (draw(task.x.len()), draw(task.bilevel.dim_y()));
    Task { x, ..task }.starting_from(y)
}

fn of_method<T: Real>(task: &Task<T>, name: &str, seed: u64) -> Result<Record, String> {
    let n = task.x.len();
    let settings = SolveSettings {
        seed,
        ..SolveSettings::of(task.name, name, given(name))
    };
    let ended = to_end(&*method::<T>(name, task, &settings)?, task)?;
    let known = task.known.as_ref().ok_or("no closed form")?;
    let mut upper = task.bilevel.upper().point();
    // Of the best lower solution, both halves are x.
    let best = DVector::from_fn(2 * n, |i, _| known.solution[i % n]);
    let mut f = |x: &DVector<T>, y: &DVector<T>| upper.value(&[x.as_slice(), y.as_slice()]).f64();
    let gap = f(&ended.x, &ended.y) - f(&known.solution, &best);
    let away = (&ended.x - &known.solution).norm().f64() / known.solution.norm().f64();
    let worth = values([("x_distance", away), ("upper_gap", gap / n as f64)]);
    let place = (
        Table::CounterExamples.name(),
        format!("{}, n = {n}", task.name),
    );
    Ok(ended.record(place, name, worth, seed))
}

/// Where each method comes to, over all dimensions and starts.
pub(super) fn claims(records: &[Record]) -> Vec<Claimed> {
    let mut all = Vec::new();
    for name in methods(records, Kind::Method) {
        let column = |column: &str| {
            let rows = cases(records).into_iter();
            let of_rows = rows.flat_map(|case| over_seeds(records, (case, name), column));
            of_rows.map(|(_, value)| value).collect::<Vec<f64>>()
        };
        let (away, told) = (column("x_distance"), column("told"));
        let ends = |pick: fn(f64, f64) -> f64| away.iter().copied().reduce(pick);
        let (Some(least), Some(most)) = (ends(f64::min), ends(f64::max)) else {
            continue;
        };
        let reaches = METHODS.iter().any(|(method, to)| *method == name && *to);
        let runs = away.len();
        let near = away.iter().filter(|away| **away < NEAR).count();
        all.push(Claimed {
            text: match reaches {
                true => format!("{name} comes to the best of the solutions in every dimension"),
                false => format!("{name} comes to it in none"),
            },
            value: format!(
                "within 1 % of ‖x*‖ on {near} of {runs} runs; from {least:.1e} to {most:.1e}"
            ),
            holds: near == if reaches { runs } else { 0 },
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
