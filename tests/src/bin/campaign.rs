//! The long campaign of random programs:
//! `cargo run --release -p bilevel-tests --bin campaign -- --programs 1000000 --seed 1`.
//!
//! Progress goes to standard error, the summary to standard output. Exit codes: 0 all properties
//! hold, 1 one does not, 2 bad usage.

use std::process::ExitCode;
use std::time::Instant;

use bilevel_tests::campaign::Campaign;
use bilevel_tests::progress::watched;

const USAGE: &str = "campaign [--programs N] [--seed S] [--program I]

Checks every property on N random programs (10000), a quarter as many loops and some bilevel
problems, on all cores (RAYON_NUM_THREADS says how many); the result depends on N and S (1) alone.
--program looks at program I of the campaign with seed S alone.";

fn main() -> ExitCode {
    let campaign = match parse(std::env::args().skip(1)) {
        Ok(Some(campaign)) => campaign,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("campaign: {complaint}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let total = campaign.range.1 - campaign.range.0;
    let summary = watched("programs", total, |done| campaign.run(done));
    print!("{summary}");
    println!("seconds     {:.1}", started.elapsed().as_secs_f64());
    for failure in &summary.failures {
        let (seed, program) = (campaign.seed, failure.program);
        println!("again: campaign --seed {seed} --program {program}");
    }
    match summary.failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}

/// The campaign asked for; `None` for help.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Campaign>, String> {
    let (mut programs, mut seed, mut only) = (10_000, 1, None);
    while let Some(word) = words.next() {
        if word == "--help" || word == "-h" {
            return Ok(None);
        }
        let mut number = || -> Result<u64, String> {
            let text = words.next().unwrap_or_default();
            text.parse()
                .map_err(|_| format!("{word} {text:?}: expected a number"))
        };
        match word.as_str() {
            "--programs" => programs = number()?,
            "--seed" => seed = number()?,
            "--program" => only = Some(number()?),
            _ => {
                return Err(format!(
                    "{word:?}: expected --programs N, --seed S, --program I or --help"
                ));
            }
        }
    }
    let mut campaign = Campaign::new(programs, seed);
    if let Some(program) = only {
        campaign.range = (program, program.saturating_add(1));
    }
    Ok(Some(campaign))
}
