//! `bilevel plan`.

use autodiff::Real;
use autodiff::bytes::human_bytes;
use study::plan::{Record, deepest, fastest};

use super::args::{Common, Plan};
use super::columns::{Column, terminal};
use super::failure::{Failure, input};
use super::loops::{budget, unrolled};
use super::out_folder;
use super::output::{OfData, count, leave, line, say};
use crate::catalogue::{reading, subject};

pub(super) fn run<T: Real>(args: &Plan, common: &Common) -> Result<(), Failure> {
    let unrolled = unrolled(&args.unroll);
    let budget = budget(&args.budget)?;
    let depth = args.depth.map(|d| count("--depth", d)).transpose()?;
    let problem = super::problem::<T>(&args.problem, common)?;
    out_folder::for_records(common)?;
    let subject = subject(&problem);
    let (records, refused) = match depth {
        Some(depth) => {
            let (record, refused) = fastest(&subject, &unrolled(depth), budget);
            (vec![record], refused)
        }
        None => {
            let records = deepest(&subject, &unrolled, budget);
            let none = records.iter().all(|r| !r.fits);
            let refused = none.then(|| fastest(&subject, &unrolled(1), budget).1);
            (records, refused.flatten())
        }
    };
    if refused.is_none() {
        super::say_data(&problem, common);
    }
    let read = problem.read.as_ref().map(reading::record);
    let written = OfData::all(&records, read.as_ref());
    if common.json {
        written.iter().for_each(|r| say(&line(r)));
    } else if refused.is_none() {
        say(&format!(
            "{}: {}, a budget of {budget} bytes ({})",
            problem.name,
            T::NAME,
            human_bytes(budget)
        ));
        say(&terminal(&columns(), &records));
    }
    leave(common, "plan.jsonl", &written, None)?;
    match refused {
        Some(reason) => Err(input(reason)),
        None => Ok(()),
    }
}

fn columns() -> [Column<'static, Record>; 5] {
    let bytes = |b: usize| format!("{b} ({})", human_bytes(b));
    let again = |n: Option<usize>| n.map_or("grows with depth".into(), |n| n.to_string());
    [
        Column::words("policy", |r: &Record| r.policy.clone()),
        Column::words("depth", |r: &Record| {
            r.depth.map_or("any".into(), |d| d.to_string())
        }),
        Column::words("peak", move |r: &Record| bytes(r.predicted_bytes)),
        Column::words("run again", move |r: &Record| again(r.recomputed_steps)),
        Column::words("fits", |r: &Record| {
            if r.fits { "yes" } else { "no" }.into()
        }),
    ]
}
