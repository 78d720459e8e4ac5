//! The meter against the allocator: bytes that a process really holds.

use autodiff::unroll::Memory;
use autodiff::{Meter, cholesky, ranks};
use models::{Task, closed_form, data, logistic};
use solvers::linear::{
    Cg, Direct, FixedPoint, LinearSolver, Minres, Neumann, Nystrom, OneStep, solve,
};
use solvers::{Aid, Bda, Bilevel, Exact, InnerStep, Itd, LowerSolve, StepLength, Strategy};

use crate::{LIVE, PEAK};

/// The meter's peak and the allocator's, of one estimate in a fresh workspace.
fn peaks(
    task: &Task<f64>,
    problem: &Bilevel<f64>,
    strategy: &dyn Strategy<f64>,
    predicted: usize,
) -> (usize, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let mut work = problem.workspace();
    let estimate = strategy
        .hypergradient(problem, &task.x, &mut work)
        .expect("valid settings");
    let heap = (PEAK.get() - before) as usize;
    assert!(estimate.status.is_success(), "{estimate}");
    assert_eq!(estimate.bytes.peak, predicted, "{strategy:?}");
    (estimate.bytes.peak, heap)
}

fn digits() -> Task<f64> {
    let mut splits = data::digits_parity(0);
    splits.train = splits.train.subset(&(0..40).collect::<Vec<_>>());
    splits.valid = splits.valid.subset(&(0..40).collect::<Vec<_>>());
    logistic(splits).expect("good labels")
}

#[test]
fn the_meter_agrees_with_the_allocator() {
    the_meter_grows_as_the_allocator_does();
    the_meter_is_the_allocator_but_for_a_constant();
    linear_solvers_hold_what_they_say();
}

/// What grows with the depth, the slots or the dimensions is on the meter to the byte. What is not
/// on it is a constant of the problem: names and counters; what was there before are the recorded
/// programs.
fn the_meter_grows_as_the_allocator_does() {
    let policies = |n: usize| {
        [
            Memory::Taped,
            Memory::Stored,
            Memory::Checkpointed { slots: n / 2 },
            Memory::Online { slots: n / 2 },
            Memory::Disk { slots: n / 2 },
            Memory::Truncated { steps: n / 2 },
            Memory::Reversible,
            Memory::Forward,
        ]
    };
    for task in [
        closed_form::scalar(),
        closed_form::quadratic(5, 8, 0),
        digits(),
    ] {
        let problem = &task.bilevel;
        for inner in [
            InnerStep::GradientDescent,
            InnerStep::Momentum(0.1),
            InnerStep::Nesterov(0.1),
        ] {
            let itd =
                |depth: usize, memory| Itd::reverse(depth).inner(inner.clone()).memory(memory);
            let at = |depth: usize, memory| {
                let itd = itd(depth, memory);
                let predicted = itd.predicted_peak_bytes(problem);
                peaks(&task, problem, &itd, predicted)
            };
            // Once, for what a process allocates once. Shallower loops of the scalar problem hold
            // less than recording it does for a moment.
            at(1000, Memory::Stored);
            at(1000, Memory::Forward);
            for (few, many) in policies(1000).into_iter().zip(policies(3000)) {
                // Three thousand steps of one entry lose fewer bits than recording takes.
                let too_few = task.name == "scalar" && few == Memory::Reversible;
                if too_few || Strategy::<f64>::validate(&itd(1, few)).is_err() {
                    continue;
                }
                let (meter_few, heap_few) = at(1000, few);
                let (meter_many, heap_many) = at(3000, many);
                let place = format!("{}, {inner:?}, {few} to {many}", task.name);
                let grown = (meter_many - meter_few) as i64;
                let on_heap = heap_many as i64 - heap_few as i64;
                // The strategy's name is longer by the digits of its number, in two strings.
                assert!(
                    (0..=16).contains(&(on_heap - grown)),
                    "{place}: {on_heap}, metered {grown}"
                );
            }
        }
    }
}

/// The two agree but for a constant: the structures of workspaces that stand in their owners, which
/// are on the meter and not on the heap, against names and the nodes' lists of operands.
fn the_meter_is_the_allocator_but_for_a_constant() {
    let task = digits();
    let problem = &task.bilevel;
    for memory in [
        Memory::Taped,
        Memory::Stored,
        Memory::Checkpointed { slots: 50 },
        Memory::Forward,
    ] {
        let itd = Itd::reverse(500).memory(memory);
        let predicted = itd.predicted_peak_bytes(problem);
        agrees(&task, problem, &itd, predicted);
        let bda = Bda::new(500).memory(memory);
        let predicted = bda.predicted_peak_bytes(problem);
        agrees(&task, problem, &bda, predicted);
    }
    let ball = Itd::reverse(500).inner(InnerStep::Momentum(0.9));
    let ball = ball.memory(Memory::Reversible);
    let predicted = ball.predicted_peak_bytes(problem);
    agrees(&task, problem, &ball, predicted);
    for lower in [
        LowerSolve::default(),
        LowerSolve::Steps {
            depth: 2000,
            inner: InnerStep::Nesterov(0.5),
            length: StepLength::Auto,
        },
    ] {
        let cg = Aid::cg().lower(lower.clone());
        agrees(&task, problem, &cg, cg.predicted_peak_bytes(problem));
        let direct = Aid::direct().lower(lower);
        let predicted = direct.predicted_peak_bytes(problem);
        agrees(&task, problem, &direct, predicted);
    }
    agrees(&task, problem, &Exact, Exact.predicted_peak_bytes(problem));
}

