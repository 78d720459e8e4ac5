//! The campaign of silent errors:
//! `cargo run --release -p bilevel-tests --bin silent -- --estimates 100000 --seed 1`.
//!
//! Progress goes to standard error, the table to standard output. Exit codes: 0 no estimate is
//! silent and false alarms are few, 1 otherwise, 2 bad usage.

use std::process::ExitCode;
use std::time::Instant;

use bilevel_tests::progress::watched;
use bilevel_tests::silent::{Campaign, look};

const USAGE: &str = "silent [--estimates N] [--seed S] [--only I]

Makes N estimates (10000) of hypergradients at random lower levels with known solutions, on all
cores (RAYON_NUM_THREADS says how many), and judges each: right; told, where a failure or a warning
says that it is not; a false alarm, where one does beside a right estimate; silent, where it is
wrong under a success without a warning. The table depends on N and S (1) alone. It is a failure
where one is silent, where a strategy panics, or where more than 2 % are false alarms.
--only shows estimate I of the campaign with seed S.";

/// What was asked for.
struct Asked {
    campaign: Campaign,
    only: Option<u64>,
}

fn main() -> ExitCode {
    let Asked { campaign, only } = match parse(std::env::args().skip(1)) {
        Ok(Some(asked)) => asked,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("silent: {complaint}");
            return ExitCode::from(2);
        }
    };
    if let Some(number) = only {
        let seen = look(campaign.seed, number);
        println!("{seen}\n{}", seen.shown);
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    let total = campaign.range.1 - campaign.range.0;
    let table = watched("estimates", total, |done| campaign.run(done));
    print!("{table}");
    println!("seconds     {:.1}", started.elapsed().as_secs_f64());
    match table.holds() {
        true => ExitCode::SUCCESS,
        false => {
            println!("again: silent --seed {} --only NUMBER", campaign.seed);
            ExitCode::from(1)
        }
    }
}

/// What is asked for; `None` for help.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Asked>, String> {
    let (mut estimates, mut seed, mut only) = (10_000, 1, None);
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
            "--estimates" => estimates = number()?,
            "--seed" => seed = number()?,
            "--only" => only = Some(number()?),
            _ => {
                return Err(format!(
                    "{word:?}: expected --estimates N, --seed S, --only I or --help"
                ));
            }
        }
    }
    let campaign = Campaign::new(estimates, seed);
    Ok(Some(Asked { campaign, only }))
}
