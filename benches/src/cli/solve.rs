//! `bilevel solve`.

use std::path::{Path, PathBuf};

use autodiff::{Real, ranks};
use models::data::Reading;
use serde_json::{Value, json};
use solvers::catalogue::{Setting, Settings};
use study::solve::{Outcome, Record, Session};

use super::args::{Common, Dtype, ProblemArgs};
use super::checkpoint_every::CheckpointEvery;
use super::failure::{Failure, input};
use super::given::{self, dashed};
use super::keeper::{Keeper, gain_line};
use super::lockstep::{agree, begin};
use super::out_folder;
use super::output::{bar, line, say};
use super::pages;
use super::resume::{Task, from_folder, origin};
use super::say_data;
use super::show_config::{config_text, read_config, settings_section};
use super::signals::Signals;
use crate::catalogue::methods::{self, method};
use crate::catalogue::reading;
use crate::catalogue::settings::{Given, SolveSettings};
use crate::catalogue::subject;
use crate::runs::checkpoint::{Checkpoint, Origin};
use crate::runs::run_folder::RunFolder;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
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
    pub(super) settings: given::Given<given::Methods>,
    /// Put the solution x, y into the last record
    #[arg(long)]
    pub(super) full: bool,
    /// Leave out what x is worth at the start and at the end: F and the hypergradient with the lower level
    /// solved there, which takes about as long as two strategies of `compare`
    #[arg(long)]
    pub(super) no_worth: bool,
}

pub(super) fn run(mut args: Args, common: Common) -> Result<(), Failure> {
    let from_file = match &args.config {
        Some(file) => read_config(file)?,
        None => Given::default(),
    };
    let given = Given {
        problem: args.problem.given,
        settings: args.settings.settings.clone(),
    };
    let given = given.or(from_file.clone());
    args.problem.given = given.problem;
    let task = match &args.resume {
        Some(dir) => match from_folder(dir, &args, &common, given)? {
            Some(task) => task,
            None => return Ok(()),
        },
        None => {
            let settings = SolveSettings {
                problem: given.problem,
                seed: common.seed,
                ..SolveSettings::of(&args.problem.problem, &args.method, given.settings)
            };
            refuse_useless(&args, &from_file.settings, &settings)?;
            Task {
                settings,
                args,
                common,
                from: None,
            }
        }
    };
    match task.common.dtype {
        Dtype::F32 => solve::<f32>(task),
        Dtype::F64 => solve::<f64>(task),
    }
}

/// A setting is of use to the method, or a slip.
fn refuse_useless(args: &Args, from_file: &Settings, all: &SolveSettings) -> Result<(), Failure> {
    let file = args.config.as_deref().unwrap_or(Path::new("")).display();
    let of = |given: &Settings, shown: fn(&Setting) -> String| {
        let method = &args.method;
        methods::refuse_foreign(method, given, shown)
            .and_then(|()| methods::refuse_idle(method, given, &all.method, shown))
    };
    let of_file = of(from_file, |s| s.key.to_owned());
    of(&args.settings.settings, dashed)
        .and(of_file.map_err(|reason| format!("{file}: {reason}")))
        .map_err(Failure::Input)
}

fn solve<T: Real>(task: Task) -> Result<(), Failure> {
    let Task {
        args,
        common,
        settings,
        from,
    } = task;
    let reading = Reading {
        // A batch may be of any rank's samples.
        own_rows: !methods::draws(&args.method, &settings),
        ..args.problem.given.reading()
    };
    let problem = super::problem_of::<T>(&args.problem, reading, &common)?;
    let method = method::<T>(&args.method, &problem, &settings).map_err(Failure::Input)?;
    let dim_y = problem.bilevel.dim_y();
    let room = method.room(dim_y);
    room.check(&args.method, dim_y, super::memory())
        .map_err(Failure::Input)?;
    // Bad settings are found before the output folder is touched.
    let subject = subject(&problem);
    let mut session = Session::begin(&subject, &args.method, &*method).map_err(input)?;
    if args.show_config {
        let text = config_text(&args.problem.problem, &args.method, &settings);
        say(text.trim_end());
        return Ok(());
    }
    if common.out.is_none() && args.checkpoint_every.is_some() {
        let reason = "--checkpoint-every: nothing is saved without a folder: expected --out DIR";
        return Err(Failure::Input(reason.into()));
    }

    let origin = origin(&args, &common, &settings)?;
    let read = problem.read.as_ref().map(reading::record);
    let header = header(&args, &origin, read.as_ref(), subject.percent());
    begin(&header);
    let mut records = Vec::new();
    let mut keeper = None;
    // Of several ranks the first has the folder.
    let first = ranks::rank() == 0;
    if let Some((folder, checkpoint)) = from {
        session
            .restore(checkpoint.so_far.clone(), &checkpoint.state)
            .map_err(|e| {
                let dir = common.out.as_deref().unwrap_or(Path::new(""));
                Failure::Input(format!("{}: {e}", dir.display()))
            })?;
        if let Some(folder) = folder {
            let (kept, read) = go_on(folder, checkpoint, origin, &args, &settings, &session)?;
            (keeper, records) = (Some(kept), read);
        }
    } else if let (Some(dir), true) = (&common.out, first) {
        let folder = out_folder::for_a_run(dir, &common)?;
        let trace = folder.new_trace(&line(&header)).map_err(input)?;
        let mut new = Keeper::new(folder, trace, origin, args.checkpoint_every, &session);
        new.save(&mut session)?;
        keeper = Some(new);
    }
    say_data(&problem, &common);
    if common.json {
        say(&line(&header));
    }
    let every = settings.method.report_every();
    iterate(&mut session, &mut keeper, &mut records, every, &common)?;

    let gain = (!args.no_worth).then(|| session.gain()).flatten();
    let outcome = session.outcome(records, gain);
    if let (true, Some(text)) = (common.json, gain_line(&outcome)) {
        say(&text);
    }
    if common.json && args.full {
        let (x, y) = (&outcome.x, &outcome.y);
        say(&line(&json!({ "solution": { "x": x, "y": y } })));
    }
    if !common.json {
        say(&outcome);
    }
    // Of a run that failed this is no news.
    let gain = outcome.gain.as_ref();
    let gain = gain.filter(|_| outcome.so_far.failure.is_none());
    let risen = gain.and_then(|g| g.warning(T::EPSILON));
    let warnings = outcome.so_far.warnings.iter().chain(&risen);
    for warning in warnings.filter(|_| first) {
        eprintln!("warning: {warning}");
    }
    if let Some(mut keeper) = keeper {
        keeper.complete(&mut session, &outcome, || {
            let title = format!("{} by {}", problem.name, args.method);
            let embedded = args.problem.data.is_none();
            let page = pages::page(title, &common, embedded);
            pages::data(page, &problem)
                .solve(std::slice::from_ref(&outcome))
                .section(settings_section(&args.method, &settings))
        })?;
    }
    ended(&outcome)
}

