//! The long campaigns:
//! `cargo run --release -p bilevel-tests -- programs --programs 1000000 --seed 1`.
//!
//! Progress goes to standard error, the summary to standard output. Exit codes: 0 all holds, 1
//! something does not, 2 bad usage or no program.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bilevel_tests::campaign;
use bilevel_tests::kills::Kills;
use bilevel_tests::progress::watched;
use bilevel_tests::runs;
use bilevel_tests::silent;
use solvers::arbitrary::unkind::Family;

/// A campaign, by its name on the command line.
struct Entry {
    name: &'static str,
    /// Each with the name of its value.
    flags: &'static [&'static str],
    about: &'static str,
    /// Runs it, and says whether all holds.
    run: fn(&Flags) -> Result<bool, String>,
}

const CAMPAIGNS: [Entry; 4] = [
    Entry {
        name: "programs",
        flags: &["--programs N", "--seed S", "--program I"],
        about: "Checks every property on N random programs (10000), a quarter as many loops and some
bilevel problems, on all cores (RAYON_NUM_THREADS says how many); the result depends on N and S (1)
alone. --program looks at program I of the campaign with seed S alone.",
        run: programs,
    },
    Entry {
        name: "silent",
        flags: &["--estimates N", "--seed S", "--family F", "--only I"],
        about: "Makes N estimates (10000) of hypergradients at random lower levels with known solutions, on
all cores (RAYON_NUM_THREADS says how many), and judges each: right; told, where a failure or a
warning says that it is not; a false alarm, where one does beside a right estimate; silent, where it
is wrong under a success without a warning. The table depends on N and S (1) alone. It is a failure
where one is silent, where a strategy panics, or where more than 2 % are false alarms.
--family takes lower levels of one family alone, --only shows estimate I of the campaign.",
        run: silent_errors,
    },
    Entry {
        name: "runs",
        flags: &["--runs N", "--seed S", "--only I"],
        about: "Makes N runs (10000) of methods, with lengths of steps from a hundredth to a hundred times the
usual one, at random problems with known solutions, and judges what `bilevel solve` says of the end:
silent, where φ(x) = F(x, y*(x)) is larger than at the start, or is not what was measured, and nothing
is said; a false alarm, where it is said to be larger and is not. The table depends on N and S (1)
alone. It is a failure where one is silent, or a method panics. --only shows run I of the campaign.",
        run: runs_of_methods,
    },
    Entry {
        name: "kills",
        flags: &["--kills N", "--seed S", "--program FILE"],
        about: "Starts `bilevel solve` on ten problems and methods, ends it by SIGKILL at N random moments
(200) and goes on with --resume until each run is over; compares every trace and solution with those
of a run that was left alone. The program is the one beside this one, which `cargo build --release`
builds, or FILE.",
        run: kills,
    },
];

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let Some(campaign) = CAMPAIGNS.iter().find(|c| c.name == name) else {
        if is_help(&name) {
            CAMPAIGNS.iter().for_each(Entry::explain);
            return ExitCode::SUCCESS;
        }
        let names = CAMPAIGNS.map(|c| c.name).join(", ");
        eprintln!("campaign: {name:?}: expected one of {names}, or --help");
        return ExitCode::from(2);
    };
    let started = Instant::now();
    let holds = match Flags::parse(words, campaign.flags) {
        Ok(Some(flags)) => (campaign.run)(&flags),
        Ok(None) => {
            campaign.explain();
            return ExitCode::SUCCESS;
        }
        Err(complaint) => Err(complaint),
    };
    match holds {
        Ok(holds) => {
            println!("seconds     {:.1}", started.elapsed().as_secs_f64());
            ExitCode::from(u8::from(!holds))
        }
        Err(complaint) => {
            eprintln!("{name}: {complaint}");
            ExitCode::from(2)
        }
    }
}

fn is_help(word: &str) -> bool {
    word == "--help" || word == "-h"
}

impl Entry {
    fn explain(&self) {
        let flags: String = self.flags.iter().map(|flag| format!(" [{flag}]")).collect();
        println!("campaign {}{flags}\n\n{}\n", self.name, self.about);
    }
}

