//! The worker of `benches/peers/compare.py`: this project's side of the table.
//!
//! `peers tasks` prints what there is, and `peers write DIR GROUP…` writes the inputs of groups.
//! `peers worker DIR --dtype f64 --threads 1` then answers requests, one JSON object per line:
//!
//! * `{"task": "W1-hvp", "result": "FILE"}`: prepares the task and does it once; `FILE` in `DIR`
//!   receives the result as little-endian 64-bit floats. Answer: `first_call_s`; `parts`, the number of
//!   entries of each part of the result; `iterations` in a call; `cost`, what it has to read and
//!   compute, and `bytes`, the most that it held, or null.
//! * `{"task": "W1-hvp", "seconds": 0.1}`: repeats it for about so long. Answer: `seconds`, the
//!   time of one call in each repetition.
//! * `{"task": "memory-W1-stored-K10", "predict": true}`: answers with the `bytes` that it would hold.
//! * `{"machine": 8000000}`: answers with the `bandwidth` of reading so many bytes, and the `peak` of a
//!   product, a second.
//!
//! A group of tasks stays built until one of another group is asked for. A request that cannot be
//! met is answered by `error`.

use std::hint::black_box;
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use autodiff::Real;
use bilevel_benches::workloads::memory::Unrolled;
use bilevel_benches::workloads::{
    GROUPS, Named, build, cost, group_of, in_single_precision, machine, write_inputs,
};
use clap::{Parser, ValueEnum};
use serde::Deserialize;
use serde_json::{Value, json};

/// The timing worker of benches/peers/compare.py.
#[derive(Parser)]
#[command(name = "peers")]
enum Command {
    /// Print the tasks, each with its group and precisions.
    Tasks,
    /// Write the inputs of groups.
    Write {
        folder: PathBuf,
        groups: Vec<String>,
    },
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
    #[serde(default)]
    task: String,
    result: Option<String>,
    seconds: Option<f64>,
    #[serde(default)]
    predict: bool,
    machine: Option<usize>,
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`, and runs every bench with the names to filter by.
    let args: Vec<String> = std::env::args().filter(|a| a != "--bench").collect();
    if !matches!(
        args.get(1).map(String::as_str),
        Some("tasks" | "write" | "worker")
    ) {
        println!("usage: peers tasks | write DIR GROUP… | worker DIR --dtype f64|f32 --threads N");
        return ExitCode::SUCCESS;
    }
    let done = match Command::parse_from(args) {
        Command::Tasks => {
            println!("{}", tasks());
            Ok(())
        }
        Command::Write { folder, groups } => write_inputs(&folder, &groups),
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

fn tasks() -> Value {
    let each = GROUPS
        .iter()
        .flat_map(|(group, tasks)| tasks.iter().map(move |task| (group, task)));
    let listed = each.map(|(group, task)| {
        let dtypes: &[&str] = match in_single_precision(task) {
            true => &["f64", "f32"],
            false => &["f64"],
        };
        json!({"group": group, "task": task, "dtypes": dtypes})
    });
    Value::Array(listed.collect())
}

/// The tasks that are built, and the name of what they belong to.
struct Built {
    group: String,
    tasks: Vec<Named>,
}

impl Built {
    /// A group of tasks, or one of [`Unrolled`]; `None` if it is no name of such.
    fn new<T: Real>(group: &str) -> Option<Self> {
        let tasks = match group.starts_with("memory-") {
            true => vec![("", Unrolled::<T>::named(group)?.into_task())],
            false => build::<T>(group),
        };
        let group = group.to_owned();
        Some(Built { group, tasks })
    }
}

fn serve<T: Real>(folder: &Path) -> io::Result<()> {
    let mut built = None;
    println!("{}", json!({"version": env!("CARGO_PKG_VERSION")}));
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answered = catch_unwind(AssertUnwindSafe(|| answer::<T>(&line, folder, &mut built)));
        let answer = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => json!({"error": error}),
            Err(_) => {
                built = None;
                json!({"error": "a panic: see above"})
            }
        };
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}

fn answer<T: Real>(line: &str, folder: &Path, built: &mut Option<Built>) -> Result<Value, String> {
    let request: Request = serde_json::from_str(line).map_err(|e| e.to_string())?;
    if let Some(bytes) = request.machine {
        return Ok(
            json!({"bandwidth": machine::bandwidth::<T>(bytes), "peak": machine::peak::<T>()}),
        );
    }
    let name = &request.task;
    let absent = || format!("no task named `{name}` in {}", T::NAME);
    if request.predict {
        let unrolled = Unrolled::<T>::named(name).ok_or_else(absent)?;
        return Ok(json!({"bytes": unrolled.predicted_bytes()}));
    }
    // A loop under a memory policy is a group of its own.
    let own = name.starts_with("memory-");
    let group = if own {
        Some(name.as_str())
    } else {
        group_of(name)
    };
    let group = group.ok_or_else(absent)?;
    if built.as_ref().is_none_or(|b| b.group != group) {
        // The data of two groups need not be there at once.
        *built = None;
    }
    if built.is_none() {
        *built = Some(Built::new::<T>(group).ok_or_else(absent)?);
    }
    let Built { tasks, .. } = built.as_mut().expect("built just now");
    let (_, task) = tasks
        .iter_mut()
        .find(|(n, _)| n == name || own)
        .ok_or_else(absent)?;
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
    let cost = cost(name, size_of::<T>());
    let cost = cost.map(|c| json!({"resident": c.resident, "read": c.read, "flops": c.flops}));
    Ok(json!({
        "first_call_s": first,
        "parts": lengths,
        "iterations": task.iterations(),
        "bytes": task.bytes(),
        "cost": cost,
    }))
}

/// Calls that one repetition takes the mean of last at least so long, where a call is shorter.
const REPETITION: f64 = 0.01;

/// Seconds per call of repetitions that take about `seconds` together, after one call to warm up, or two
/// where they are short. A call that alone takes longer is its own.
fn repetitions(call: &mut dyn FnMut(), seconds: f64) -> Vec<f64> {
    let mut timed = |calls: usize| {
        let started = Instant::now();
        (0..calls).for_each(|_| call());
        started.elapsed().as_secs_f64() / calls as f64
    };
    let mut estimate = timed(1).max(1e-9);
    if estimate >= seconds {
        return vec![estimate];
    }
    if estimate < REPETITION {
        estimate = estimate.min(timed(1)).max(1e-9);
    }
    let calls = (REPETITION / estimate).ceil().clamp(1.0, 1e6) as usize;
    let started = Instant::now();
    let mut times = vec![timed(calls)];
    while started.elapsed().as_secs_f64() < seconds {
        times.push(timed(calls));
    }
    times
}