/// A run's folder where it goes on, with the records that it has.
fn go_on<T: Real>(
    folder: RunFolder,
    checkpoint: Checkpoint,
    origin: Origin,
    args: &Args,
    settings: &SolveSettings,
    session: &Session<'_, T>,
) -> Result<(Keeper, Vec<Record>), Failure> {
    let so_far = folder.trace_so_far(checkpoint.trace).map_err(input)?;
    let read = |line: &str| serde_json::from_str(line).ok();
    let records = so_far.records().filter_map(read).collect();
    if checkpoint.finished.is_some() {
        // Before its last record is cut off, the run is no longer over.
        let longer = Checkpoint {
            origin: origin.clone(),
            finished: None,
            ..checkpoint
        };
        folder.write_checkpoint(&longer).map_err(input)?;
    }
    let trace = folder.resume_trace(&so_far, settings.method.iterations());
    let trace = trace.map_err(input)?;
    Ok((
        Keeper::new(folder, trace, origin, args.checkpoint_every, session),
        records,
    ))
}

/// Makes iterations until there are no more, or a signal says to stop.
fn iterate<T: Real>(
    session: &mut Session<'_, T>,
    keeper: &mut Option<Keeper>,
    records: &mut Vec<Record>,
    report_every: usize,
    common: &Common,
) -> Result<(), Failure> {
    // Without a folder nothing could be saved, and a signal does what it does to any program.
    let catch = |_| Signals::catch().map_err(input);
    let signals = common.out.as_ref().map(catch).transpose()?;
    let mut holds = false;
    let progress = bar(1);
    progress.set_message(session.name().to_owned());
    progress.set_length(session.iterations() as u64);
    progress.set_position(session.so_far().iteration as u64);
    // What is left is reckoned by the pace of this process.
    progress.reset_eta();
    loop {
        if common.out.is_some() && !holds && session.is_near_its_end(report_every) {
            // The checkpoint before the last record stays.
            keeper
                .as_mut()
                .map_or(Ok(()), |keeper| keeper.hold(session))?;
            holds = true;
        }
        let Some(record) = session.step() else { break };
        progress.set_length(session.iterations() as u64);
        progress.set_position(record.iteration as u64);
        let text = line(&record);
        if common.json {
            progress.suspend(|| say(&text));
        }
        records.push(record);
        if let Some(keeper) = keeper {
            keeper.keep(session, &text)?;
        }
        let caught = signals.as_ref().and_then(Signals::caught);
        // Where it holds there is but the page to write.
        if let Some((signal, name)) = agree(session, caught)
            && !holds
        {
            keeper
                .as_mut()
                .map_or(Ok(()), |keeper| keeper.save(session))?;
            progress.finish_and_clear();
            let (made, all) = (session.so_far().iteration, session.iterations());
            let dir = common.out.as_deref().unwrap_or(Path::new("")).display();
            return Err(Failure::Stopped {
                signal,
                text: format!(
                    "stopped by {name} after iteration {made} of {all}: go on with \
                     `bilevel solve --resume {dir}`"
                ),
            });
        }
    }
    progress.finish_and_clear();
    Ok(())
}

/// The exit code of a run that is over.
fn ended(outcome: &Outcome) -> Result<(), Failure> {
    match &outcome.so_far.failure {
        None => Ok(()),
        Some(failure) => Err(Failure::Numerical(failure.clone())),
    }
}

fn header(args: &Args, origin: &Origin, read: Option<&Value>, percent: &[String]) -> Value {
    let files = [&args.problem.data, &args.problem.point].map(|file| file.as_deref());
    origin.header(files, read, percent, rayon::current_num_threads())
}
