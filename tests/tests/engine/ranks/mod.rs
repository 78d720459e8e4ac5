//! Any number of ranks gives the bits of one: every strategy and every method, on threads as ranks.

mod leaves;
mod rows;
mod tables;

use autodiff::ranks;
use bilevel_tests::crew::{crew, crew_until};
use models::Task;
use models::catalogue::{Source, named};
use solvers::Strategy;
use solvers::catalogue::{Place, Settings, method, methods, strategies, strategy};

/// Problems of fused losses: of several blocks in each data set, of classes, and with weights of
/// samples.
const PROBLEMS: [&str; 3] = ["logistic", "softmax", "hyper-cleaning"];

fn task(problem: &str) -> Task<f64> {
    let entry = named(problem).expect("a problem");
    entry.task(&Source::default()).expect("embedded data")
}

/// A name with numbers in the place of its capitals.
pub(crate) fn filled(pattern: &str) -> String {
    let number = |word: &str| match word {
        "SLOTS" | "STEPS" | "PERIOD" | "P" | "COUNT" => "2".to_owned(),
        "RANK" => "5".to_owned(),
        word if word.chars().all(|c| c.is_ascii_uppercase() || c == '_') => "0.5".to_owned(),
        word => word.to_owned(),
    };
    let words: Vec<String> = pattern.split(':').map(number).collect();
    words.join(":")
}

fn settings() -> Settings {
    Settings {
        depth: Some(3),
        iterations: Some(2),
        ..Settings::NONE
    }
}

/// What a strategy says of a task; `None` where it does not take it.
fn estimate(task: &Task<f64>, name: &str) -> Option<Vec<u64>> {
    let strategy = strategy::<f64>(name, &settings()).ok()?;
    strategy.suits(&task.bilevel).ok()?;
    let mut work = task.bilevel.workspace();
    let estimate = strategy.hypergradient(&task.bilevel, &task.x, &mut work);
    let estimate = estimate.expect("a strategy that suits");
    let numbers = estimate.hypergradient.iter().chain(estimate.y.iter());
    let mut bits: Vec<u64> = numbers.map(|v| v.to_bits()).collect();
    bits.push(estimate.upper.to_bits());
    bits.push(estimate.oracles.total() as u64);
    let words = format!(
        "{} {:?} {:?}",
        estimate.status, estimate.warnings, estimate.bytes
    );
    bits.extend(words.bytes().map(u64::from));
    Some(bits)
}

/// The end of a method's run; `None` where it does not take the task.
fn run(task: &Task<f64>, name: &str) -> Option<Vec<u64>> {
    run_with(&settings(), task, name).ok()
}

fn run_with(settings: &Settings, task: &Task<f64>, name: &str) -> Result<Vec<u64>, String> {
    let samples = task.bilevel.means().map(|_| task.bilevel.samples());
    let place = Place {
        samples,
        per_sample: task.bilevel.blocks() > 1,
        constraint: task.bounds.into(),
        ..Place::default()
    };
    let method = method::<f64>(name, settings, &place)?;
    let run = method.begin(&task.bilevel, task.x.clone());
    let mut run = run.map_err(|reason| reason.to_string())?;
    let mut words = String::new();
    while let Some(mut progress) = run.step() {
        if name == "isgd" {
            // Who solves fewer of the samples holds fewer recordings.
            progress.peak_bytes = 0;
        }
        words += &format!("{progress:?}");
    }
    let numbers = run.x().iter().chain(run.y().iter());
    let mut bits: Vec<u64> = numbers.map(|v| v.to_bits()).collect();
    bits.extend(words.bytes().map(u64::from));
    Ok(bits)
}

/// Holds what `f` gives for each name on one rank against crews of several; how many names there were.
fn same(
    problem: &str,
    names: &[String],
    f: impl Fn(&Task<f64>, &str) -> Option<Vec<u64>> + Sync,
) -> usize {
    let alone = task(problem);
    let want: Vec<_> = names.iter().map(|name| f(&alone, name)).collect();
    for (size, threads) in [(1, 2), (2, 1), (3, 2), (4, 1), (7, 2)] {
        let all = crew(size, threads, || {
            // Each rank has a recording of its own, as a process has.
            let task = task(problem);
            let got: Vec<_> = names.iter().map(|name| f(&task, name)).collect();
            (got, ranks::traffic())
        });
        // A rank beyond the number of blocks has nothing to send.
        let sent = all.iter().any(|(_, traffic)| traffic.bytes > 0);
        assert_eq!(sent, size > 1);
        for (rank, (got, traffic)) in all.iter().enumerate() {
            for ((name, want), got) in names.iter().zip(&want).zip(got) {
                assert!(got == want, "{problem}, {name}: rank {rank} of {size}");
            }
            assert!(size == 1 || traffic.messages > names.len(), "{traffic:?}");
        }
    }
    want.iter().flatten().count()
}

