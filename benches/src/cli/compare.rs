//! `bilevel compare`.

use autodiff::Real;
use models::Task;
use models::catalogue::{find, names};
use solvers::Room;
use solvers::catalogue::{Settings, strategy};
use study::compare::{
    AnyStrategy, DEFAULT, Record, Reference, estimate, left_out, matrix, record, refuse_foreign,
    table,
};

use super::args::{Common, ProblemArgs};
use super::failure::{Failure, input};
use super::given::{Given, Strategies, dashed};
use super::out_folder;
use super::output::{About, OfProblem, bar, leave, line, say, trusted};
use super::pages;
use super::{memory, say_data};
use crate::catalogue::subject;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    // `--problem` takes several here.
    #[command(flatten)]
    pub(super) problem: ProblemArgs,
    /// Strategies, separated by commas, see `bilevel list`
    #[arg(long, value_name = "S,…", value_delimiter = ',')]
    pub(super) strategy: Vec<String>,
    #[command(flatten)]
    pub(super) settings: Given<Strategies>,
    /// Put the hypergradient itself into the records
    #[arg(long)]
    pub(super) full: bool,
}

pub(super) fn run<T: Real>(args: &Args, common: &Common) -> Result<(), Failure> {
    // Everything that can be wrong is looked at before any work.
    let settings = &args.settings.settings;
    let names: Vec<&str> = match &args.strategy[..] {
        [] => DEFAULT.to_vec(),
        given => given.iter().map(|s| s.trim()).collect(),
    };
    let strategies: Vec<(&str, AnyStrategy<T>)> = names
        .iter()
        .map(|name| Ok((*name, strategy(name, settings).map_err(Failure::Input)?)))
        .collect::<Result<_, Failure>>()?;
    refuse_foreign(&names, settings, dashed).map_err(Failure::Input)?;
    let problems = problems::<T>(args, common)?;
    // A strategy that is given for one problem must suit it; of several it is left out where it does
    // not, as are those that nobody asked for by name.
    if let ([problem], false) = (&problems[..], args.strategy.is_empty()) {
        for (_, strategy) in &strategies {
            strategy.suits(&problem.bilevel).map_err(input)?;
        }
    }
    // Of several problems the strategies that are given may be too large for some: left out there.
    let unasked = args.strategy.is_empty();
    let leaves = |room: &Room, dim_y: usize| {
        (room.is_too_dense(dim_y) && (unasked || problems.len() > 1))
            || (room.is_dear(dim_y, settings.depth()) && unasked)
    };
    for problem in &problems {
        let dim_y = problem.bilevel.dim_y();
        for (name, strategy) in &strategies {
            let room = strategy.room(dim_y);
            if !leaves(&room, dim_y) {
                room.check(name, dim_y, memory()).map_err(Failure::Input)?;
            }
        }
    }
    out_folder::for_records(common)?;

    let mut records: Vec<Record> = Vec::new();
    for problem in &problems {
        let dim_y = problem.bilevel.dim_y();
        let fitting = strategies
            .iter()
            .filter(|(_, s)| !leaves(&s.room(dim_y), dim_y))
            .filter(|(_, strategy)| strategy.suits(&problem.bilevel).is_ok());
        let fitting: Vec<&(&str, AnyStrategy<T>)> = fitting.collect();
        let rooms = strategies.iter().map(|(name, s)| (*name, s.room(dim_y)));
        let left_out = left_out(rooms.filter(|_| unasked), dim_y, settings);
        let mut of_this = of_one(problem, &fitting, settings, left_out, args.full, common);
        records.append(&mut of_this);
    }
    if problems.len() > 1 && !common.json {
        say("relative errors:");
        say(&matrix(&records));
    }
    let page = || {
        let names = records.chunk_by(|a, b| a.problem == b.problem);
        let names: Vec<&str> = names.map(|r| &*r[0].problem).collect();
        let title = format!("Hypergradients of {}", names.join(", "));
        let page = pages::page(title, common, args.problem.data.is_none());
        let page = problems.iter().fold(page, pages::data);
        page.compare(&records)
    };
    // Of several problems none has data, and all have the part.
    let about = About::of(&problems[0]);
    let written = OfProblem::all(&records, &about);
    leave(common, "compare.jsonl", &written, Some(&page))?;
    let failed = records.iter().filter(|r| !r.success);
    trusted(failed.map(|r| match problems.len() {
        1 => r.strategy.clone(),
        _ => format!("{} on {}", r.strategy, r.problem),
    }))
}

/// The problems that `--problem` names: one, several separated by commas, or `all`.
fn problems<T: Real>(args: &Args, common: &Common) -> Result<Vec<Task<T>>, Failure> {
    let given = &args.problem;
    let names: Vec<&str> = match given.problem.as_str() {
        "all" => names(|_| true),
        names => names.split(',').map(str::trim).collect(),
    };
    if names.len() > 1 {
        let file = [("--data", &given.data), ("--point", &given.point)];
        if let Some((option, _)) = file.iter().find(|(_, file)| file.is_some()) {
            return Err(Failure::Input(format!(
                "{option}: expected with one --problem, found {}",
                names.len()
            )));
        }
    }
    if given.bias && names.len() > 1 && !names.iter().any(|n| find(n).is_some_and(|e| e.bias)) {
        return Err(Failure::Input(
            "--bias: without effect: none of these problems has one: expected none".into(),
        ));
    }
    let named = names.iter().map(|name| {
        let one = ProblemArgs {
            problem: (*name).to_owned(),
            bias: given.bias && (names.len() == 1 || find(name).is_some_and(|entry| entry.bias)),
            ..given.clone()
        };
        super::problem::<T>(&one, common)
    });
    named.collect()
}

/// Every strategy on one problem, shown as it is done.
fn of_one<T: Real>(
    problem: &Task<T>,
    strategies: &[&(&str, AnyStrategy<T>)],
    settings: &Settings,
    left_out: Option<String>,
    full: bool,
    common: &Common,
) -> Vec<Record> {
    say_data(problem, common);
    let subject = subject(problem);
    let (dim_x, dim_y) = (problem.bilevel.dim_x(), problem.bilevel.dim_y());
    if let Some(left_out) = &left_out {
        eprintln!("{}: left out: {left_out}", problem.name);
    }
    let progress = bar(strategies.len() + 1);
    progress.set_message("reference");
    let reference = Reference::of(&subject, settings);
    progress.inc(1);
    let about = About::of(problem);
    let mut records = Vec::new();
    for (name, strategy) in strategies {
        progress.set_message((*name).to_owned());
        let estimate = estimate(&subject, strategy).expect("looked at before");
        let mut record = record(&subject, name, &estimate, reference.as_ref(), full);
        record.left_out.clone_from(&left_out);
        if common.json {
            progress.suspend(|| say(&line(&OfProblem::new(&record, &about))));
        }
        records.push(record);
        progress.inc(1);
    }
    progress.finish_and_clear();
    if common.json {
        return records;
    }
    say(&format!(
        "{}: x of {dim_x}, y of {dim_y} entries, {}, depth {}; errors against {}",
        problem.name,
        T::NAME,
        settings.depth(),
        reference
            .as_ref()
            .map_or("nothing (no reference)", |r| r.origin),
    ));
    say(&table(&records));
    for r in &records {
        if !r.success {
            say(&format!("{}: {}", r.strategy, r.message));
        }
        for warning in &r.warnings {
            say(&format!("{}: warning: {warning}", r.strategy));
        }
    }
    records
}
