//! The main job: every family of strategy on one definition, on embedded data.

use autodiff::Real;
use models::catalogue::{Entry, Source};
use models::closed_form::BDA_COUNTEREXAMPLE;
use models::{HYPER_CLEANING, LOGISTIC, Task};
use serde_json::{Value, json};
use solvers::catalogue::{Family, Settings, strategy};
use study::compare::{DEFAULT, Record, Reference, estimate, record};
use study::curves::{Curve, against_depth};
use study::solve;

use crate::catalogue::methods::{find, method};
use crate::catalogue::settings::SolveSettings;
use crate::catalogue::subject;

/// The four families that are solved, with their step length of x on the counter-example and the
/// number of steps there.
pub const FAMILIES: [(&str, f64, usize); 4] = [
    ("itd", 0.2, 200),
    ("aid-cg", 0.2, 200),
    ("bda", 0.2, 200),
    ("gda", 0.05, 20_000),
];
/// How often [`Demo::measure`] says what it does.
pub const STAGES: usize = 2 + CURVES.len() + 1 + FAMILIES.len();
/// The strategies whose error is drawn against effort.
const CURVES: [&str; 5] = [
    "itd",
    "itd-checkpointed:10",
    "itd-truncated:10",
    "aid-cg",
    "bda",
];
const DEPTHS: [usize; 8] = [1, 3, 10, 30, 100, 300, 1000, 2000];
/// Outer iterations of each solver whose steps are not small.
const ITERATIONS: usize = 30;

/// Where a method ended on the counter-example.
#[derive(Clone, Debug)]
pub struct End {
    /// The method's name.
    pub method: String,
    /// The outer variable it reached.
    pub x: f64,
    /// How it ended.
    pub status: String,
}

/// Everything the main job measures.
#[derive(Clone, Debug)]
pub struct Demo {
    /// A title and the strategies' records, for each problem.
    pub comparisons: Vec<(String, Vec<Record>)>,
    /// Error and bytes against depth, on `logistic`.
    pub curves: Vec<Curve>,
    /// Entries of y of `logistic`, and the size of a scalar.
    pub dim_y: usize,
    /// Size of a scalar in bytes.
    pub scalar_bytes: usize,
    /// The methods on the counter-example.
    pub counterexample: Vec<End>,
    /// Test accuracy in percent on `hyper-cleaning` with all samples weighing the same.
    pub uncleaned: f64,
    /// The traces on `hyper-cleaning`.
    pub runs: Vec<(String, Vec<solve::Record>)>,
}

impl Demo {
    /// Runs everything; `stage` is told what comes next.
    pub fn measure<T: Real>(seed: u64, mut stage: impl FnMut(String)) -> Self {
        let source = Source {
            seed,
            ..Source::default()
        };
        let of = |entry: &Entry| entry.task::<T>(&source).expect("embedded data is good");
        let (logistic, cleaning) = (of(&LOGISTIC), of(&HYPER_CLEANING));
        let mut comparisons = Vec::new();
        let mut reference = None;
        for problem in [&logistic, &cleaning] {
            stage(format!("compare {}", problem.name));
            let (title, records, against) = compare(problem);
            comparisons.push((title, records));
            reference = reference.or(against);
        }
        let mut curves = Vec::new();
        // One step length for all, so that they unroll the same lower level.
        let step = step_of(&logistic);
        for name in CURVES {
            stage(format!("depths {name}"));
            let curve = against_depth(&subject(&logistic), name, &DEPTHS, step, reference.as_ref());
            curves.push(curve.expect("a name of the catalogue"));
        }
        stage("counter-example".into());
        let counterexample = counterexample(&of(&BDA_COUNTEREXAMPLE));
        let mut runs = Vec::new();
        for (name, ..) in FAMILIES {
            stage(format!("solve {name}"));
            runs.push((name.to_owned(), solve(&cleaning, name)));
        }
        Demo {
            uncleaned: uncleaned(&cleaning),
            comparisons,
            curves,
            dim_y: logistic.bilevel.dim_y(),
            scalar_bytes: size_of::<T>(),
            counterexample,
            runs,
        }
    }

