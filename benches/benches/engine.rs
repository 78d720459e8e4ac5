//! The criterion suite: every workload in both precisions, on one thread and on two.
//!
//! `cargo bench -p bilevel-benches --bench engine` takes some minutes; a part of a name after `--`
//! picks what to run, as `W4/f64/1 thread`. The workloads are those that `benches/peers` times
//! beside other systems: see `bilevel_benches::workloads`.

use std::time::Duration;

use autodiff::Real;
use bilevel_benches::workloads::{GROUPS, Named, build};
use criterion::{Criterion, criterion_group, criterion_main};
use rayon::{ThreadPool, ThreadPoolBuilder};

fn group<T: Real>(c: &mut Criterion, name: &str, tasks: &[&str], pool: &ThreadPool) {
    let threads = match pool.current_num_threads() {
        1 => "1 thread".to_owned(),
        n => format!("{n} threads"),
    };
    // Built by the first bench that the filter lets through.
    let mut built: Option<Vec<Named>> = None;
    let mut group = c.benchmark_group(format!("{name}/{}/{threads}", T::NAME));
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    for (k, task) in tasks.iter().enumerate() {
        group.bench_function(*task, |b| {
            let task = &mut built.get_or_insert_with(|| build::<T>(name))[k].1;
            pool.install(|| b.iter(|| task.call()));
        });
    }
    group.finish();
}

fn suite(c: &mut Criterion) {
    let pools = [1, 2].map(|n| ThreadPoolBuilder::new().num_threads(n).build());
    for (name, tasks) in GROUPS {
        for pool in &pools {
            let pool = pool.as_ref().expect("a pool of threads");
            group::<f64>(c, name, tasks, pool);
            group::<f32>(c, name, tasks, pool);
        }
    }
}

criterion_group!(engine, suite);
criterion_main!(engine);
