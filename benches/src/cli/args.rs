//! The arguments.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::ArgPredicate;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use models::PROBLEMS;
use models::catalogue::{Data, Entry, names};

use super::checkpoint_every::CheckpointEvery;
use super::given::{Given, Loops, Methods, Strategies};
use super::sweep::{Batch, Shard};
use super::values::{count, seed, threads};
use crate::catalogue::reading::GivenProblem;
use crate::runs::race::Track;
use crate::runs::stability::Toy;
use crate::runs::table::Table;

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
    Compare(Compare),
    /// Bytes and time of each memory policy against depth, predicted and measured
    Memory(Memory),
    /// The fastest memory policy for a depth and a byte budget, or the deepest loop that fits
    Plan(Plan),
    /// Solve a problem by a method, with a trace
    Solve(Box<Solve>),
    /// Every objective, primitive and strategy against other ways to the same derivatives
    Check(CheckArgs),
    /// The stability of the stochastic AID loop: pairs of runs that differ in one validation sample
    Stability(Stability),
    /// Many configurations of `solve`, each with several seeds, from one file
    Sweep(SweepArgs),
    /// Methods over seeds on one problem: φ and its gradient against calls, samples, bytes and time
    Race(RaceArgs),
    /// The page of a folder again, from the numbers that are kept in it
    Report(ReportArgs),
    /// Methods on a task over several seeds: cleaning, networks, few shots, images, the papers' toys
    Table(TableArgs),
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

/// A sweep.
#[derive(Clone, Debug, Args)]
pub(super) struct SweepArgs {
    /// The file: `seeds = [0, 1, 2]`, a table [base] that every run has (problem, method, data,
    /// bias, large, and the settings of `solve`), a table [grid] of lists of which every
    /// combination is run, and tables [[run]] that are one configuration each. Each run has a
    /// folder in --out; the same command goes on after a stop or a kill
    #[arg(value_name = "FILE.toml")]
    pub(super) file: PathBuf,
    /// Processes at one time; as many as cores unless given. Each has --threads, or one
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(super) jobs: Option<usize>,
    /// Bytes that all processes together may hold, such as 2GiB: what does not fit waits, and where
    /// more is held the youngest stops and goes on later
    #[arg(long, value_name = "BYTES")]
    pub(super) memory: Option<String>,
    /// The runs K, K + N, K + 2N, … alone, K from 0 to N − 1: parts may run side by side on several
    /// machines, in any order, and again after a kill. --collect then says what came of all
    #[arg(long, value_name = "K/N", allow_hyphen_values = true)]
    pub(super) shard: Option<Shard>,
    /// Run nothing: the summary and the page of what there is in --out
    #[arg(long, conflicts_with_all = ["shard", "jobs", "memory"])]
    pub(super) collect: bool,
    /// Print a script that makes the sweep in parts, and do nothing else: a job array of SLURM whose
    /// tasks are saved and queued again at their end, or a line of GNU parallel or HyperQueue
    #[arg(long, value_name = "BATCH", value_enum, conflicts_with_all = ["shard", "collect"])]
    pub(super) emit: Option<Batch>,
    /// Parts that the script makes; as many as runs unless given, at most 1000
    #[arg(
        long,
        value_name = "N",
        requires = "emit",
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) shards: Option<usize>,
}

/// A race; with --out the same command goes on with it.
#[derive(Clone, Debug, Args)]
pub(super) struct RaceArgs {
    /// The methods and their settings, in the form of a file of `sweep`, all on one problem
    #[arg(value_name = "FILE.toml", conflicts_with = "track")]
    pub(super) file: Option<PathBuf>,
    /// A race that is at hand
    #[arg(long, value_name = "T", value_enum)]
    pub(super) track: Option<Track>,
    /// Print the file of the race, to make one's own of it, and do nothing else
    #[arg(long, requires = "track")]
    pub(super) show: bool,
    /// A run ends when it has touched all samples of both levels so many times: a gradient or a
    /// Hessian-vector product of a sample is a touch
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) passes: usize,
    /// Records of a run, beside that of its start: for each the lower level is solved, as far as the
    /// precision goes
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) records: usize,
    /// Seeds 0, 1, … in the place of the file's
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(super) seeds: Option<usize>,
}

