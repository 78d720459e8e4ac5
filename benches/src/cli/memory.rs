//! `bilevel memory`.

use autodiff::Real;
use autodiff::bytes::human_bytes;
use solvers::Strategy;
use study::memory::{Policy, measure, table};

use super::args::{Common, ProblemArgs};
use super::failure::{Failure, input};
use super::given::{Given, Loops};
use super::loops::{bytes, unrolled};
use super::out_folder;
use super::output::{About, OfProblem, bar, leave, line, say, trusted};
use super::pages;
use super::say_data;
use super::values::count;
use crate::catalogue::subject;

/// What is unrolled.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) problem: ProblemArgs,
    /// Numbers of steps that are unrolled, separated by commas
    #[arg(
        long,
        value_name = "K,…",
        value_delimiter = ',',
        default_value = "10,100,1000",
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) depths: Vec<usize>,
    /// Policies, separated by commas: taped, stored, checkpointed[:SLOTS], online[:SLOTS],
    /// disk[:SLOTS], truncated:STEPS, reversible, forward. Without SLOTS they take as many as fit
    /// --budget, or 10
    #[arg(long, value_name = "POLICY,…", value_delimiter = ',')]
    pub(super) policy: Vec<String>,
    /// Bytes that no estimate may go over, such as 64MiB, 1GB or 4096; what would is not run
    #[arg(long, value_name = "BYTES")]
    pub(super) budget: Option<String>,
    #[command(flatten)]
    pub(super) unroll: Given<Loops>,
}

pub(super) fn run<T: Real>(args: &Args, common: &Common) -> Result<(), Failure> {
    // Everything that can be wrong is looked at before any work.
    let depths = &args.depths;
    let given: Vec<Policy> = args
        .policy
        .iter()
        .map(|p| policy(p))
        .collect::<Result<_, _>>()?;
    let budget = args.budget.as_deref().map(|text| bytes("--budget", text));
    let budget = budget.transpose()?;
    let unrolled = unrolled(&args.unroll);
    for policy in &given {
        let check = policy.check::<T>(&unrolled(1));
        check
            .map_err(|e| Failure::Input(format!("--policy {}: {}", policy.family(), e.reason())))?;
    }
    let problem = super::problem::<T>(&args.problem, common)?;
    unrolled(1).suits(&problem.bilevel).map_err(input)?;
    out_folder::for_records(common)?;
    let policies = match &given[..] {
        [] => Policy::default_for::<T>(problem.bilevel.dim_x(), &unrolled(1)),
        _ => given,
    };
    say_data(&problem, common);
    let about = About::of(&problem);

    let subject = subject(&problem);
    let progress = bar(policies.len() * depths.len());
    let mut records = Vec::new();
    for policy in &policies {
        for depth in depths {
            progress.set_message(format!("{} {depth}", policy.family()));
            let record = measure(&subject, &unrolled(*depth), *depth, *policy, budget);
            let record = record.map_err(input)?;
            if common.json {
                progress.suspend(|| say(&line(&OfProblem::new(&record, &about))));
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
        say(&table(&records));
        for r in records.iter().filter(|r| !r.success) {
            say(&format!("{} at {}: {}", r.policy, r.depth, r.message));
        }
    }
    let embedded = args.problem.data.is_none();
    let title = format!("Memory against depth on {}", problem.name);
    let page = || {
        let page = pages::page(&*title, common, embedded);
        pages::data(page, &problem).memory(&records)
    };
    let written = OfProblem::all(&records, &about);
    leave(common, "memory.jsonl", &written, Some(&page))?;
    let failed = records.iter().filter(|r| !r.success);
    trusted(failed.map(|r| format!("{} at {}", r.policy, r.depth)))
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
