//! The long campaign: the same on any number of threads, and what it says of a failure.

use std::process::Command;
use std::sync::atomic::AtomicU64;

use autodiff::arbitrary::{Case, Instruction};
use autodiff::rules::elementwise::{Binary, Unary};
use bilevel_tests::campaign::{Campaign, LOOP_EVERY, PROBLEM_EVERY, Summary, programs};
use bilevel_tests::properties::{OF_LOOPS, OF_PROBLEMS, OF_PROGRAMS};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

fn run(campaign: &Campaign, threads: usize) -> Summary {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool");
    pool.install(|| campaign.run(&AtomicU64::new(0)))
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let count = u64::from(programs(400));
    let campaign = Campaign::new(count, 7);
    let summary = run(&campaign, 1);
    assert_eq!(summary, run(&campaign, 3));
    assert!(summary.failures.is_empty(), "{summary}");
    assert_eq!(summary.programs, count);
    for (name, _) in OF_PROGRAMS {
        assert_eq!(summary.checked[name], count);
    }
    for (name, _) in OF_LOOPS {
        assert_eq!(summary.checked[name], count.div_ceil(LOOP_EVERY));
    }
    for (name, _) in OF_PROBLEMS {
        assert_eq!(summary.checked[name], count.div_ceil(PROBLEM_EVERY));
    }
}

#[test]
fn every_row_of_the_tables_is_drawn() {
    let mut campaign = Campaign::new(1500, 3);
    (
        campaign.of_programs,
        campaign.of_loops,
        campaign.of_problems,
    ) = (&[], &[], &[]);
    let drawn = run(&campaign, 2).operations;
    let unary = Unary::ALL.iter().filter(|f| **f != Unary::Neg);
    let names = unary
        .map(|f| f.name())
        .chain(Binary::ALL.iter().map(|f| f.name()));
    for name in names.chain(["neg", "matmul", "conv2d", "wave", "gather"]) {
        assert!(
            drawn.get(name).is_some_and(|n| *n > 10),
            "{name}: {drawn:?}"
        );
    }
}

/// A planted fault: no program may have a product of matrices.
fn without_products(case: Case) -> TestCaseResult {
    let product = |i: &Instruction| matches!(i, Instruction::MatMul { .. });
    prop_assert!(!case.graph.code.iter().any(product), "a product");
    Ok(())
}

#[test]
fn a_failure_is_shrunk_and_found_again_by_its_seed() {
    let mut campaign = Campaign::new(5000, 11);
    campaign.of_programs = &[("without_products", without_products)];
    (campaign.of_loops, campaign.of_problems) = (&[], &[]);
    let summary = run(&campaign, 2);
    // It ends with the batch that failed.
    assert_eq!(summary.programs, 1024);
    assert_eq!(summary, run(&campaign, 1));
    let first = &summary.failures[0];
    assert!(first.message.contains("a product"), "{}", first.message);
    assert_eq!(first.shrunk.matches("%").count(), 2, "{}", first.shrunk);
    campaign.range = (first.program, first.program + 1);
    assert_eq!(run(&campaign, 1).failures[0], *first);
}

/// One program in some thousands.
fn rare(case: Case) -> TestCaseResult {
    let bits = case.at()[0][0].to_bits();
    prop_assert!(bits == 0 || !(bits >> 29).is_multiple_of(1500), "rare");
    Ok(())
}

#[test]
fn a_few_failures_do_not_end_it() {
    let mut campaign = Campaign::new(3000, 2);
    campaign.of_programs = &[("rare", rare)];
    (campaign.of_loops, campaign.of_problems) = (&[], &[]);
    let summary = run(&campaign, 2);
    assert_eq!(summary.programs, 3000);
    assert!((1..5).contains(&summary.failed), "{summary}");
    assert_eq!(summary.failed, summary.failures.len() as u64);
}

#[test]
fn the_program_keeps_its_contract() {
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_campaign"))
            .arg("programs")
            .args(words)
            .output()
            .expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = run(&["--programs", "40", "--seed", "5"]);
    assert_eq!(code, Some(0), "{out}{err}");
    for part in [
        "programs    40",
        "operations",
        "checks of",
        "failures    0",
        "seconds",
    ] {
        assert!(out.contains(part), "{part} is not in: {out}");
    }
    assert!(err.contains("of 40 programs"), "{err}");
    let (code, out, err) = run(&["--programs", "many"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(err, "programs: --programs \"many\": expected a number\n");
    assert_eq!(run(&["--quick"]).0, Some(2));
    assert_eq!(run(&["--help"]).0, Some(0));
}
