//! Arguments that change nothing where they stand: each is refused, with what it needs.
//!
//! Settings are looked at where strategies and methods are made of them, and how data are read where
//! a problem is.

use clap::ValueEnum;

use super::args::{Command, Common};
use super::failure::Failure;
use crate::runs::table::Table;

/// Of the arguments that every command has, those that this one has a use for.
fn taken(command: &Command) -> &'static [&'static str] {
    match command {
        Command::List => &["json"],
        Command::Report(_) => &["out", "force", "json"],
        Command::Race(race) if race.show => &[],
        // Seeds stand in the file.
        Command::Race(_) | Command::Sweep(_) => &["threads", "dtype", "out", "force", "json"],
        _ => &["seed", "threads", "dtype", "out", "force", "json"],
    }
}

/// Refuses an argument that changes nothing.
pub(super) fn refuse(command: &Command, common: &Common) -> Result<(), Failure> {
    match complaint(command, common) {
        Some(complaint) => Err(Failure::Input(complaint)),
        None => Ok(()),
    }
}

fn complaint(command: &Command, common: &Common) -> Option<String> {
    let given = |flag: &str| common.given.iter().any(|given| given == flag);
    let taken = taken(command);
    let foreign = ["seed", "threads", "dtype", "out", "force", "json"];
    let foreign = foreign.iter().find(|f| given(f) && !taken.contains(f));
    if let Some(flag) = foreign {
        let taken: Vec<String> = taken.iter().map(|flag| format!("--{flag}")).collect();
        let expected = match &taken[..] {
            [] => "none".to_owned(),
            taken => format!("none, or {}", taken.join(", ")),
        };
        return Some(format!(
            "--{flag}: without effect here: expected {expected}"
        ));
    }
    let resumes = matches!(command, Command::Solve(solve) if solve.resume.is_some());
    let writes = resumes || matches!(command, Command::Demo) || common.out.is_some();
    if common.force && !writes {
        return Some("--force: nothing is written without a folder: expected --out DIR".into());
    }
    match command {
        Command::Solve(solve) if solve.show_config => {
            let others = ["out", "json", "full", "checkpoint_every"];
            let other = others.into_iter().find(|flag| given(flag))?;
            Some(format!(
                "--{}: without effect beside --show-config: expected one of the two",
                other.replace('_', "-")
            ))
        }
        Command::Solve(solve) if solve.full && !common.json => Some(
            "--full: without effect: expected with --json; the trace in --out ends with x and y \
             in any case"
                .into(),
        ),
        Command::Compare(args) if args.full && !common.json && common.out.is_none() => {
            Some("--full: without effect: expected with --json or --out DIR".into())
        }
        Command::Sweep(sweep) if sweep.shard.is_some() && common.json => Some(
            "--json: a part has no summary: expected without --shard, or with --collect".into(),
        ),
        Command::Sweep(sweep) if (sweep.collect || sweep.emit.is_some()) && common.force => {
            Some("--force: nothing is run: expected without --collect and --emit".into())
        }
        Command::Sweep(sweep) if sweep.emit.is_some() && common.json => {
            Some("--json: without effect beside --emit: expected one of the two".into())
        }
        Command::Table(args) if given("budgets") && !args.task.has_budgets() => {
            Some(of_tables("budgets", Table::has_budgets))
        }
        Command::Table(args) if given("data") && !args.task.takes_data() => {
            Some(of_tables("data", Table::takes_data))
        }
        Command::Table(args) if given("split") && !args.task.splits_data() => {
            Some(of_tables("split", Table::splits_data))
        }
        Command::Table(args) if given("hidden") && !args.task.splits_data() => {
            Some(of_tables("hidden", Table::splits_data))
        }
        _ => None,
    }
}

/// That a flag needs one of the tables with a use for it.
fn of_tables(flag: &str, with: fn(Table) -> bool) -> String {
    let tables = Table::value_variants().iter().filter(|table| with(**table));
    let names: Vec<&str> = tables.map(|table| table.name()).collect();
    format!(
        "--{flag}: without effect: expected with --task {}",
        names.join(" or ")
    )
}