#[test]
fn every_strategy_has_the_bits_of_one_rank() {
    let rows = strategies::<f64>().into_iter().flat_map(|entry| entry.rows);
    let names: Vec<String> = rows.map(|row| filled(row.name)).collect();
    for problem in PROBLEMS {
        // A dense Hessian of many classes takes minutes.
        let dense = |name: &String| ["exact", "aid-direct"].contains(&&**name);
        let names: Vec<String> = names
            .iter()
            .filter(|name| problem == "logistic" || !dense(name))
            .cloned()
            .collect();
        let made = same(problem, &names, estimate);
        assert!(made + 6 > names.len() && made > 20, "{made} of {names:?}");
    }
}

#[test]
fn every_method_has_the_bits_of_one_rank() {
    let rows = methods::<f64>().into_iter().flat_map(|entry| entry.rows);
    let names: Vec<String> = rows.map(|row| filled(row.name)).collect();
    let made = same("logistic", &names, run);
    assert!(made > 30, "{made} of {names:?}");
    let some = ["itd", "aid-cg", "soba", "gda"].map(str::to_owned);
    assert_eq!(same("hyper-cleaning", &some, run), some.len());
}

#[test]
fn lower_levels_of_samples_have_the_bits_of_one_rank() {
    let problem = "few-shot";
    let names = [
        "aid-cg",
        "itd",
        "itd-truncated:2",
        "bda",
        "aid-fixed-point",
        "neumann:5",
    ];
    let made = same(problem, &names.map(str::to_owned), estimate);
    assert!(made > 2, "{made}");
    let names = ["hoag", "itd", "aid-cg"].map(str::to_owned);
    assert_eq!(same(problem, &names, run), names.len());
}

#[test]
fn samples_of_a_batch_that_ranks_solve_have_the_bits_of_one_rank() {
    // No fewer samples than ranks.
    let isgd = Settings {
        batch: Some(8),
        iterations: Some(6),
        ..Settings::NONE
    };
    let of = |task: &Task<f64>, name: &str| Some(run_with(&isgd, task, name).expect(name));
    assert_eq!(same("few-shot", &["isgd".to_owned()], of), 1);
}

#[test]
fn a_product_is_one_message_of_a_few_sums() {
    let traffic = crew(4, 1, || {
        let task = task("logistic");
        let mut point = task.bilevel.lower().point();
        let (x, y) = (task.x.as_slice(), vec![0.1; task.bilevel.dim_y()]);
        point.linearise(&[x, &y]);
        let before = ranks::traffic();
        point.second(&[None, Some(&y)]);
        (ranks::traffic() - before, y.len())
    });
    let all: usize = traffic.iter().map(|(traffic, _)| traffic.bytes).sum();
    for (traffic, d) in traffic {
        assert_eq!(traffic.messages, 1);
        // The sums, the message with a fingerprint of each rank, and what is sent of it.
        assert_eq!(traffic.held, all - 4 * 8 + all + traffic.bytes);
        // At most four subtrees of three or four blocks, each a sum in whole lines and a value.
        let most = 4 * (d.next_multiple_of(8) + 1) * 8 + 8;
        assert!(
            traffic.bytes > d * 8 && traffic.bytes <= most,
            "{traffic:?}"
        );
    }
}

#[test]
fn what_rank_zero_has_is_everybodys() {
    let all = crew(3, 1, || {
        ranks::broadcast(vec![ranks::rank() as u8 + 7; 5 - ranks::rank()])
    });
    assert_eq!(all, vec![vec![7; 5]; 3]);
    assert_eq!(ranks::broadcast(vec![1, 2]), [1, 2]);
}

#[test]
fn a_bit_that_differs_is_told_by_the_next_message() {
    let ends = crew_until::<()>(3, 1, || {
        let mut y = [1.0f64, 2.0];
        for k in 0..5 {
            let mut all = [0.5; 3];
            ranks::gather(&[1; 3], &mut all);
            y[1] += all[2];
            if (k, ranks::rank()) == (3, 1) {
                y[0] = f64::from_bits(y[0].to_bits() ^ 1);
            }
            ranks::witness(&y);
        }
        unreachable!("the fifth message tells");
    });
    for end in ends {
        let reason: String = end.expect_err("a difference");
        assert!(
            reason.starts_with("2: rank 1 has other numbers than rank 0"),
            "{reason}"
        );
    }
}

#[test]
fn a_rank_that_asks_for_something_else_is_named() {
    let ends = crew_until(3, 1, || {
        let counts = if ranks::rank() == 2 {
            [1, 2, 1]
        } else {
            [1, 1, 2]
        };
        ranks::gather(&counts, &mut [0u8; 4]);
    });
    for end in ends {
        let reason = end.expect_err("a difference");
        assert!(
            reason.starts_with("2: rank 2 has other numbers than rank 0"),
            "{reason}"
        );
    }
}