    /// Every record, each with the `study` it belongs to.
    pub fn records(&self) -> impl Iterator<Item = Value> + '_ {
        let of = |study: &'static str, value: Value| {
            let mut value = value;
            value["study"] = study.into();
            value
        };
        let compared = self.comparisons.iter().flat_map(|(_, records)| records);
        let compared = compared.map(move |r| of("compare", json!(r)));
        let curves = self.curves.iter().flat_map(move |c| {
            let each = c.records.iter().zip(&c.depths).zip(&c.seconds);
            each.map(move |((r, depth), range)| {
                let mut value = of("depth", json!(r));
                value["depth"] = (*depth).into();
                value["seconds_range"] = json!(range);
                value
            })
        });
        let ends = self.counterexample.iter().map(move |e| {
            let value = json!({ "method": e.method, "x": e.x, "status": e.status });
            of("counterexample", value)
        });
        let runs = self.runs.iter().flat_map(|(_, records)| records);
        let runs = runs.map(move |r| of("solve", json!(r)));
        compared.chain(curves).chain(ends).chain(runs)
    }
}

fn compare<T: Real>(problem: &Task<T>) -> (String, Vec<Record>, Option<Reference<T>>) {
    let (subject, settings) = (subject(problem), Settings::DEFAULT);
    let reference = Reference::of(&subject, &settings);
    let records = DEFAULT
        .iter()
        .map(|name| {
            let strategy = strategy(name, &settings).expect("a name of the catalogue");
            let estimate = estimate(&subject, &strategy).expect("it suits");
            record(&subject, name, &estimate, reference.as_ref(), false)
        })
        .collect();
    let title = format!(
        "{}: x of {}, y of {} entries; depth {}, implicit strategies to their tolerance",
        problem.name,
        problem.bilevel.dim_x(),
        problem.bilevel.dim_y(),
        settings.depth()
    );
    (title, records, reference)
}

/// The step length that one unrolled step finds.
fn step_of<T: Real>(problem: &Task<T>) -> f64 {
    let settings = Settings {
        depth: Some(1),
        ..Settings::NONE
    };
    let itd = strategy("itd", &settings).expect("a name of the catalogue");
    let estimate = estimate(&subject(problem), &itd).expect("it suits");
    estimate.step.expect("it takes steps")
}

/// Each family on the problem whose lower level has many solutions, from x = 2.
fn counterexample<T: Real>(problem: &Task<T>) -> Vec<End> {
    let run = |(name, rate, iterations): (&str, f64, usize)| {
        let given = Settings {
            iterations: Some(iterations),
            rate: Some(rate),
            stage_iterations: Some(iterations),
            ..Settings::NONE
        };
        let settings = SolveSettings::of(problem.name, name, given);
        let method = method(name, problem, &settings).expect("a name of the catalogue");
        let outcome = solve::run(&subject(problem), name, &*method).expect("valid settings");
        End {
            method: name.to_owned(),
            x: outcome.x[0],
            status: match outcome.records.last() {
                Some(last) => last.status.to_string(),
                None => "no iteration".into(),
            },
        }
    };
    FAMILIES.into_iter().map(run).collect()
}

/// The first metric where the lower level is solved at the x the problem starts from.
fn uncleaned<T: Real>(problem: &Task<T>) -> f64 {
    let exact = strategy("exact", &Settings::NONE).expect("a name of the catalogue");
    let y = estimate(&subject(problem), &exact).expect("it suits").y;
    let metric = problem.metrics.first();
    metric.map_or(f64::NAN, |m| (m.measure)(&problem.x, &y))
}

fn solve<T: Real>(problem: &Task<T>, name: &str) -> Vec<solve::Record> {
    let family = find(name).map(|entry| entry.family).unwrap_or_default();
    let given = Settings {
        iterations: (family == Family::Descent).then_some(ITERATIONS),
        ..Settings::NONE
    };
    let settings = SolveSettings::of(problem.name, name, given);
    let method = method(name, problem, &settings).expect("a name of the catalogue");
    let outcome = solve::run(&subject(problem), name, &*method).expect("valid settings");
    outcome.records
}
