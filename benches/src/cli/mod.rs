//! The command line.
//!
//! Exit codes: 0 done, 1 a numerical failure that was reported, 2 bad usage or bad input; 128 and
//! the number of the signal that stopped a run.

mod args;
mod check;
mod checkpoint_every;
mod compare;
mod demo;
mod demo_page;
mod failure;
mod given;
mod keeper;
mod launcher;
mod list;
mod lockstep;
mod loops;
mod memory;
mod out_folder;
mod output;
mod pages;
mod plan;
mod processes;
mod race;
mod report;
mod resume;
mod show_config;
mod signals;
mod solve;
mod stability;
mod sweep;
mod table;
mod usage;
mod useless;
mod values;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;

use args::{Cli, Command, Common, Dtype, ProblemArgs};
use autodiff::{Real, ranks};
use failure::{Failure, input};
use models::Task;
use models::catalogue::{Source, named};
use models::data;
use models::data::{DataError, ReadData, Reading};

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let itself = std::env::current_exe().map(|file| vec![file.into_os_string()]);
    ExitCode::from(called(std::env::args_os(), itself.unwrap_or_default()))
}

/// Runs the program on arguments, of which the first is its own name; its exit code. A sweep starts
/// `itself`, a command with its first arguments, for each run.
///
/// Of several [ranks] the first speaks; what one of them alone meets ends all.
pub fn called(arguments: impl IntoIterator<Item = OsString>, itself: Vec<OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut cli = match Cli::read(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refused(&error, &arguments),
    };
    cli.common.itself = itself;
    match run(cli) {
        Ok(()) => 0,
        Err(failure) => {
            let text = failure.to_string();
            match failure {
                Failure::Input(_) if ranks::size() > 1 => ranks::fail(2, &escaped(&text)),
                _ if ranks::rank() == 0 => complain(&text),
                _ => {}
            }
            failure.code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let common = cli.common;
    let command = cli.command.unwrap_or(Command::Demo);
    launcher::refuse(&command)?;
    useless::refuse(&command, &common)?;
    if let Some(threads) = common.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|e| Failure::Input(format!("--threads {threads}: {e}")))?;
    }
    /// A command's `run` in the precision that was asked for.
    macro_rules! at_precision {
        ($command:ident($($args:expr),*)) => {
            match common.dtype {
                Dtype::F32 => $command::run::<f32>($($args,)* &common),
                Dtype::F64 => $command::run::<f64>($($args,)* &common),
            }
        };
    }
    match command {
        Command::Demo => at_precision!(demo()),
        Command::Compare(args) => at_precision!(compare(&args)),
        Command::Check(args) => at_precision!(check(&args)),
        Command::Memory(args) => at_precision!(memory(&args)),
        Command::Plan(args) => at_precision!(plan(&args)),
        Command::Solve(args) => solve::run(*args, common),
        Command::Stability(args) => at_precision!(stability(&args)),
        Command::Sweep(args) => sweep::run(&args, &common),
        Command::Race(args) => at_precision!(race(&args)),
        Command::Report(args) => report::run(&args, &common),
        Command::Table(args) => at_precision!(table(&args)),
        Command::List => list::run(&common),
    }
}

/// Help and versions as they are; a usage error as one line.
fn refused(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let silent = ranks::rank() > 0;
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        if !silent {
            let _ = error.print();
        }
        return 0;
    }
    if !silent {
        complain(&usage::line(error, &Cli::program(), arguments));
    }
    2
}

/// One line on standard error, whatever is in the names it quotes.
fn complain(text: &str) {
    eprintln!("bilevel: {}", escaped(text));
}

/// Text as one line.
fn escaped(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Says which part the problem was given, and how the user's data was read: before the results, or beside JSON Lines on standard error.
fn say_data<T: Real>(problem: &Task<T>, common: &Common) {
    if ranks::rank() > 0 {
        return;
    }
    let say = |text: &str| match common.json {
        true => eprintln!("{}", escaped(text)),
        false => output::say(&escaped(text)),
    };
    if let Some(part) = problem.part {
        say(&format!("beside g: {part}"));
    }
    let Some(read) = &problem.read else { return };
    let mut text = read.to_string();
    if ranks::size() > 1 {
        let own = matches!(read, ReadData::Table(about) if about.own_rows);
        let rows = if own { "its own rows" } else { "all samples" };
        text += &format!("; each of {} ranks holds {rows}", ranks::size());
    }
    say(&text);
}

/// The bytes of memory that this machine has, where that can be told.
pub fn memory() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|l| l.strip_prefix("MemTotal:"));
    let kib = total.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.map_or(isize::MAX as usize, |kib| kib.saturating_mul(1024))
}

/// The problem that the arguments name, at the point they give.
fn problem<T: Real>(args: &ProblemArgs, common: &Common) -> Result<Task<T>, Failure> {
    problem_of(args, args.given.reading(), common)
}

/// The same of data that is read so.
fn problem_of<T: Real>(
    args: &ProblemArgs,
    reading: Reading,
    common: &Common,
) -> Result<Task<T>, Failure> {
    let source = Source {
        data: args.data.clone(),
        reading,
        seed: common.seed,
        bias: args.bias,
        large: args.large,
        part: args.given.part.map(|part| part.0),
    };
    let problem = named(&args.problem).and_then(|entry| entry.task(&source));
    let problem = problem.map_err(input)?;
    match &args.point {
        Some(file) => {
            let point = no_folder(file).and_then(|()| data::read_point(file));
            let point = point.map_err(input)?;
            problem
                .at(&point, &file.display().to_string())
                .map_err(input)
        }
        None => Ok(problem),
    }
}

/// A folder opens as a file does, and fails on reading for reasons of its own.
fn no_folder(file: &Path) -> Result<(), DataError> {
    if !file.is_dir() {
        return Ok(());
    }
    Err(DataError::Unreadable {
        file: file.display().to_string(),
        reason: io::Error::other("it is a directory, expected a file"),
    })
}
