//! A long campaign of runs of methods on unkind problems with known solutions: where a run led to an x
//! that is worth less than its start, does it say so?

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use autodiff::Real;
use nalgebra::DVector;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use solvers::arbitrary::unkind::{Case, Danger};
use solvers::catalogue::{self, Settings};
use study::Subject;
use study::solve::Session;

use crate::words_of;

/// What became of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// φ is no larger at the end, or there is no such value, and nothing was said.
    Right,
    /// A failure or a warning.
    Told,
    /// The warning that x is worth less, where it is not.
    FalseAlarm,
    /// φ is larger at the end, or is not what was measured, and nothing was said.
    Silent,
    /// The method does not take the problem.
    Refused,
    /// No end at all.
    Panic,
}

/// One run of the campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Its number: with the campaign's seed it can be made again.
    pub number: u64,
    /// The method.
    pub method: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The problem, the settings and the end, in a few lines.
    pub line: String,
}

/// What is allowed between what was measured and what is known, as a part: the solutions are of the
/// precision, what was measured is of y to 1e-7 of its size (3e-4 in `f32`).
fn slack<T: Real>() -> f64 {
    if T::EPSILON > 1e-10 { 1e-2 } else { 1e-5 }
}

/// The run of this number, of a campaign with this seed.
pub fn look(seed: u64, number: u64) -> Look {
    let case = Case::draw(seed, number);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // The case has the stream of its own number.
    rng.set_stream(u64::MAX - number);
    match case.single {
        true => looked::<f32>(&case, &mut rng),
        false => looked::<f64>(&case, &mut rng),
    }
}

fn looked<T: Real>(case: &Case, rng: &mut impl Rng) -> Look {
    let names: Vec<&str> = catalogue::methods::<T>()
        .iter()
        .filter_map(|entry| entry.rows.first().map(|row| row.name))
        .collect();
    let method = names[rng.random_range(0..names.len())];
    let settings = Settings {
        iterations: Some(rng.random_range(1..200)),
        rate: Some(0.1 * 10f64.powf(rng.random_range(-2.0..2.0))),
        report_every: None,
        ..Settings::NONE
    };
    let bounded = rng.random_bool(0.3);
    let reach = 10f64.powf(rng.random_range(-1.0..3.0));
    let mut seen = Look {
        number: case.number,
        method: method.to_owned(),
        outcome: Outcome::Panic,
        line: String::new(),
    };
    let rate = settings.rate.unwrap_or_default();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let problem = case.bilevel::<T>();
        let x = case.x.map(T::of);
        let mut subject = Subject::new(case.form, &problem, x);
        if bounded {
            let size = reach * case.x.amax().max(1e-3);
            subject = subject.with_bounds((-size, size));
        }
        let made = catalogue::method(method, &settings, &subject.place(case.seed));
        let made = made.map_err(|refused| refused.to_string())?;
        let mut session =
            Session::begin(&subject, method, &*made).map_err(|refused| refused.to_string())?;
        let start = session.reached()[0].map(|v| v.f64());
        while session.step().is_some() {}
        let end = session.reached()[0].map(|v| v.f64());
        let gain = session.gain();
        let warned = session.so_far().warnings.clone();
        Ok::<_, String>((start, end, gain, warned, session.so_far().failure.clone()))
    }));
    let (start, end, gain, mut warned, failure) = match ended {
        Ok(Ok(ended)) => ended,
        Ok(Err(refused)) => {
            seen.outcome = Outcome::Refused;
            seen.line = refused;
            return seen;
        }
        Err(panic) => {
            seen.line = format!("{}: {}", case.form, words_of(&*panic));
            return seen;
        }
    };
    let Some(gain) = gain else {
        // Of the equation of a map there is no lower level to solve.
        let said = failure.is_some() || !warned.is_empty();
        seen.outcome = if said { Outcome::Told } else { Outcome::Right };
        return seen;
    };
    let loss = gain.warning(T::EPSILON);
    let [before, after] = [&start, &end].map(|x| known(case, x));
    let slack = slack::<T>();
    let scale = |a: f64, b: f64| a.abs().max(b.abs());
    let compared = gain.start.value.is_some() && gain.end.value.is_some();
    let fell = match (before, after) {
        (Some(a), Some(b)) => Some((a - b) / scale(a, b)),
        _ => None,
    };
    let wrong = match (gain.end.value, after) {
        (Some(measured), Some(known)) => (measured - known).abs() > slack * scale(measured, known),
        _ => false,
    };
    let said = loss.is_some() || failure.is_some() || !warned.is_empty();
    seen.outcome = match fell {
        Some(part) if part < -slack && !said => Outcome::Silent,
        _ if wrong && !said && gain.end.missing.is_none() => Outcome::Silent,
        Some(part) if part > slack && compared && loss.is_some() => Outcome::FalseAlarm,
        _ if said => Outcome::Told,
        _ => Outcome::Right,
    };
    warned.extend(failure);
    seen.line = format!(
        "{} ({}), {} of {} and {}, from {}, by {method}, rate {rate:.2e}\n    φ {before:?} to {after:?}; \
         {gain}\n    {warned:?}",
        case.form,
        case.family.name(),
        T::NAME,
        case.x.len(),
        case.start.len(),
        case.from,
    );
    seen
}

