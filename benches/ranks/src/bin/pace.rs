//! Seconds of the tasks of a group of workloads on ranks: `mpirun -n 2 pace W1-big 1`, by groups of
//! `peers tasks` and threads of a rank. A line for each task: its name, the median and the least of the
//! seconds of a call, messages of a call, and a fingerprint of the result.

use std::process::ExitCode;
use std::time::Instant;

use autodiff::ranks;
use bilevel_benches::workloads::build;

/// Calls of a task that are timed.
const CALLS: usize = 60;

fn time() -> u8 {
    let mut words = std::env::args().skip(1);
    let (Some(group), Some(threads)) = (words.next(), words.next().and_then(|t| t.parse().ok()))
    else {
        eprintln!("pace GROUP THREADS");
        return 2;
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().expect("threads");
    for (name, mut task) in build::<f64>(&group) {
        task.call();
        let before = ranks::traffic();
        let mut seconds: Vec<f64> = Vec::new();
        for _ in 0..CALLS {
            let started = Instant::now();
            task.call();
            seconds.push(started.elapsed().as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let messages = (ranks::traffic() - before).messages as f64 / CALLS as f64;
        let bits = task.result().concat();
        let print = bits.iter().fold(0u64, |h, v| {
            (h ^ v.to_bits()).rotate_left(9).wrapping_mul(31)
        });
        if ranks::rank() == 0 {
            let (median, least) = (seconds[CALLS / 2], seconds[0]);
            println!("{name} {median:.6} {least:.6} {messages} {print:016x}");
        }
    }
    0
}

fn main() -> ExitCode {
    ExitCode::from(bilevel_ranks::run(|world| world, time))
}
