//! Correct programs through the checker: no mismatch, and a known share of silence.

use std::cell::RefCell;
use std::collections::BTreeMap;

use autodiff::arbitrary::numbers::slices;
use autodiff::arbitrary::{case, for_all};
use autodiff::check::{Check, Rung, Verdict};
use proptest::prelude::*;

/// `BILEVEL_PROGRAMS` sets another number.
const SAMPLE: u32 = 300;

#[test]
fn correct_programs_have_no_mismatch() {
    let counts: RefCell<BTreeMap<(Rung, &str), usize>> = RefCell::default();
    let (controls, powerless) = (RefCell::new(0), RefCell::new(0));
    for_all(file!(), SAMPLE, (case(), any::<u64>()), |(case, seed)| {
        let program = case.graph.record::<f64>();
        let report = Check::new()
            .seed(seed)
            .program(&program, &slices(&case.at()));
        prop_assert!(
            report.mismatches().next().is_none(),
            "{report}\n{program:?}"
        );
        for trial in report.trials() {
            let key = (trial.rung, trial.verdict.name());
            *counts.borrow_mut().entry(key).or_default() += 1;
        }
        let control = report.control();
        *controls.borrow_mut() += usize::from(!control.trials().is_empty());
        *powerless.borrow_mut() += control.powerless().len();
        for trial in control.trials() {
            prop_assert!(trial.verdict != Verdict::Pass, "{control}\n{report}");
        }
        Ok(())
    });
    let counts = counts.into_inner();
    for ((rung, verdict), count) in &counts {
        println!("{rung:<13} {verdict:<10} {count}");
    }
    println!(
        "controls {}, checks without power {}",
        controls.into_inner(),
        powerless.into_inner()
    );
    // What says nothing is counted, and bounded: a checker that is silent finds nothing.
    let count = |rung: Rung, verdict: &str| {
        counts
            .iter()
            .filter(|((r, v), _)| *r == rung && *v == verdict)
            .map(|(_, n)| *n)
            .sum::<usize>()
    };
    for (rung, percent) in [
        (Rung::Identities, 1),
        (Rung::CrossMode, 10),
        (Rung::Differences, 25),
        (Rung::Taylor, 60),
    ] {
        let silent = count(rung, "unchecked");
        let all = silent + count(rung, "pass");
        assert!(
            100 * silent <= percent * all,
            "{rung}: {silent} of {all} unchecked"
        );
    }
}
