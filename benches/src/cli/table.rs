//! `bilevel table`.

use autodiff::Real;

use super::args::{Common, TableArgs};
use super::failure::Failure;
use super::output::{bar, line, plus_minus, prepare, say, table, write_lines};
use crate::study::table::{Record, Summary, summarise};

pub(super) fn run<T: Real>(args: &TableArgs, common: &Common) -> Result<(), Failure> {
    let count = |argument: &str, given: i64| match usize::try_from(given) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(Failure::Input(format!(
            "{argument} {given}: expected at least 1"
        ))),
    };
    let seeds = count("--seeds", args.seeds)? as u64;
    let budgets = args.budgets.iter().map(|b| count("--budgets", *b));
    let mut budgets = budgets.collect::<Result<Vec<usize>, _>>()?;
    budgets.sort_unstable();
    if let Some(dir) = &common.out {
        prepare(dir)?;
    }
    let progress = bar(seeds as usize);
    progress.set_message(args.task.name());
    let mut records: Vec<Record> = Vec::new();
    for i in 0..seeds {
        let seed = common.seed.wrapping_add(i);
        let of_seed = args.task.run::<T>(&budgets, seed).map_err(Failure::Input)?;
        if common.json {
            progress.suspend(|| of_seed.iter().for_each(|r| say(&line(r))));
        }
        records.extend(of_seed);
        progress.inc(1);
    }
    progress.finish_and_clear();
    if !common.json {
        let (columns, summaries) = summarise(&records);
        say(&format!(
            "{}: mean ± deviation over the seeds",
            args.task.name()
        ));
        let head = ["method", "seeds"].into_iter();
        let head: Vec<&str> = head.chain(columns.iter().map(String::as_str)).collect();
        say(&table(
            &head,
            &summaries.iter().map(cells).collect::<Vec<_>>(),
        ));
    }
    if let Some(dir) = &common.out {
        let file = write_lines(dir, "table.jsonl", &records)?;
        eprintln!("wrote {}", file.display());
    }
    match records.iter().find(|r| !r.success) {
        None => Ok(()),
        Some(r) => Err(Failure::Numerical(format!(
            "{}, seed {}: {}",
            r.method, r.seed, r.message
        ))),
    }
}

fn cells(s: &Summary) -> Vec<String> {
    let columns = s.columns.iter();
    let columns = columns.map(|c| c.map_or("–".to_owned(), plus_minus));
    [s.method.clone(), s.seeds.to_string()]
        .into_iter()
        .chain(columns)
        .collect()
}
