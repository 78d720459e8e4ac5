//! One estimate, and what it is worth.

use std::fmt::{Display, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use autodiff::Real;
use nalgebra::DVector;
use solvers::arbitrary::unkind::{Case, Error, Family, Setting, Verdict, error, judge};
use solvers::{Estimate, Status};

use crate::words_of;

/// What became of one estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was judged.
    Judged(Verdict),
    /// There is none: the strategy panicked, or refused the settings.
    Panic,
}

/// One estimate of the campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Its number: with the campaign's seed it can be made again.
    pub number: u64,
    /// Entries of x and y together.
    pub size: usize,
    /// The family of the lower level.
    pub family: Family,
    /// What the lower level is, in a few words.
    pub form: &'static str,
    /// The kind of strategy.
    pub kind: &'static str,
    /// What it is worth.
    pub outcome: Outcome,
    /// Its status, and the first words of its warnings.
    pub said: String,
    /// The problem, the setting, the answer and the estimate, in one line.
    pub line: String,
    /// All of the estimate, as it is shown to a user.
    pub shown: String,
}

impl Look {
    /// Whether it may not be: silent, or without an estimate.
    pub fn is_bad(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Judged(Verdict::Silent) | Outcome::Panic
        )
    }
}

/// The estimate of this number, of a campaign with this seed.
pub fn look(seed: u64, number: u64) -> Look {
    look_at(Case::draw(seed, number))
}

/// The same at a lower level of this family.
pub fn look_within(family: Family, seed: u64, number: u64) -> Look {
    look_at(Case::of_family(family, seed, number))
}

fn look_at(case: Case) -> Look {
    match case.single {
        true => looked::<f32>(&case),
        false => looked::<f64>(&case),
    }
}

fn looked<T: Real>(case: &Case) -> Look {
    let setting = Setting::<T>::draw(case);
    let made = catch_unwind(AssertUnwindSafe(|| {
        let (problem, x) = (case.bilevel::<T>(), case.x.map(T::of));
        let mut work = problem.workspace();
        setting.strategy.hypergradient(&problem, &x, &mut work)
    }));
    let mut seen = Look {
        number: case.number,
        size: case.x.len() + case.start.len(),
        family: case.family,
        form: case.form,
        kind: setting.kind,
        outcome: Outcome::Panic,
        said: String::new(),
        line: described(case, &setting),
        shown: String::new(),
    };
    match made {
        Ok(Ok(mut estimate)) => {
            seen.outcome = Outcome::Judged(judge(case, &estimate, setting.promise));
            seen.said = said(&estimate);
            let off = error(case, &estimate, setting.promise);
            write!(seen.line, "\n    {}", compared(case, &estimate, off)).expect("a string");
            // What differs between two runs is left out.
            estimate.seconds = 0.0;
            seen.shown = estimate.to_string();
        }
        Ok(Err(refused)) => seen.said = format!("refused: {refused}"),
        Err(panic) => {
            seen.said = format!("panic: {}", words_of(&*panic));
        }
    }
    seen
}

fn said<T: Real>(estimate: &Estimate<T>) -> String {
    let mut said = estimate.status.code().to_owned();
    for warning in &estimate.warnings {
        // Numbers are no kinds of their own.
        let words = warning.split_whitespace();
        let words = words.filter(|w| !w.chars().any(|c| c.is_ascii_digit()));
        let first: Vec<&str> = words.take(8).collect();
        said += &format!(" + {}", first.join(" "));
    }
    said
}

fn described<T: Real>(case: &Case, setting: &Setting<T>) -> String {
    format!(
        "{} ({}), {} of {} and {}, from {}, by {}",
        case.form,
        case.family.name(),
        T::NAME,
        case.x.len(),
        case.start.len(),
        case.from,
        setting.text,
    )
}

fn compared<T: Real>(case: &Case, estimate: &Estimate<T>, off: Error) -> String {
    let double = |v: &DVector<T>| v.map(|v| v.f64());
    let wanted = case.truth.solutions.first();
    let (h, y) = match wanted {
        Some(s) => (shown(&case.hypergradient(s)), shown(&s.y)),
        None => ("none".to_owned(), "none".to_owned()),
    };
    let status: &Status = &estimate.status;
    format!(
        "{}: h {} for {h} (off {:.1e}), y {} for {y} (off {:.1e})",
        status.code(),
        shown(&double(&estimate.hypergradient)),
        off.hypergradient,
        shown(&double(&estimate.y)),
        off.y,
    )
}

/// The first entries.
fn shown(v: &DVector<f64>) -> String {
    let first: Vec<String> = v.iter().take(3).map(|v| format!("{v:.4e}")).collect();
    let rest = if v.len() > 3 { ", …" } else { "" };
    format!("[{}{rest}]", first.join(", "))
}

impl Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {:?}, {}", self.number, self.outcome, self.said)?;
        writeln!(f, "    {}", self.line)
    }
}
