//! `bilevel race`.

use std::path::PathBuf;

use autodiff::Real;
use clap::ValueEnum;
use models::Task;
use solvers::Method;
use solvers::catalogue::Family;
use study::race::{self, Course, Run};

use super::args::{Common, ProblemArgs};
use super::failure::{Failure, input};
use super::out_folder;
use super::output::{bar, leave, line, say};
use super::values::count;
use super::{pages, resume};
use crate::catalogue::methods::{find, method};
use crate::catalogue::subject;
use crate::runs::race::{Entrant, Kept, KeptError, Origin, Race, Track};

/// A race; with --out the same command goes on with it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
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

pub(super) fn run<T: Real>(args: &Args, common: &Common) -> Result<(), Failure> {
    let (name, text) = match (&args.file, args.track) {
        (Some(file), _) => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|e| Failure::Input(format!("{name}: cannot be read: {e}")))?;
            (name, text)
        }
        (None, Some(track)) => (format!("{track:?}").to_lowercase(), track.text().to_owned()),
        (None, None) => {
            let tracks = Track::value_variants().iter();
            let tracks = tracks.map(|track| format!("{track:?}").to_lowercase());
            return Err(Failure::Input(format!(
                "race: expected FILE.toml, or --track with one of {} (see bilevel race --help)",
                tracks.collect::<Vec<_>>().join(", ")
            )));
        }
    };
    if args.show {
        say(text.trim_end());
        return Ok(());
    }
    let mut race = Race::parse(&text).map_err(|e| Failure::Input(format!("{name}: {e}")))?;
    if let Some(seeds) = args.seeds {
        race.seeds = (0..seeds as u64).collect();
    }
    let mut kept = kept(&race, args, common)?;
    // Settings that do not fit are found before the first run.
    let first = race.seeds[0];
    let of_first = task::<T>(&race, first, common)?;
    super::say_data(&of_first, common);
    for entrant in &race.entrants {
        let made = made(entrant, &of_first, first, (1, 1)).map_err(Failure::Input)?;
        let begun = made.begin(&of_first.bilevel, of_first.x.clone());
        begun.map_err(input)?;
    }
    let mut task_of = Some(of_first);
    let mut runs = Vec::new();
    let progress = bar(race.seeds.len() * race.entrants.len());
    for seed in &race.seeds {
        for entrant in &race.entrants {
            progress.set_message(entrant.name.clone());
            let over = kept.as_ref().and_then(|k| k.run(&entrant.name, *seed));
            let run = match over.cloned() {
                Some(run) => run,
                None => {
                    let task = match task_of.take() {
                        Some(task) => task,
                        None => task(&race, *seed, common)?,
                    };
                    let run = raced(entrant, task_of.insert(task), *seed, args)?;
                    let keep = kept.as_mut().map_or(Ok(()), |k| k.keep(&run));
                    keep.map_err(input)?;
                    run
                }
            };
            if common.json {
                progress.suspend(|| run.records.iter().for_each(|r| say(&line(r))));
            }
            runs.push(run);
            progress.inc(1);
        }
        // The next seed has data of its own.
        task_of = None;
    }
    progress.finish_and_clear();
    if !common.json {
        let seeds = match race.seeds.len() {
            1 => "one seed".to_owned(),
            n => format!("medians over {n} seeds, in brackets the least and the largest value"),
        };
        say(&format!("{}: {seeds}", race.entrants[0].of.problem));
        say(&race::table(&runs));
    }
    let mut warnings: Vec<String> = Vec::new();
    for run in &runs {
        let of_run = run.warnings.iter().map(|w| format!("{}: {w}", run.method));
        solvers::keep_warnings(&mut warnings, &of_run.collect::<Vec<_>>());
    }
    warnings.iter().for_each(|w| eprintln!("warning: {w}"));
    let records: Vec<_> = runs.iter().flat_map(|r| &r.records).collect();
    let page = || {
        let of = &race.entrants[0].of;
        let title = format!("A race on {}", of.problem);
        let seeds: Vec<String> = race.seeds.iter().map(u64::to_string).collect();
        let mut page = pages::page(title, common, of.data.is_none());
        page.subtitle = format!("{}, seeds {}", common.dtype.name(), seeds.join(", "));
        page.fact("Problem", of.problem.clone())
            .fact("File", name.clone())
            .fact("Length", format!("{} passes over the samples", args.passes))
            .race(&runs)
    };
    leave(common, "race.jsonl", &records, Some(&page))?;
    let failed: Vec<&Run> = runs.iter().filter(|r| r.failure.is_some()).collect();
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(Failure::Numerical(format!(
            "{} of {} runs reported a failure, the first of them {}, seed {}: {}",
            failed.len(),
            runs.len(),
            first.method,
            first.seed,
            first.failure.as_deref().unwrap_or_default()
        ))),
    }
}

