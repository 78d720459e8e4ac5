//! `bilevel plan`.

use autodiff::Real;
use autodiff::bytes::human_bytes;
use solvers::{Budget, Strategy};
use study::plan::{deepest, fastest, table};

use super::args::{Common, ProblemArgs};
use super::failure::{Failure, input};
use super::given::{Given, Loops};
use super::loops::{bytes, unrolled};
use super::out_folder;
use super::output::{About, OfProblem, leave, line, say};
use super::values::count;
use crate::catalogue::subject;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) problem: ProblemArgs,
    /// Steps that are unrolled; without it, the deepest loop for each policy
    #[arg(long, value_name = "K", value_parser = count, allow_negative_numbers = true)]
    pub(super) depth: Option<usize>,
    /// Bytes that the estimate may hold, such as 64MiB, 1GB or 4096
    #[arg(long, value_name = "BYTES")]
    pub(super) budget: String,
    /// Bytes that it may have on disk besides: states go to a temporary file, see TMPDIR
    #[arg(long, value_name = "BYTES")]
    pub(super) disk: Option<String>,
    #[command(flatten)]
    pub(super) unroll: Given<Loops>,
}

pub(super) fn run<T: Real>(args: &Args, common: &Common) -> Result<(), Failure> {
    let unrolled = unrolled(&args.unroll);
    let disk = args.disk.as_deref().map(|text| bytes("--disk", text));
    let budget = Budget {
        memory: bytes("--budget", &args.budget)?,
        disk: disk.transpose()?.unwrap_or(0),
    };
    let problem = super::problem::<T>(&args.problem, common)?;
    unrolled(1).suits(&problem.bilevel).map_err(input)?;
    out_folder::for_records(common)?;
    let subject = subject(&problem);
    let (records, refused) = match args.depth {
        Some(depth) => {
            let (record, refused) = fastest(&subject, &unrolled(depth), budget).map_err(input)?;
            (vec![record], refused)
        }
        None => {
            let records = deepest(&subject, &unrolled, budget).map_err(input)?;
            let none = records.iter().all(|r| !r.fits);
            let refused = match none {
                true => fastest(&subject, &unrolled(1), budget).map_err(input)?.1,
                false => None,
            };
            (records, refused)
        }
    };
    if refused.is_none() {
        super::say_data(&problem, common);
    }
    let about = About::of(&problem);
    let written = OfProblem::all(&records, &about);
    if common.json {
        written.iter().for_each(|r| say(&line(r)));
    } else if refused.is_none() {
        let disk = match budget.disk {
            0 => String::new(),
            disk => format!(", and of {disk} on disk ({})", human_bytes(disk)),
        };
        say(&format!(
            "{}: {}, a budget of {} bytes ({}){disk}",
            problem.name,
            T::NAME,
            budget.memory,
            human_bytes(budget.memory)
        ));
        say(&table(&records));
    }
    leave(common, "plan.jsonl", &written, None)?;
    match refused {
        Some(reason) => Err(input(reason)),
        None => Ok(()),
    }
}
