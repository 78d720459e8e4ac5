//! The worker of `benches/peers/compare.py`: this project's side of the table.
//!
//! `peers write DIR` writes the inputs. `peers worker DIR --dtype f64 --threads 1` then answers
//! requests, one JSON object per line:
//!
//! * `{"task": "W1-hvp", "result": "FILE"}`: prepares the task and does it once; `FILE` in `DIR`
//!   receives the result as little-endian 64-bit floats. Answer: `first_call_s`, and `parts`, the
//!   number of entries of each part of the result.
//! * `{"task": "W1-hvp", "seconds": 0.1}`: repeats it for about so long. Answer: `seconds`, the
//!   time of one call in each repetition.
//!
//! A group of tasks stays built until one of another group is asked for. A request that cannot be
//! met is answered by `error`.

use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use autodiff::Real;
use bilevel_benches::workloads::{Named, build, group_of, write_inputs};
use clap::{Parser, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};

/// The timing worker of benches/peers/compare.py.
#[derive(Parser)]
#[command(name = "peers")]
enum Command {
    /// Write the inputs of all tasks.
    Write { folder: PathBuf },
    /// Answer requests on standard input.
    Worker {
        folder: PathBuf,
        #[arg(long, value_enum)]
        dtype: Dtype,
        #[arg(long)]
        threads: usize,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Dtype {
    F32,
    F64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    task: String,
    result: Option<String>,
    seconds: Option<f64>,
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`, and runs every bench with the names to filter by.
    let args: Vec<String> = std::env::args().filter(|a| a != "--bench").collect();
    if !matches!(args.get(1).map(String::as_str), Some("write" | "worker")) {
        println!("usage: peers write DIR | peers worker DIR --dtype f64|f32 --threads N");
        return ExitCode::SUCCESS;
    }
    let done = match Command::parse_from(args) {
        Command::Write { folder } => write_inputs(&folder),
        Command::Worker {
            folder,
            dtype,
            threads,
        } => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build_global().expect("the first use of the pool");
            match dtype {
                Dtype::F32 => serve::<f32>(&folder),
                Dtype::F64 => serve::<f64>(&folder),
            }
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The group of tasks that is built.
struct Built {
    group: &'static str,
    tasks: Vec<Named>,
}

fn serve<T: Real>(folder: &Path) -> io::Result<()> {
    let mut built = None;
    println!("{}", json!({"version": env!("CARGO_PKG_VERSION")}));
    for line in io::stdin().lock().lines() {
        let answer = match answer::<T>(&line?, folder, &mut built) {
            Ok(answer) => answer,
            Err(error) => json!({"error": error}),
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn answer<T: Real>(line: &str, folder: &Path, built: &mut Option<Built>) -> Result<Value, String> {
    let request: Request = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let name = &request.task;
    let group = group_of(name).ok_or(format!("no task named `{name}`"))?;
    if built.as_ref().is_none_or(|b| b.group != group) {
        // The data of two groups need not be there at once.
        *built = None;
    }
    let Built { tasks, .. } = built.get_or_insert_with(|| Built {
        group,
        tasks: build::<T>(group),
    });
    let (_, task) = tasks
        .iter_mut()
        .find(|(n, _)| n == name)
        .expect("a task of its group");
    let mut call = || {
        task.call();
        black_box(&task);
    };
    if let Some(seconds) = request.seconds {
        return Ok(json!({"seconds": repetitions(&mut call, seconds)}));
    }
    let Some(file) = request.result else {
        return Err("expected `result` or `seconds`".into());
    };
    let started = Instant::now();
    call();
    let first = started.elapsed().as_secs_f64();
    let parts = task.result();
    let bytes: Vec<u8> = parts
        .iter()
        .flatten()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    std::fs::write(folder.join(file), bytes).map_err(|e| e.to_string())?;
    let lengths: Vec<usize> = parts.iter().map(Vec::len).collect();
    Ok(json!({"first_call_s": first, "parts": lengths}))
}

/// Calls that one repetition takes the mean of last at least so long, where a call is shorter.
const REPETITION: f64 = 0.01;

/// Seconds per call of repetitions that take about `seconds` together, after one call to warm up.
fn repetitions(call: &mut dyn FnMut(), seconds: f64) -> Vec<f64> {
    let mut timed = |calls: usize| {
        let started = Instant::now();
        (0..calls).for_each(|_| call());
        started.elapsed().as_secs_f64() / calls as f64
    };
    let estimate = timed(1).min(timed(1)).max(1e-9);
    let calls = (REPETITION / estimate).ceil().clamp(1.0, 1e6) as usize;
    let started = Instant::now();
    let mut times = vec![timed(calls)];
    while started.elapsed().as_secs_f64() < seconds {
        times.push(timed(calls));
    }
    times
}
