//! `bilevel table`.

use autodiff::Real;
use study::columns::{Column, table};
use study::format::dash;

use super::args::{Common, TableArgs};
use super::failure::Failure;
use super::out_folder;
use super::output::{bar, leave, line, plus_minus, say};
use crate::runs::table::{Claimed, Given, Own, Record, Summary, Table, summarise};

pub(super) fn run<T: Real>(args: &TableArgs, common: &Common) -> Result<(), Failure> {
    let seeds = args.seeds as u64;
    let mut given = Given {
        budgets: args.budgets.clone(),
        ..Given::default()
    };
    given.budgets.sort_unstable();
    if let Some(data) = &args.data {
        match args.task {
            Table::MlpCleaning => {
                let sizes = args.split.as_deref().map(three).transpose();
                let sizes = sizes.map_err(Failure::Input)?;
                given.samples = Some(Own::read(data, sizes, args.hidden).map_err(Failure::Input)?);
            }
            _ => given.crops_of(data).map_err(Failure::Input)?,
        }
    }
    out_folder::for_records(common)?;
    let progress = bar(seeds as usize);
    progress.set_message(args.task.name());
    let mut records: Vec<Record> = Vec::new();
    for i in 0..seeds {
        let seed = common.seed.wrapping_add(i);
        let of_seed = args.task.run::<T>(&given, seed).map_err(Failure::Input)?;
        if common.json {
            progress.suspend(|| of_seed.iter().for_each(|r| say(&line(r))));
        }
        records.extend(of_seed);
        progress.inc(1);
    }
    progress.finish_and_clear();
    if !common.json {
        let (names, summaries) = summarise(&records);
        say(&format!(
            "{}: mean ± deviation over the seeds",
            args.task.name()
        ));
        say(&table("", &columns(&names, &summaries), &summaries));
        for Claimed { text, value, holds } in args.task.claims(&records) {
            let mark = if holds { "✓" } else { "✗" };
            say(&format!("{mark} {text}: {value}"));
        }
    }
    leave(common, "table.jsonl", &records, None)?;
    match records.iter().find(|r| !r.success) {
        None => Ok(()),
        Some(r) => Err(Failure::Numerical(format!(
            "{}{}, seed {}: {}",
            r.method,
            within(&r.case),
            r.seed,
            r.message
        ))),
    }
}

/// Samples for training, validation and the test.
fn three(sizes: &[usize]) -> Result<[usize; 3], String> {
    sizes.try_into().map_err(|_| {
        format!(
            "--split: {} numbers: expected three, of training, validation and test samples",
            sizes.len()
        )
    })
}

/// A case after the name of a method.
fn within(case: &str) -> String {
    match case {
        "" => String::new(),
        case => format!(" ({case})"),
    }
}

fn columns<'a>(names: &'a [String], summaries: &[Summary]) -> Vec<Column<'a, Summary>> {
    let mut columns = Vec::new();
    if summaries.iter().any(|s| !s.case.is_empty()) {
        columns.push(Column::words("case", |s: &Summary| s.case.clone()));
    }
    columns.extend([
        Column::words("method", |s: &Summary| s.method.clone()),
        Column::count("seeds", |s: &Summary| s.seeds),
    ]);
    columns.extend(names.iter().enumerate().map(|(i, name)| {
        Column::words(name, move |s: &Summary| {
            s.columns[i].map_or(dash(), plus_minus)
        })
    }));
    columns
}
