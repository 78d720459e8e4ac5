//! `bilevel compare`.

use autodiff::Real;
use autodiff::bytes::human_bytes;
use models::Task;
use solvers::{InnerStep, StepLength};

use super::args::{Common, Compare, ProblemArgs};
use super::demo_page::notices;
use super::failure::{Failure, input};
use super::output::{bar, line, prepare, say, short, short_or_dash, table, time, write_lines};
use super::{memory, provenance, say_data};
use crate::catalogue;
use crate::catalogue::strategies::{
    AnyStrategy, DEFAULT, DEFAULT_PROXIMAL, DENSE_LIMIT, Settings, fits, is_dense, strategy,
};
use crate::report::{self, Cell, Report, Section, Table};
use crate::study::compare::{Record, Reference, estimate, record};

pub(super) fn run<T: Real>(args: &Compare, common: &Common) -> Result<(), Failure> {
    // Everything that can be wrong is looked at before any work.
    let settings = settings(args)?;
    let names: Vec<&str> = match &args.strategy[..] {
        [] if settings.inner.is_proximal() => DEFAULT_PROXIMAL.to_vec(),
        [] => DEFAULT.to_vec(),
        given => given.iter().map(|s| s.trim()).collect(),
    };
    let strategies: Vec<(&str, AnyStrategy<T>)> = names
        .iter()
        .map(|name| Ok((*name, strategy(name, &settings).map_err(Failure::Input)?)))
        .collect::<Result<_, Failure>>()?;
    let problems = problems::<T>(args, common)?;
    // A strategy that is given for one problem must suit it; of several it is left out where it does
    // not, as are those that nobody asked for by name.
    if let ([problem], false) = (&problems[..], args.strategy.is_empty()) {
        for (_, strategy) in &strategies {
            strategy.suits(&problem.bilevel).map_err(input)?;
        }
    }
    // Of several problems the strategies that are given may be too large for some: left out there.
    let chosen = args.strategy.is_empty() || problems.len() > 1;
    for problem in &problems {
        let dim_y = problem.bilevel.dim_y();
        for (name, _) in &strategies {
            let skipped = chosen && is_dense(name) && dim_y > DENSE_LIMIT;
            if !skipped {
                fits::<T>(name, settings.depth, dim_y, memory()).map_err(Failure::Input)?;
            }
        }
    }
    if let Some(dir) = &common.out {
        prepare(dir)?;
    }

    let mut records: Vec<Record> = Vec::new();
    for problem in &problems {
        let dense = problem.bilevel.dim_y() <= DENSE_LIMIT;
        let fitting = strategies
            .iter()
            .filter(|(s, _)| !chosen || dense || !is_dense(s))
            .filter(|(_, strategy)| strategy.suits(&problem.bilevel).is_ok());
        let fitting: Vec<&(&str, AnyStrategy<T>)> = fitting.collect();
        records.extend(of_one(problem, &fitting, &settings, args.full, common));
    }
    if problems.len() > 1 && !common.json {
        say("relative errors:");
        say(&errors(&records));
    }
    if let Some(dir) = &common.out {
        let file = write_lines(dir, "compare.jsonl", &records)?;
        let page = report::write(&page(&records, common, args.problem.data.is_none()), dir)
            .map_err(|e| Failure::Input(format!("--out {}: {e}", dir.display())))?;
        eprintln!("wrote {} and {}", file.display(), page.display());
    }
    let failed = records.iter().filter(|r| !r.success);
    let failed: Vec<String> = match problems.len() {
        1 => failed.map(|r| r.strategy.clone()).collect(),
        _ => failed
            .map(|r| format!("{} on {}", r.strategy, r.problem))
            .collect(),
    };
    if failed.is_empty() {
        Ok(())
    } else {
        let names = failed.join(", ");
        Err(Failure::Numerical(format!(
            "no trustworthy hypergradient from {names}: see the status"
        )))
    }
}

