//! `bilevel check`.

use autodiff::Real;
use autodiff::check::Report;
use models::PROBLEMS;
use models::catalogue::named;
use study::check::{Record, STRATEGIES, count, hypergradient, objectives, records, table};

use super::args::Common;
use super::failure::{Failure, input};
use super::out_folder;
use super::output::{bar, leave, line, say};
use crate::catalogue::subject;
use crate::runs::primitives::primitives;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// This problem alone, at a small size; all of them and the primitives unless given
    #[arg(long, value_name = "P")]
    pub(super) problem: Option<String>,
}

pub(super) fn run<T: Real>(args: &Args, common: &Common) -> Result<(), Failure> {
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
            reports.extend(hypergradient(&problem, strategy, seed).map_err(input)?);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();

    let records: Vec<Record> = reports.iter().flat_map(records).collect();
    if common.json {
        records.iter().for_each(|r| say(&line(r)));
    } else {
        say(&table(&records));
    }
    leave(common, "check.jsonl", &records, None)?;
    let verdicts = ["pass", "mismatch", "kink", "unchecked"];
    let [pass, mismatch, kink, unchecked] = verdicts.map(|verdict| count(&records, verdict));
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
