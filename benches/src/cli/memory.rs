//! `bilevel memory`.

use autodiff::Real;
use autodiff::bytes::{human_bytes, parse_bytes};
use solvers::Itd;

use super::args::{Common, Memory, Unroll};
use super::compare::inner;
use super::failure::Failure;
use super::output::{bar, line, prepare, say, short_or_dash, table, time, write_lines};
use super::{memory_page, provenance, say_data};
use crate::report;
use crate::study::memory::{Policy, Record, measure};

pub(super) fn run<T: Real>(args: &Memory, common: &Common) -> Result<(), Failure> {
    // Everything that can be wrong is looked at before any work.
    let depths: Vec<usize> = args
        .depths
        .iter()
        .map(|d| depth("--depths", *d))
        .collect::<Result<_, _>>()?;
    let given: Vec<Policy> = args
        .policy
        .iter()
        .map(|p| policy(p))
        .collect::<Result<_, _>>()?;
    let budget = args.budget.as_deref().map(budget).transpose()?;
    let unrolled = unrolled(&args.unroll)?;
    for policy in &given {
        let check = policy.check::<T>(&unrolled(1));
        check.map_err(|e| Failure::Input(format!("--policy {}: {}", policy.family(), e.reason)))?;
    }
    let problem = super::problem::<T>(&args.problem, common)?;
    if let Some(dir) = &common.out {
        prepare(dir)?;
    }
    let policies = match &given[..] {
        [] => Policy::default_for::<T>(problem.bilevel.dim_x(), &unrolled(1)),
        _ => given,
    };
    say_data(&problem, common);

    let progress = bar(policies.len() * depths.len());
    let mut records = Vec::new();
    for policy in &policies {
        for depth in &depths {
            progress.set_message(format!("{} {depth}", policy.family()));
            let record = measure(&problem, &unrolled(*depth), *depth, *policy, budget);
            if common.json {
                progress.suspend(|| say(&line(&record)));
            }
            records.push(record);
            progress.inc(1);
        }
    }
    progress.finish_and_clear();

    if !common.json {
        let (x, y) = (problem.bilevel.dim_x(), problem.bilevel.dim_y());
        let budget = budget.map_or("no budget".into(), |b| {
            format!("a budget of {b} bytes ({})", human_bytes(b))
        });
        say(&format!(
            "{}: x of {x}, y of {y} entries, {}, {budget}",
            problem.name,
            T::NAME
        ));
        let rows: Vec<Vec<String>> = records.iter().map(cells).collect();
        say(&table(&COLUMNS, &rows));
        for r in records.iter().filter(|r| !r.success) {
            say(&format!("{} at {}: {}", r.policy, r.depth, r.message));
        }
    }
    if let Some(dir) = &common.out {
        let file = write_lines(dir, "memory.jsonl", &records)?;
        let page = memory_page::page(&records, provenance(common), args.problem.data.is_none());
        let page = report::write(&page, dir)
            .map_err(|e| Failure::Input(format!("--out {}: {e}", dir.display())))?;
        eprintln!("wrote {} and {}", file.display(), page.display());
    }
    let failed: Vec<String> = records
        .iter()
        .filter(|r| !r.success)
        .map(|r| format!("{} at {}", r.policy, r.depth))
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Numerical(format!(
            "no trustworthy hypergradient from {}: see the status",
            failed.join(", ")
        )))
    }
}

/// A depth that an argument gives.
pub(super) fn depth(argument: &str, given: i64) -> Result<usize, Failure> {
    match usize::try_from(given) {
        Ok(depth) if depth > 0 => Ok(depth),
        _ => Err(Failure::Input(format!(
            "{argument} {given}: expected at least 1 step"
        ))),
    }
}

/// The budget that `--budget` gives.
pub(super) fn budget(text: &str) -> Result<usize, Failure> {
    parse_bytes(text).map_err(|e| Failure::Input(format!("--budget {e}")))
}

/// What is unrolled, for each depth.
pub(super) fn unrolled(args: &Unroll) -> Result<impl Fn(usize) -> Itd + use<>, Failure> {
    let inner = inner(&args.inner)?;
    let step = args.step;
    if let Some(length) = step
        && !(length.is_finite() && length > 0.0)
    {
        return Err(Failure::Input(format!(
            "--step {length}: expected a positive number"
        )));
    }
    Ok(move |depth: usize| {
        let itd = Itd::reverse(depth).inner(inner.clone());
        match step {
            Some(length) => itd.step(length),
            None => itd,
        }
    })
}

fn policy(text: &str) -> Result<Policy, Failure> {
    let bad = |e: &dyn std::fmt::Display| Failure::Input(format!("--policy: {e}"));
    match text.trim().parse() {
        Ok(Policy::Fixed(autodiff::unroll::Memory::Truncated { steps: 0 })) => {
            Err(bad(&"truncated:0: expected at least 1 step"))
        }
        Ok(policy) => Ok(policy),
        Err(error) => Err(bad(&error)),
    }
}

/// The columns of [`cells`].
pub(super) const COLUMNS: [&str; 8] = [
    "policy",
    "depth",
    "status",
    "peak",
    "predicted",
    "run again",
    "time",
    "‖hypergradient‖",
];

/// The cells of a record, as text.
pub(super) fn cells(r: &Record) -> Vec<String> {
    vec![
        r.policy.clone(),
        r.depth.to_string(),
        r.status.to_owned(),
        r.peak_bytes.map_or("–".into(), human_bytes),
        human_bytes(r.predicted_bytes),
        r.recomputed_steps.to_string(),
        r.seconds.map_or("–".into(), time),
        short_or_dash(r.hypergradient_norm),
    ]
}