/// The problems that `--problem` names: one, several separated by commas, or `all`.
fn problems<T: Real>(args: &Compare, common: &Common) -> Result<Vec<Task<T>>, Failure> {
    let given = &args.problem;
    let names: Vec<&str> = match given.problem.as_str() {
        "all" => catalogue::problems::ALL.iter().map(|e| e.name).collect(),
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
    let named = names.iter().map(|name| {
        let one = ProblemArgs {
            problem: (*name).to_owned(),
            bias: given.bias && (names.len() == 1 || *name == "hyper-cleaning"),
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
    full: bool,
    common: &Common,
) -> Vec<Record> {
    say_data(problem, common);
    let (dim_x, dim_y) = (problem.bilevel.dim_x(), problem.bilevel.dim_y());
    let own_steps = problem.bilevel.step().is_some();
    let other = problem.known.is_some() || settings.inner.is_proximal() || own_steps;
    if dim_y > DENSE_LIMIT && !other {
        eprintln!(
            "y has {dim_y} entries, more than {DENSE_LIMIT}: no exact hypergradient to compare with"
        );
    }
    let progress = bar(strategies.len() + 1);
    progress.set_message("reference");
    let reference = Reference::of(problem, settings);
    progress.inc(1);
    let mut records = Vec::new();
    for (name, strategy) in strategies {
        progress.set_message((*name).to_owned());
        let estimate = estimate(problem, strategy);
        let record = record(problem, name, &estimate, reference.as_ref(), full);
        if common.json {
            progress.suspend(|| say(&line(&record)));
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
        settings.depth,
        reference
            .as_ref()
            .map_or("nothing (no reference)", |r| r.origin),
    ));
    say(&terminal_table(&records));
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

/// A row for each problem, a column for each strategy: the error, or how it failed.
fn errors(records: &[Record]) -> String {
    let mut strategies: Vec<&str> = Vec::new();
    for r in records {
        if !strategies.contains(&&*r.strategy) {
            strategies.push(&r.strategy);
        }
    }
    let cell =
        |of_one: &[Record], strategy: &str| match of_one.iter().find(|r| r.strategy == strategy) {
            Some(r) if r.success => short_or_dash(r.error_vs_exact),
            Some(r) => r.status.to_owned(),
            None => "–".to_owned(),
        };
    let rows: Vec<Vec<String>> = records
        .chunk_by(|a, b| a.problem == b.problem)
        .map(|of_one| {
            let cells = strategies.iter().map(|s| cell(of_one, s));
            std::iter::once(of_one[0].problem.to_owned())
                .chain(cells)
                .collect()
        })
        .collect();
    let columns: Vec<&str> = std::iter::once("problem").chain(strategies).collect();
    table(&columns, &rows)
}

fn settings(args: &Compare) -> Result<Settings, Failure> {
    let bad = |what: String| Err(Failure::Input(what));
    let depth = match usize::try_from(args.depth) {
        Ok(depth) if depth > 0 => depth,
        _ => return bad(format!("--depth {}: expected at least 1 step", args.depth)),
    };
    if args.lower_limit == Some(0) {
        return bad("--lower-limit 0: expected at least 1 iteration".into());
    }
    for (name, value) in [("--tolerance", args.tolerance), ("--step", args.step)] {
        if let Some(v) = value
            && !(v.is_finite() && v > 0.0)
        {
            return bad(format!("{name} {v}: expected a positive number"));
        }
    }
    Ok(Settings {
        depth,
        tolerance: args.tolerance,
        lower_limit: args.lower_limit,
        step: args.step.map_or(StepLength::Auto, StepLength::Fixed),
        inner: inner(&args.inner)?,
        implicit_steps: args.same_iterate,
        // The same iterate is that of all the steps.
        stop: args.tolerance.filter(|_| !args.same_iterate),
    })
}

pub(super) fn inner(text: &str) -> Result<InnerStep, Failure> {
    text.parse()
        .map_err(|e| Failure::Input(format!("--inner {e}")))
}

const COLUMNS: [&str; 11] = [
    "strategy",
    "status",
    "rel. error",
    "norm",
    "‖∇_y g‖",
    "distance",
    "lin. residual",
    "gradients",
    "HVPs",
    "time",
    "peak",
];

/// The cells of a record, as text.
pub(super) fn cells(r: &Record) -> Vec<String> {
    vec![
        r.strategy.clone(),
        r.status.to_owned(),
        short_or_dash(r.error_vs_exact),
        short(r.norm),
        short(r.lower_residual),
        short_or_dash(r.distance),
        short_or_dash(r.linear_residual),
        r.gradients.to_string(),
        r.hvps.to_string(),
        time(r.seconds),
        human_bytes(r.peak_bytes),
    ]
}

pub(super) fn terminal_table(records: &[Record]) -> String {
    let rows: Vec<Vec<String>> = records.iter().map(cells).collect();
    table(&COLUMNS, &rows)
}

/// The table of a page, sorted by value.
pub(super) fn page_table(caption: String, records: &[Record]) -> Table {
    let row = |r: &Record| -> Vec<Cell> {
        let values = [
            None,
            None,
            r.error_vs_exact,
            Some(r.norm),
            Some(r.lower_residual),
            r.distance,
            r.linear_residual,
            Some(r.gradients as f64),
            Some(r.hvps as f64),
            Some(r.seconds),
            Some(r.peak_bytes as f64),
        ];
        cells(r)
            .into_iter()
            .zip(values)
            .map(|(text, value)| match value {
                Some(v) => Cell::number(text, v),
                None => Cell::from(text),
            })
            .collect()
    };
    Table {
        caption,
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows: records.iter().map(row).collect(),
    }
}

fn page(records: &[Record], common: &Common, embedded: bool) -> Report {
    let of_each: Vec<&[Record]> = records.chunk_by(|a, b| a.problem == b.problem).collect();
    let names: Vec<&str> = of_each.iter().map(|r| r[0].problem).collect();
    let section = |records: &&[Record]| {
        let messages: Vec<String> = records
            .iter()
            .map(|r| format!("{}: {}.", r.strategy, r.message))
            .collect();
        Section {
            title: format!("Strategies at one point of {}", records[0].problem),
            text: messages.join("\n\n"),
            tables: vec![page_table(
                "Each strategy against the reference".into(),
                records,
            )],
            plots: Vec::new(),
        }
    };
    Report {
        title: format!("Hypergradients of {}", names.join(", ")),
        subtitle: provenance(common),
        claims: Vec::new(),
        sections: of_each.iter().map(section).collect(),
        notices: notices(embedded),
    }
}
