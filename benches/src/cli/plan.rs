//! `bilevel plan`.

use autodiff::Real;
use autodiff::bytes::human_bytes;

use super::args::{Common, Plan};
use super::failure::{Failure, input};
use super::memory::{budget, depth, unrolled};
use super::output::{line, prepare, say, table, write_lines};
use crate::study::plan::{Record, deepest, fastest};

pub(super) fn run<T: Real>(args: &Plan, common: &Common) -> Result<(), Failure> {
    let unrolled = unrolled(&args.unroll)?;
    let budget = budget(&args.budget)?;
    let depth = args.depth.map(|d| depth("--depth", d)).transpose()?;
    let problem = super::problem::<T>(&args.problem, common)?;
    if let Some(dir) = &common.out {
        prepare(dir)?;
    }
    let (records, refused) = match depth {
        Some(depth) => {
            let (record, refused) = fastest(&problem, &unrolled(depth), budget);
            (vec![record], refused)
        }
        None => {
            let records = deepest(&problem, &unrolled, budget);
            let none = records.iter().all(|r| !r.fits);
            let refused = none.then(|| fastest(&problem, &unrolled(1), budget).1);
            (records, refused.flatten())
        }
    };
    if refused.is_none() {
        super::say_data(&problem, common);
    }
    if common.json {
        records.iter().for_each(|r| say(&line(r)));
    } else if refused.is_none() {
        let rows: Vec<Vec<String>> = records.iter().map(cells).collect();
        say(&format!(
            "{}: {}, a budget of {budget} bytes ({})",
            problem.name,
            T::NAME,
            human_bytes(budget)
        ));
        say(&table(&COLUMNS, &rows));
    }
    if let Some(dir) = &common.out {
        let file = write_lines(dir, "plan.jsonl", &records)?;
        eprintln!("wrote {}", file.display());
    }
    match refused {
        Some(reason) => Err(input(reason)),
        None => Ok(()),
    }
}

const COLUMNS: [&str; 5] = ["policy", "depth", "peak", "run again", "fits"];

fn cells(r: &Record) -> Vec<String> {
    let bytes = format!("{} ({})", r.predicted_bytes, human_bytes(r.predicted_bytes));
    vec![
        r.policy.clone(),
        r.depth.map_or("any".into(), |d| d.to_string()),
        bytes,
        r.recomputed_steps
            .map_or("grows with depth".into(), |n| n.to_string()),
        if r.fits { "yes" } else { "no" }.into(),
    ]
}
