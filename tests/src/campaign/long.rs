//! A long campaign: any number of programs, on all cores, with the same result on any number of
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use autodiff::arbitrary::{Case, Loop, Shrinking, Simplify, case, unrolled};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rayon::prelude::*;
use solvers::arbitrary::{Problem, problem};

use crate::properties::{OF_LOOPS, OF_PROBLEMS, OF_PROGRAMS, Property};
use crate::words_of;

/// What a campaign is to look at.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// The first program and the one after the last.
    pub range: (u64, u64),
    /// Fixes all programs.
    pub seed: u64,
    /// Properties of every program.
    pub of_programs: &'static [Property<Case>],
    /// Properties of loops: one loop for every [`LOOP_EVERY`] programs.
    pub of_loops: &'static [Property<Loop>],
    /// Properties of bilevel problems: one for every [`PROBLEM_EVERY`] programs.
    pub of_problems: &'static [Property<Problem>],
}

/// Programs for each loop.
pub const LOOP_EVERY: u64 = 4;
/// Programs for each bilevel problem.
pub const PROBLEM_EVERY: u64 = 32;
/// Programs between two looks at what failed.
const BATCH: u64 = 1024;
/// Programs that fail until the campaign ends, and whose failures are shrunk.
const SHRUNK: usize = 5;
/// Most simpler values tried for one failure.
const SHRINKS: usize = 20_000;

impl Campaign {
    /// All properties of `programs` programs.
    pub fn new(programs: u64, seed: u64) -> Self {
        Campaign {
            range: (0, programs),
            seed,
            of_programs: OF_PROGRAMS,
            of_loops: OF_LOOPS,
            of_problems: OF_PROBLEMS,
        }
    }

    /// Runs it on the current `rayon` pool; `done` counts the programs as they are finished. It ends
    /// early, after a whole batch, where five programs have failed.
    pub fn run(&self, done: &AtomicU64) -> Summary {
        let mut summary = Summary::default();
        let (mut start, end) = self.range;
        while start < end && failing(&summary.failures).len() < SHRUNK {
            let batch = start..end.min(start + BATCH);
            start = batch.end;
            let parts = batch.into_par_iter().map(|program| {
                let part = self.look_at(program, false);
                done.fetch_add(1, Relaxed);
                part
            });
            summary = summary.with(parts.reduce(Summary::default, Summary::with));
        }
        // Shrinking is slow: a broken engine fails thousands of times.
        let first: Vec<u64> = failing(&summary.failures)
            .into_iter()
            .take(SHRUNK)
            .collect();
        let shrunk = first
            .into_par_iter()
            .map(|p| self.look_at(p, true).failures);
        summary.failures = shrunk.flatten().collect();
        summary.failures.sort_by_key(|f| (f.program, f.property));
        summary
    }

    fn look_at(&self, program: u64, shrinking: bool) -> Summary {
        let mut summary = Summary {
            programs: 1,
            shrinking,
            ..Summary::default()
        };
        let drawn = self.drawn(program, 0, case());
        let recorded = drawn.graph.record::<f64>();
        for name in recorded.operations() {
            *summary.operations.entry(name.to_owned()).or_default() += 1;
        }
        let text = |case: &Case| format!("{}{case:?}\n", case.graph);
        summary.check(program, &drawn, self.of_programs, text);
        if program.is_multiple_of(LOOP_EVERY) {
            let drawn = self.drawn(program, 1, unrolled());
            let text = |l: &Loop| format!("{}{l:?}\n", l.case.graph);
            summary.check(program, &drawn, self.of_loops, text);
        }
        if program.is_multiple_of(PROBLEM_EVERY) {
            let drawn = self.drawn(program, 2, problem());
            summary.check(program, &drawn, self.of_problems, |p| format!("{p:?}\n"));
        }
        summary
    }

    /// What belongs to one program, whichever thread draws it.
    fn drawn<S: Strategy>(&self, program: u64, kind: u64, strategy: S) -> S::Value {
        let words = [self.seed, program, kind, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config {
            failure_persistence: None,
            ..Config::default()
        };
        let tree = strategy.new_tree(&mut TestRunner::new_with_rng(config, rng));
        tree.expect("nothing is filtered").current()
    }
}

/// What a campaign saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Number of programs.
    pub programs: u64,
    /// How often each operation was recorded in them.
    pub operations: BTreeMap<String, u64>,
    /// How often each property was checked.
    pub checked: BTreeMap<&'static str, u64>,
    /// How many checks failed.
    pub failed: u64,
    /// What failed in the first few of the programs, in their order.
    pub failures: Vec<Failure>,
    shrinking: bool,
}

/// A property that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which program: with the campaign's seed it can be drawn again.
    pub program: u64,
    /// The property's name.
    pub property: &'static str,
    /// What it said of the shrunk value.
    pub message: String,
    /// The shrunk value.
    pub shrunk: String,
}

impl Summary {
    fn with(mut self, other: Summary) -> Summary {
        self.programs += other.programs;
        for (name, count) in other.operations {
            *self.operations.entry(name).or_default() += count;
        }
        for (name, count) in other.checked {
            *self.checked.entry(name).or_default() += count;
        }
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self
    }

    fn check<V: Simplify>(
        &mut self,
        program: u64,
        drawn: &V,
        properties: &[Property<V>],
        text: impl Fn(&V) -> String,
    ) {
        for (property, holds) in properties {
            *self.checked.entry(property).or_default() += 1;
            if let Some(message) = complaint(*holds, drawn.clone()) {
                self.failed += 1;
                let (shrunk, message) = match self.shrinking {
                    true => shrink(*holds, drawn.clone(), message),
                    false => (drawn.clone(), message),
                };
                self.failures.push(Failure {
                    program,
                    property,
                    message,
                    shrunk: text(&shrunk),
                });
            }
        }
    }
}

/// The programs that fail, in their order.
fn failing(failures: &[Failure]) -> BTreeSet<u64> {
    failures.iter().map(|f| f.program).collect()
}

/// Why a property does not hold; a panic is a reason too.
fn complaint<V>(holds: fn(V) -> proptest::test_runner::TestCaseResult, value: V) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| holds(value))) {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure.to_string()),
        Err(panic) => Some(format!("panic: {}", words_of(&*panic))),
    }
}

fn shrink<V: Simplify>(
    holds: fn(V) -> proptest::test_runner::TestCaseResult,
    drawn: V,
    mut message: String,
) -> (V, String) {
    let mut tree = Shrinking::new(drawn);
    let mut going = tree.simplify();
    for _ in 0..SHRINKS {
        if !going {
            break;
        }
        going = match complaint(holds, tree.current()) {
            Some(simpler) => {
                message = simpler;
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
    // Back to what is known to fail.
    while going && complaint(holds, tree.current()).is_none() {
        going = tree.complicate();
    }
    (tree.current(), message)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "programs    {}", self.programs)?;
        let total: u64 = self.operations.values().sum();
        writeln!(f, "operations  {total}, of {} kinds", self.operations.len())?;
        for (name, count) in &self.operations {
            writeln!(f, "  {count:>10}  {name}")?;
        }
        let total: u64 = self.checked.values().sum();
        writeln!(f, "properties  {total} checks of {}", self.checked.len())?;
        for (name, count) in &self.checked {
            writeln!(f, "  {count:>10}  {name}")?;
        }
        writeln!(f, "failures    {}", self.failed)?;
        for failure in &self.failures {
            writeln!(f, "\nprogram {}: {}", failure.program, failure.property)?;
            writeln!(f, "{}\n{}", failure.message, failure.shrunk)?;
        }
        Ok(())
    }
}
