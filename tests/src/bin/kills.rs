//! The campaign of runs that are killed and go on:
//! `cargo run --release -p bilevel-tests --bin kills -- --kills 200 --seed 1`.
//!
//! Progress goes to standard error, the summary to standard output. Exit codes: 0 every run ended as
//! the one that was left alone, 1 one did not, 2 bad usage or no program.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bilevel_tests::kills::Kills;

const USAGE: &str = "kills [--kills N] [--seed S] [--program FILE]

Starts `bilevel solve` on ten problems and methods, ends it by SIGKILL at N random moments (200) and
goes on with --resume until each run is over; compares every trace and solution with those of a run
that was left alone. The program is the one this was built with, or FILE.";

fn main() -> ExitCode {
    // The program that is killed is this one again.
    if std::env::args().nth(1).as_deref() == Some("solve") {
        return bilevel_benches::cli::main();
    }
    let kills = match parse(std::env::args().skip(1)) {
        Ok(Some(kills)) => kills,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("kills: {complaint}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let summary = kills.run(|made| eprint!("\r{made} of {} kills ", kills.kills));
    eprintln!();
    match summary {
        Err(reason) => {
            eprintln!("kills: {}: {reason}", kills.program.display());
            ExitCode::from(2)
        }
        Ok(summary) => {
            print!("{summary}");
            println!("seconds     {:.1}", started.elapsed().as_secs_f64());
            ExitCode::from(u8::from(!summary.differences.is_empty()))
        }
    }
}

/// The campaign asked for; `None` for help.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Kills>, String> {
    let (mut count, mut seed, mut program) = (200, 1, None);
    while let Some(word) = words.next() {
        if word == "--help" || word == "-h" {
            return Ok(None);
        }
        let text = words.next().unwrap_or_default();
        let number = || {
            let complaint = |_| format!("{word} {text:?}: expected a number");
            text.parse::<u64>().map_err(complaint)
        };
        match word.as_str() {
            "--kills" => count = number()? as usize,
            "--seed" => seed = number()?,
            "--program" => program = Some(PathBuf::from(&text)),
            _ => {
                return Err(format!(
                    "{word:?}: expected --kills N, --seed S, --program FILE or --help"
                ));
            }
        }
    }
    let program = match program {
        Some(program) => program,
        None => std::env::current_exe().map_err(|e| e.to_string())?,
    };
    Ok(Some(Kills::new(program, count, seed)))
}