fn programs(flags: &Flags) -> Result<bool, String> {
    let seed = flags.number("--seed")?.unwrap_or(1);
    let count = flags.number("--programs")?.unwrap_or(10_000);
    let mut campaign = campaign::Campaign::new(count, seed);
    if let Some(program) = flags.number("--program")? {
        campaign.range = (program, program.saturating_add(1));
    }
    let total = campaign.range.1 - campaign.range.0;
    let summary = watched("programs", total, |done| campaign.run(done));
    print!("{summary}");
    for failure in &summary.failures {
        let program = failure.program;
        println!("again: campaign programs --seed {seed} --program {program}");
    }
    Ok(summary.failures.is_empty())
}

fn silent_errors(flags: &Flags) -> Result<bool, String> {
    let seed = flags.number("--seed")?.unwrap_or(1);
    let count = flags.number("--estimates")?.unwrap_or(10_000);
    let mut campaign = silent::Campaign::new(count, seed);
    if let Some(name) = flags.text("--family") {
        let found = Family::ALL.into_iter().find(|family| family.name() == name);
        campaign.family = Some(found.ok_or_else(|| {
            let names = Family::ALL.map(Family::name).join(", ");
            format!("--family {name:?}: expected one of {names}")
        })?);
    }
    if let Some(number) = flags.number("--only")? {
        let seen = campaign.look(number);
        println!("{seen}\n{}", seen.shown);
        return Ok(true);
    }
    let table = watched("estimates", count, |done| campaign.run(done));
    print!("{table}");
    if !table.holds() {
        println!("again: campaign silent --seed {seed} --only NUMBER");
    }
    Ok(table.holds())
}

fn runs_of_methods(flags: &Flags) -> Result<bool, String> {
    let seed = flags.number("--seed")?.unwrap_or(1);
    let count = flags.number("--runs")?.unwrap_or(10_000);
    if let Some(number) = flags.number("--only")? {
        let seen = runs::look(seed, number);
        println!("{number}: {:?}\n    {}", seen.outcome, seen.line);
        return Ok(true);
    }
    let table = watched("runs", count, |done| runs::run(count, seed, done));
    print!("{table}");
    Ok(table.holds())
}

fn kills(flags: &Flags) -> Result<bool, String> {
    let seed = flags.number("--seed")?.unwrap_or(1);
    let count = flags.number("--kills")?.unwrap_or(200) as usize;
    let program = match flags.text("--program") {
        Some(file) => PathBuf::from(file),
        None => {
            let own = env::current_exe().map_err(|e| e.to_string())?;
            own.with_file_name(format!("bilevel{}", env::consts::EXE_SUFFIX))
        }
    };
    let kills = Kills::new(program, count, seed);
    let summary = kills.run(|made| eprint!("\r{made} of {count} kills "));
    eprintln!();
    let summary = summary.map_err(|reason| format!("{}: {reason}", kills.program.display()))?;
    print!("{summary}");
    Ok(summary.differences.is_empty())
}

/// Flags and the words behind them.
struct Flags(Vec<(String, String)>);

impl Flags {
    /// `None` where help is asked for.
    fn parse(
        mut words: impl Iterator<Item = String>,
        known: &[&str],
    ) -> Result<Option<Self>, String> {
        let mut given = Vec::new();
        while let Some(word) = words.next() {
            if is_help(&word) {
                return Ok(None);
            }
            let is_known = |flag: &&str| flag.split(' ').next() == Some(&word);
            if !known.iter().any(is_known) {
                let known = known.join(", ");
                return Err(format!("{word:?}: expected {known} or --help"));
            }
            given.push((word, words.next().unwrap_or_default()));
        }
        Ok(Some(Flags(given)))
    }

    /// The last word given.
    fn text(&self, flag: &str) -> Option<&str> {
        let last = self.0.iter().rfind(|(name, _)| name == flag)?;
        Some(&last.1)
    }

    fn number(&self, flag: &str) -> Result<Option<u64>, String> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| format!("{flag} {text:?}: expected a number"))
        };
        self.text(flag).map(parse).transpose()
    }
}