fn agrees(
    task: &Task<f64>,
    problem: &Bilevel<f64>,
    strategy: &dyn Strategy<f64>,
    predicted: usize,
) {
    peaks(task, problem, strategy, predicted);
    let (meter, heap) = peaks(task, problem, strategy, predicted);
    // Both recorded objectives are on the meter, and were there before.
    let programs = problem.upper().bytes() + problem.lower().bytes();
    let difference = heap as i64 - (meter - programs) as i64;
    println!("{strategy:?}: meter {meter}, programs {programs}, heap {heap}: {difference}");
    assert!(difference.abs() < 1024, "{strategy:?}: {difference} bytes");
}

/// What products of matrices inside a factorisation pack their operands into, which no meter sees.
fn packed(n: usize) -> f64 {
    let entry = |i: usize| if i.is_multiple_of(n + 1) { 1.0 } else { 0.0 };
    let mut unit = Vec::from_iter((0..n * n).map(entry));
    let before = LIVE.get();
    PEAK.set(before);
    cholesky::factor(&mut unit, n).expect("definite");
    (PEAK.get() - before) as f64
}

/// To the byte, but for the low rank: there it is the most that libraries for dense matrices take at
/// any of its ranks.
fn linear_solvers_hold_what_they_say() {
    let n = 150;
    let packed = packed(n);
    let h = |i: usize, j: usize| if i == j { 2.0 + i as f64 } else { 0.01 };
    let b = vec![1.0; n];
    let mut v = vec![0.0; n];
    for (solver, room, packed) in [
        (&Cg::new() as &dyn LinearSolver<f64>, 0.0, 0.0),
        (&Minres::new(), 0.0, 0.0),
        (&Neumann::new(), 0.0, 0.0),
        (&FixedPoint::new(), 0.0, 0.0),
        (&OneStep::new(), 0.0, 0.0),
        (&Direct, 0.0, packed),
        (&Nystrom::new(20), 0.3, 0.0),
        (&Nystrom::new(50), 0.3, 0.0),
        (&Nystrom::new(100), 0.3, 0.0),
        (&Nystrom::new(140), 0.3, 0.0),
        (&Nystrom::new(150), 0.3, 0.0),
    ] {
        let mut product = |p: &[f64], out: &mut [f64]| {
            for (p, out) in p.chunks(n).zip(out.chunks_mut(n)) {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = (0..n).map(|j| h(i, j) * p[j]).sum();
                }
            }
        };
        let meter = Meter::new();
        let before = LIVE.get();
        PEAK.set(before);
        v.fill(0.0);
        solve(solver, &mut product, &b, &mut v, &meter);
        let heap = (PEAK.get() - before) as usize;
        let said = solver.bytes(n);
        println!("{solver:?}: said {said}, heap {heap}");
        assert_eq!(meter.read().peak, said, "{solver:?}");
        let (said, heap) = (said as f64, heap as f64);
        assert!(
            heap <= said + packed + 512.0 && heap >= said * (1.0 - room) - 512.0,
            "{solver:?}: {said} said, {heap} held"
        );
    }
}

/// Two ranks of one thread, the other of which sends zeros; as a binding does, it copies what is sent.
#[derive(Debug)]
struct Two;

impl ranks::Ranks for Two {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        2
    }

    fn gather(&self, counts: &[usize], all: &mut [u8]) {
        let own = all[..counts[0]].to_vec();
        // The fingerprint that goes before.
        all[counts[0]..][..8].copy_from_slice(&own[..8]);
    }

    fn fail(&self, _: u8, reason: &str) -> ! {
        panic!("{reason}")
    }
}

#[test]
fn buffers_of_messages_are_counted_as_the_allocator_does() {
    // Lists of a few words for each rank, and names.
    const CONSTANT: usize = 1 << 10;
    ranks::enter(Two, || {
        let task = digits();
        let mut point = task.bilevel.lower().point();
        let y = vec![0.1; task.bilevel.dim_y()];
        point.linearise(&[task.x.as_slice(), &y]);
        point.second(&[None, Some(&y)]);
        let before = LIVE.get();
        PEAK.set(before);
        point.second(&[None, Some(&y)]);
        let heap = (PEAK.get() - before) as usize;
        let held = ranks::traffic().held;
        // A sum of weights and one of products, in whole lines, of one block.
        assert!(held > y.len() * size_of::<f64>(), "{held}");
        assert!((held..held + CONSTANT).contains(&heap), "{held}, {heap}");

        let numbers = vec![1.0f64; 100_000];
        let before = LIVE.get();
        PEAK.set(before);
        let counts = [60_000, 40_000];
        let numbers = ranks::exchange(&counts, numbers);
        let heap = (PEAK.get() - before) as usize + numbers.len() * size_of::<f64>();
        let held = ranks::traffic().held;
        assert!((held..held + CONSTANT).contains(&heap), "{held}, {heap}");
    });
}
