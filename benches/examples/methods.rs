//! Runs methods as `bilevel solve` does, with nothing given, on problems of the catalogue, and prints the
//! table of the guide's page `methods`:
//! `cargo run --release -p bilevel-benches --example methods [METHOD,…|all [PROBLEM,…]]`.
//!
//! φ(x) = F(x, y*(x)) is measured where a run began and where it ended, y*(x) being the lower level's
//! solution that is nearest to the run's own y.

use std::collections::BTreeMap;
use std::env;
use std::time::Instant;

use bilevel_benches::catalogue::methods::method;
use bilevel_benches::catalogue::settings::SolveSettings;
use models::catalogue::Source;
use models::{PROBLEMS, Task};
use nalgebra::DVector;
use solvers::catalogue::{Family, Settings, methods};
use solvers::solve_lower;

/// What became of a run.
enum End {
    /// φ where it ended, which may be no number.
    Value(f64),
    /// It failed, with this status.
    Failed(&'static str),
    /// The method does not take the problem.
    Refused,
}

/// φ at x, from a lower solution near `y`.
fn value(task: &Task<f64>, x: &DVector<f64>, y: &DVector<f64>) -> f64 {
    let problem = task.bilevel.clone().starting_from(y.clone());
    let solution = solve_lower(&problem, x, 1e-8);
    let at = [x.as_slice(), solution.y.as_slice()];
    problem.upper().point().value(&at)
}

fn end(name: &str, task: &Task<f64>) -> End {
    let settings = SolveSettings::of(task.name, name, Settings::NONE);
    let made = method::<f64>(name, task, &settings).expect("settings that nobody gave");
    let Ok(mut run) = made.begin(&task.bilevel, task.x.clone()) else {
        return End::Refused;
    };
    match run.finish().failure {
        Some((_, status)) => End::Failed(status.code()),
        None => End::Value(value(task, run.x(), run.y())),
    }
}

fn main() {
    let given: Vec<String> = env::args().skip(1).collect();
    let chosen = |at: usize, name: &str| {
        let words = given.get(at).filter(|words| *words != "all");
        words.is_none_or(|words| words.split(',').any(|word| word == name))
    };
    let small = methods::<f64>()
        .into_iter()
        .filter(|entry| entry.family != Family::Descent);
    let names: Vec<&str> = small.map(|entry| entry.rows[0].name).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| chosen(0, name)).collect();
    let mut ends: BTreeMap<&str, Vec<(&str, End)>> = BTreeMap::new();
    let mut best: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for entry in PROBLEMS.iter().filter(|entry| chosen(1, entry.row.name)) {
        let task = entry.task::<f64>(&Source::default());
        let task = task.expect("the problem's own data");
        // A problem that steps of its own define has no lower solution.
        let start = value(&task, &task.x, task.bilevel.start());
        let mut least = start;
        for name in &names {
            let began = Instant::now();
            let end = end(name, &task);
            eprint!(
                "{} {name} {:.1} s",
                task.name,
                began.elapsed().as_secs_f64()
            );
            match &end {
                End::Value(value) => eprintln!(" φ {start:.6e} to {value:.6e}"),
                End::Failed(status) => eprintln!(" {status}"),
                End::Refused => eprintln!(" refused"),
            }
            if let End::Value(value) = end {
                least = least.min(value);
            }
            ends.entry(name).or_default().push((task.name, end));
        }
        best.insert(task.name, (start, least));
    }
    println!("| method | takes | 90 % | 10 % | no gain | fails |");
    println!("|---|---|---|---|---|---|");
    for name in names {
        let (mut takes, mut most, mut some) = (0, 0, 0);
        let (mut none, mut fails) = (Vec::new(), Vec::new());
        for (problem, end) in &ends[name] {
            let (start, least) = best[problem];
            takes += usize::from(!matches!(end, End::Refused));
            match end {
                End::Refused => {}
                End::Failed(status) => fails.push(format!("{problem}: {status}")),
                End::Value(value) => match (start - value) / (start - least) {
                    share if share >= 0.9 => most += 1,
                    share if share >= 0.1 => some += 1,
                    _ => none.push(*problem),
                },
            }
        }
        let (none, fails) = (none.join(", "), fails.join(", "));
        println!("| `{name}` | {takes} | {most} | {some} | {none} | {fails} |");
    }
}
