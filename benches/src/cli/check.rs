//! `bilevel check`.

use autodiff::Real;
use autodiff::check::Report;
use models::PROBLEMS;
use models::catalogue::named;
use study::check::{Record, STRATEGIES, hypergradient, objectives, records};

use super::args::{CheckArgs, Common};
use super::columns::{Column, terminal_with_words};
use super::failure::{Failure, input};
use super::out_folder;
use super::output::{bar, leave, line, say, short};
use crate::catalogue::subject;
use crate::runs::primitives::primitives;

pub(super) fn run<T: Real>(args: &CheckArgs, common: &Common) -> Result<(), Failure> {
    let seed = common.seed;
    let entries = match &args.problem {
        Some(name) => vec![named(name).map_err(input)?],
        None => PROBLEMS.to_vec(),
    };
    let problems = entries.iter().map(|entry| entry.small::<T>(seed));
    let problems = problems.collect::<Result<Vec<_>, _>>().map_err(input)?;
    out_folder::for_records(common)?;
    let progress = bar(problems.len() * (1 + STRATEGIES.len()) + 1);
    let mut reports: Vec<Report> = Vec::new();
    if args.problem.is_none() {
        progress.set_message("primitives");
        reports.extend(primitives::<T>(seed));
    }
    progress.inc(1);
    for task in &problems {
        let problem = subject(task);
        progress.set_message(task.name);
        reports.extend(objectives(&problem, seed));
        progress.inc(1);
        for strategy in STRATEGIES {
            progress.set_message(strategy.0);
            reports.extend(hypergradient(&problem, strategy, seed).map_err(Failure::Input)?);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();

    let records: Vec<Record> = reports.iter().flat_map(records).collect();
    if common.json {
        records.iter().for_each(|r| say(&line(r)));
    } else {
        say(&terminal_with_words(&columns(), &records));
    }
    leave(common, "check.jsonl", &records, None)?;
    let count = |verdict: &str| -> usize {
        let of = records.iter().filter(|r| r.verdict == verdict);
        of.map(|r| r.number).sum()
    };
    let [pass, mismatch, kink, unchecked] = ["pass", "mismatch", "kink", "unchecked"].map(count);
    let says_nothing = |r: &&Report| !r.passed() && r.mismatches().next().is_none();
    let silent = reports.iter().filter(says_nothing).count();
    let summary = format!(
        "{} subjects, {silent} without a verdict: {pass} comparisons pass, {mismatch} mismatch, \
         {kink} at a kink, {unchecked} unchecked (seed {seed}, {})",
        reports.len(),
        T::NAME
    );
    if mismatch > 0 {
        return Err(Failure::Numerical(summary));
    }
    let undecided = reports.iter().filter(|r| r.is_undecided());
    let undecided: Vec<&str> = undecided.map(Report::subject).collect();
    if !undecided.is_empty() {
        let which = undecided.join(", ");
        return Err(Failure::Numerical(format!(
            "{summary}; undecided: {which}: take another point, by --seed"
        )));
    }
    if !common.json {
        say(&summary);
    }
    Ok(())
}

fn columns() -> [Column<'static, Record>; 8] {
    let place = |r: &Record| {
        let reason = r
            .reason
            .as_ref()
            .map_or(String::new(), |w| format!(": {w}"));
        format!("{}, {}{reason}", r.verdict, r.place)
    };
    [
        Column::words("subject", |r: &Record| r.subject.clone()),
        Column::words("check", |r: &Record| r.check.to_owned()),
        Column::words("mode", |r: &Record| r.mode.to_owned()),
        Column::count("number", |r: &Record| r.number),
        Column::number("expected", |r: &Record| Some(r.expected), short),
        Column::number("got", |r: &Record| Some(r.got), short),
        Column::number("ratio", |r: &Record| Some(r.ratio), short),
        Column::words("verdict and place", place),
    ]
}