/// The folder of the race, if one was asked for, with the runs that are over.
fn kept(race: &Race, args: &Args, common: &Common) -> Result<Option<Kept>, Failure> {
    let Some(dir) = &common.out else {
        return Ok(None);
    };
    let data = resume::mark("data", race.entrants[0].of.data.as_deref(), common)?;
    let data = data.map_or("none".to_owned(), |mark| {
        format!("of {} bytes and CRC-32 {:08x}", mark.bytes, mark.crc32)
    });
    let mut origin: Origin = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("dtype", common.dtype.name().to_owned()),
        ("passes", args.passes.to_string()),
        ("records", args.records.to_string()),
        ("data", data),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    origin.extend(race.origin());
    let folder = out_folder::for_a_race(dir, common)?;
    let kept = Kept::open(folder, &origin, common.force).map_err(|e| match e {
        other @ KeptError::Other { .. } => Failure::Input(format!("--out {other}")),
        e => input(e),
    })?;
    if !kept.is_empty() {
        let (over, all) = (kept.len(), race.seeds.len() * race.entrants.len());
        eprintln!(
            "{}: {over} of {all} runs are over: the race goes on",
            dir.display()
        );
    }
    Ok(Some(kept))
}

/// The problem of the race with the data of a seed.
fn task<T: Real>(race: &Race, seed: u64, common: &Common) -> Result<Task<T>, Failure> {
    let Entrant { of, given, .. } = &race.entrants[0];
    let args = ProblemArgs {
        problem: of.problem.clone(),
        data: of.data.clone(),
        given: given.problem,
        point: None,
        bias: of.bias,
        large: of.large,
    };
    let common = Common {
        seed,
        ..common.clone()
    };
    super::problem(&args, &common)
}

/// The method of an entrant, of so many iterations, reported every so many.
fn made<T: Real>(
    entrant: &Entrant,
    task: &Task<T>,
    seed: u64,
    (iterations, every): (usize, usize),
) -> Result<std::sync::Arc<dyn Method<T>>, String> {
    method(
        &entrant.of.method,
        task,
        &entrant.settings(seed, iterations, every),
    )
}

fn raced<T: Real>(
    entrant: &Entrant,
    task: &Task<T>,
    seed: u64,
    args: &Args,
) -> Result<Run, Failure> {
    let (upper, lower) = task.bilevel.samples();
    let course = Course {
        samples: args.passes.saturating_mul(upper + lower),
        records: args.records,
    };
    let subject = subject(task);
    // No iteration touches less than a sample.
    let most = course.samples;
    let make = |every| made(entrant, task, seed, (most, every)).expect("settings that were tried");
    // What takes one hypergradient an iteration is reported at each.
    let small = find(&entrant.of.method).is_some_and(|e| e.family == Family::SmallSteps);
    let every = match small {
        true => race::report_every(&subject, &make, course).map_err(input)?,
        false => 1,
    };
    race::run(&subject, &entrant.name, &*make(every), seed, course).map_err(input)
}
