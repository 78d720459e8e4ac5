//! The commands, and the arguments that several have; those of one command stand in its file.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ArgPredicate;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use models::PROBLEMS;
use models::catalogue::{Data, Entry, names};

use super::values::{seed, threads};
use super::{check, compare, memory, plan, race, report, solve, stability, sweep, table};
use crate::catalogue::reading::GivenProblem;

/// Which way of differentiating a bilevel problem is right, how exact it is, and what it costs in
/// time and bytes.
#[derive(Debug, Parser)]
#[command(name = "bilevel", version, propagate_version = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    /// `demo` if absent.
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

impl Cli {
    /// The program and its commands, with all that they take.
    pub(super) fn program() -> clap::Command {
        let mut program = Self::command().mut_subcommand("solve", |solve| {
            // The problem of a run that goes on is the run's.
            let problem = |arg: clap::Arg| {
                arg.required(false)
                    .required_unless_present("resume")
                    .default_value_if("resume", ArgPredicate::IsPresent, "")
            };
            let solve = solve.mut_arg("problem", problem).mut_arg("method", problem);
            solve.override_usage(USAGE).after_help(EXIT_CODES)
        });
        program.build();
        program
    }

    /// Reads the process's arguments.
    ///
    /// # Errors
    /// If they are no usage of the program, or ask for help.
    pub(super) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let matches = Self::program().try_get_matches_from(arguments)?;
        let mut cli = Cli::from_arg_matches(&matches)?;
        let of_command = matches.subcommand().map_or(&matches, |(_, of)| of);
        let given = |id: &&str| of_command.value_source(id) == Some(ValueSource::CommandLine);
        let ids = of_command.ids().map(|id| id.as_str());
        cli.common.given = ids.filter(given).map(str::to_owned).collect();
        Ok(cli)
    }
}

/// How `solve` is called.
const USAGE: &str = "bilevel solve --problem <P> --method <M> [OPTIONS]
       bilevel solve --resume <DIR> [OPTIONS]";

/// How `solve` ends.
const EXIT_CODES: &str = "Exit codes: 0 done (also where --resume finds a finished run), 1 an \
iteration failed, 2 bad usage, bad input, or a file that could not be written, 130 and 143 stopped \
by SIGINT and SIGTERM after the iteration under way, to be continued with --resume (a second \
signal stops at once).";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The main job on embedded data: strategies compared, four families solved, report.html
    Demo,
    /// The hypergradient of each strategy at one point against the exact one
    Compare(compare::Args),
    /// Bytes and time of each memory policy against depth, predicted and measured
    Memory(memory::Args),
    /// The fastest memory policy for a depth and a byte budget, or the deepest loop that fits
    Plan(plan::Args),
    /// Solve a problem by a method, with a trace
    Solve(Box<solve::Args>),
    /// Every objective, primitive and strategy against other ways to the same derivatives
    Check(check::Args),
    /// The stability of the stochastic AID loop: pairs of runs that differ in one validation sample
    Stability(stability::Args),
    /// Many configurations of `solve`, each with several seeds, from one file
    Sweep(sweep::Args),
    /// Methods over seeds on one problem: φ and its gradient against calls, samples, bytes and time
    Race(race::Args),
    /// The page of a folder again, from the numbers that are kept in it
    Report(report::Args),
    /// Methods on a task over several seeds: cleaning, networks, few shots, images, the papers' toys
    Table(table::Args),
    /// Problems, strategies and methods by name
    List,
}

/// What every subcommand takes.
#[derive(Clone, Debug, Args)]
pub(super) struct Common {
    /// Seed of splits, corruptions and random problems
    #[arg(
        long,
        global = true,
        default_value_t = 0,
        value_parser = seed,
        allow_negative_numbers = true
    )]
    pub(super) seed: u64,
    /// Threads; all cores unless given. The results do not depend on it
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = threads,
        allow_negative_numbers = true
    )]
    pub(super) threads: Option<usize>,
    /// Scalar type
    #[arg(long, global = true, value_enum, default_value_t = Dtype::F64)]
    pub(super) dtype: Dtype,
    /// Folder for records and report.html (demo: the current one; else nothing is written)
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Write into --out though it holds a run, a sweep or a race: what has the same names is lost, and
    /// a sweep or a race begins anew
    #[arg(long, global = true)]
    pub(super) force: bool,
    /// JSON Lines on standard output, nothing else there
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Which arguments were given, also of those that have defaults.
    #[arg(skip)]
    pub(super) given: Vec<String>,
    /// The command that starts the program, with its first arguments.
    #[arg(skip)]
    pub(super) itself: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Dtype {
    F32,
    F64,
}

impl Dtype {
    pub(super) fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
        }
    }
}

/// The problems with a property, in a sentence.
fn listed(with: fn(&Entry) -> bool) -> String {
    let quoted: Vec<String> = names(with).iter().map(|n| format!("`{n}`")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

/// What `--data` takes, and which problems take it.
fn data_help() -> String {
    let mut kinds: Vec<Data> = Vec::new();
    for entry in PROBLEMS {
        if entry.data != Data::Own && !kinds.contains(&entry.data) {
            kinds.push(entry.data);
        }
    }
    let takers = kinds.iter().map(|kind| {
        let of_kind = names(|entry| entry.data == *kind);
        format!("{kind}: {}", of_kind.join(", "))
    });
    format!(
        "Data of your own. {}. A table is an .npz with x_train [n,d], t_train [n], x_valid, t_valid \
         and perhaps x_test, t_test; rows of numbers (.csv) with the label last; .libsvm; either of \
         them by any name, perhaps packed by gzip, bzip2 or xz; `FEATURES,LABELS`, two .npy or IDX \
         files; a folder with the four files of MNIST. Images are .png or .jpg",
        Vec::from_iter(takers).join("; ")
    )
}

/// Which problem, and its data.
#[derive(Clone, Debug, Args)]
pub(super) struct ProblemArgs {
    /// The problem, see `bilevel list`
    #[arg(long, value_name = "P")]
    pub(super) problem: String,
    #[arg(long, value_name = "FILE", help = data_help())]
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) given: GivenProblem,
    /// Point: .npz with x, and perhaps y for the lower level's start
    #[arg(long, value_name = "FILE")]
    pub(super) point: Option<PathBuf>,
    #[arg(long, help = format!("Give {} a bias for each class", listed(|e| e.bias)))]
    pub(super) bias: bool,
    #[arg(long, help = format!("Take the larger setting of {}", listed(|e| e.large)))]
    pub(super) large: bool,
}