/// The folder of a page.
#[derive(Clone, Debug, Args)]
pub(super) struct ReportArgs {
    /// Folder that a command with --out left its report.html in; the page goes to --out if given
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
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

#[derive(Clone, Debug, Args)]
pub(super) struct Compare {
    // `--problem` takes several here.
    #[command(flatten)]
    pub(super) problem: ProblemArgs,
    /// Strategies, separated by commas, see `bilevel list`
    #[arg(long, value_name = "S,…", value_delimiter = ',')]
    pub(super) strategy: Vec<String>,
    #[command(flatten)]
    pub(super) settings: Given<Strategies>,
    /// Put the hypergradient itself into the records
    #[arg(long)]
    pub(super) full: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct CheckArgs {
    /// This problem alone, at a small size; all of them and the primitives unless given
    #[arg(long, value_name = "P")]
    pub(super) problem: Option<String>,
}

/// What is unrolled.
#[derive(Clone, Debug, Args)]
pub(super) struct Memory {
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

#[derive(Clone, Debug, Args)]
pub(super) struct Plan {
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

#[derive(Clone, Debug, Args)]
pub(super) struct Solve {
    #[command(flatten)]
    pub(super) problem: ProblemArgs,
    /// The method, see `bilevel list`
    #[arg(long, value_name = "M")]
    pub(super) method: String,
    /// Settings from a TOML file; arguments go before it
    #[arg(long, value_name = "FILE.toml")]
    pub(super) config: Option<PathBuf>,
    /// Print all settings of this problem and method as such a file, and do nothing else
    #[arg(long, conflicts_with = "resume")]
    pub(super) show_config: bool,
    /// Go on with the run in this folder, bit for bit as if it had never stopped (only `seconds`
    /// differ: they add up over the processes). Problem, method, settings, seed, scalar type and
    /// files are the run's; what is given all the same has to agree
    #[arg(long, value_name = "DIR")]
    pub(super) resume: Option<PathBuf>,
    /// How often the run is saved in --out: after so many iterations, or seconds as in `30s`
    /// [default: 1s]. It is saved at the start, at the end and at SIGINT or SIGTERM too
    #[arg(long, value_name = "N|Ns", allow_hyphen_values = true)]
    pub(super) checkpoint_every: Option<CheckpointEvery>,
    #[command(flatten)]
    pub(super) settings: Given<Methods>,
    /// Put the solution x, y into the last record
    #[arg(long)]
    pub(super) full: bool,
    /// Leave out what x is worth at the start and at the end: F and the hypergradient with the lower level
    /// solved there, which takes about as long as two strategies of `compare`
    #[arg(long)]
    pub(super) no_worth: bool,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Stability {
    /// The problem
    #[arg(long, value_name = "P", value_enum, default_value_t = Toy::RidgePrior)]
    pub(super) problem: Toy,
    /// Pairs of runs for each schedule and number of samples, from --seed on
    #[arg(
        long,
        value_name = "N",
        default_value_t = 40,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) seeds: usize,
    /// Numbers of validation samples, separated by commas
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "25,50,100,200",
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) samples: Vec<usize>,
    /// Step lengths of x in step t = 0, 1, …, separated by commas: constant:A, inverse:A for
    /// A/(t + 1), inverse:A:C for A/(t + C), root:A, exponential:A:DECAY,
    /// power:A:Q for A/(t + 1)^Q, power-log:A:Q, cosine:A:PERIOD
    #[arg(
        long,
        value_name = "S,…",
        value_delimiter = ',',
        default_value = "inverse:0.5,constant:0.02,constant:0.1"
    )]
    pub(super) schedule: Vec<String>,
    /// Steps of a run
    #[arg(
        long,
        value_name = "T",
        default_value_t = 300,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) steps: usize,
    /// Steps on the linear system in each of them
    #[arg(
        long,
        value_name = "K",
        default_value_t = 10,
        value_parser = count,
        allow_negative_numbers = true
    )]
    pub(super) inner_steps: usize,
}

#[derive(Clone, Debug, Args)]
pub(super) struct TableArgs {
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
