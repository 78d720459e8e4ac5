//! `bilevel table`.

use std::path::PathBuf;

use autodiff::Real;
use study::columns::{Column, table};
use study::format::dash;

use super::args::Common;
use super::failure::Failure;
use super::out_folder;
use super::output::{bar, leave, line, plus_minus, say};
use super::values::count;
use crate::runs::table::{Claimed, Given, Own, Record, Summary, Table, summarise};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// The task
    #[arg(long, value_name = "T", value_enum)]
    pub(super) task: Table,
    /// Seeds, from --seed on
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) seeds: usize,
    /// What methods are compared at, separated by commas: of images, iterations on the lower level and
    /// on the linear system of each; of `first-order`, gradients of either level
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "1000,5000,20000",
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) budgets: Vec<usize>,
    /// Of `foe`: a folder of images of your own, of which the middle 96 x 96 pixels are taken; two
    /// thirds are trained on, the others kept apart. Of `mlp-cleaning`: samples of classes in any form
    /// that `solve` reads, half of the training labels made wrong
    #[arg(long, value_name = "PATH")]
    pub(super) data: Option<PathBuf>,
    /// Of `mlp-cleaning` with --data: samples for training, validation and the test [default: a quarter,
    /// a quarter, the rest]
    #[arg(
        long,
        value_name = "N,N,N",
        value_delimiter = ',',
        value_parser = count,
        requires = "data",
        allow_negative_numbers = true
    )]
    pub(super) split: Option<Vec<usize>>,
    /// Of `mlp-cleaning` with --data: units of the hidden layer [default: 300]
    #[arg(
        long,
        value_name = "N",
        value_parser = count,
        requires = "data",
        allow_negative_numbers = true
    )]
    pub(super) hidden: Option<usize>,
}

pub(super) fn run<T: Real>(args: &Args, common: &Common) -> Result<(), Failure> {
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