/// φ at x where the lower level has one solution and no danger is near: the only value there is.
fn known(case: &Case, x: &DVector<f64>) -> Option<f64> {
    if !x.iter().all(|v| v.is_finite()) {
        return None;
    }
    // Far from its point a case may have no answer: it is not made for that.
    let truth = catch_unwind(AssertUnwindSafe(|| case.truth_at(x))).ok()?;
    let [solution] = &truth.solutions[..] else {
        return None;
    };
    if truth.danger != Danger::None || truth.determined.is_some() {
        return None;
    }
    let upper = case.bilevel::<f64>();
    let value = upper
        .upper()
        .point()
        .value(&[x.as_slice(), solution.y.as_slice()]);
    value.is_finite().then_some(value)
}

/// How many runs came to what, by method.
#[derive(Clone, Debug, Default)]
pub struct Table {
    counts: BTreeMap<String, BTreeMap<Outcome, u64>>,
    /// The silent ones, the false alarms and the panics.
    pub bad: Vec<Look>,
}

impl Table {
    /// Whether no run was silent and none panicked.
    pub fn holds(&self) -> bool {
        !self
            .bad
            .iter()
            .any(|look| matches!(look.outcome, Outcome::Silent | Outcome::Panic))
    }

    /// How many runs came to this.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.counts.values().filter_map(|c| c.get(&outcome)).sum()
    }
}

/// Makes so many runs on the current `rayon` pool; `done` counts them as they are finished.
pub fn run(runs: u64, seed: u64, done: &AtomicU64) -> Table {
    let looks: Vec<Look> = (0..runs)
        .into_par_iter()
        .map(|number| {
            let seen = look(seed, number);
            done.fetch_add(1, Relaxed);
            seen
        })
        .collect();
    let mut table = Table::default();
    for seen in looks {
        let counts = table.counts.entry(seen.method.clone()).or_default();
        *counts.entry(seen.outcome).or_default() += 1;
        if matches!(
            seen.outcome,
            Outcome::Silent | Outcome::FalseAlarm | Outcome::Panic
        ) {
            table.bad.push(seen);
        }
    }
    table
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALL: [(Outcome, &str); 6] = [
            (Outcome::Right, "right"),
            (Outcome::Told, "told"),
            (Outcome::FalseAlarm, "false alarm"),
            (Outcome::Silent, "silent"),
            (Outcome::Refused, "refused"),
            (Outcome::Panic, "panic"),
        ];
        write!(f, "{:<18}", "method")?;
        ALL.iter()
            .try_for_each(|(_, name)| write!(f, "{name:>13}"))?;
        writeln!(f)?;
        for (method, counts) in &self.counts {
            write!(f, "{method:<18}")?;
            for (outcome, _) in ALL {
                write!(f, "{:>13}", counts.get(&outcome).unwrap_or(&0))?;
            }
            writeln!(f)?;
        }
        write!(f, "{:<18}", "all")?;
        for (outcome, _) in ALL {
            write!(f, "{:>13}", self.count(outcome))?;
        }
        writeln!(f)?;
        for look in &self.bad {
            writeln!(f, "{}: {:?}\n    {}", look.number, look.outcome, look.line)?;
        }
        Ok(())
    }
}
