//! Bytes and sweeps of the policies.

use autodiff::bytes::Category;
use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Meter, Real, Var};

use crate::unroll::cases::*;

/// Each category after a forward and a reverse pass of a fresh loop, against the prediction.
fn bytes_are_predicted<T: Real>() {
    for case in cases::<T>() {
        for depth in DEPTHS {
            for memory in [
                Memory::Taped,
                Memory::Stored,
                Memory::Checkpointed { slots: 1 },
                Memory::Checkpointed { slots: 6 },
                Memory::Online { slots: 6 },
                Memory::Disk { slots: 1 },
                Memory::Disk { slots: 6 },
                Memory::Truncated { steps: 5 },
                Memory::Reversible,
                Memory::Forward,
            ] {
                if !suits(&case, memory) {
                    continue;
                }
                let place = format!("{}, {depth} steps, {memory}", case.name);
                let meter = Meter::new();
                let mut unrolled = Unrolled::new(case.step.clone(), &meter);
                let before = meter.read();
                unrolled.forward(&noise(DIM, 1), &case.start, depth, memory);
                let held = |c| meter.read().live_in(c) - before.live_in(c);
                for category in [Category::Values, Category::Checkpoints, Category::Solver] {
                    let predicted = unrolled.kept_bytes(depth, memory, category);
                    assert_eq!(held(category), predicted, "{place}, {category:?}");
                }
                if memory == Memory::Taped {
                    // Before the way back there are no adjoints but the tape's.
                    let predicted = unrolled.kept_bytes(depth, memory, Category::Adjoints);
                    assert_eq!(held(Category::Adjoints), predicted, "{place}");
                }
                unrolled.reverse(&noise(case.start.len(), 2));
                for category in [Category::Values, Category::Checkpoints, Category::Solver] {
                    let predicted = unrolled.kept_bytes(depth, memory, category);
                    assert_eq!(held(category), predicted, "{place}, {category:?}");
                }
                // What one step needs is the same at every depth.
                if depth > 0 {
                    let meter = Meter::new();
                    let mut single = Unrolled::new(case.step.clone(), &meter);
                    run(&mut single, &case.start, 1, memory);
                    for category in Category::ALL {
                        let kept = |depth| unrolled.kept_bytes(depth, memory, category);
                        let step = meter.read().live_in(category) - kept(1);
                        let total = before.live_in(category) + held(category);
                        assert_eq!(total, step + kept(depth), "{place}, {category:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn bytes_are_predicted_exactly() {
    bytes_are_predicted::<f64>();
    bytes_are_predicted::<f32>();
}

/// The peak of a fresh loop's forward and reverse pass, against what the step alone predicts.
fn peaks_are_predicted<T: Real>() {
    for case in cases::<T>() {
        for depth in DEPTHS {
            for memory in [
                Memory::Taped,
                Memory::Stored,
                Memory::Checkpointed { slots: 1 },
                Memory::Checkpointed { slots: 6 },
                Memory::Online { slots: 6 },
                Memory::Disk { slots: 1 },
                Memory::Disk { slots: 6 },
                Memory::Truncated { steps: 0 },
                Memory::Truncated { steps: 5 },
                Memory::Reversible,
                Memory::Forward,
            ] {
                if !suits(&case, memory) {
                    continue;
                }
                let meter = Meter::new();
                let mut unrolled = Unrolled::new(case.step.clone(), &meter);
                run(&mut unrolled, &case.start, depth, memory);
                let predicted = case.step.peak_bytes(depth, memory);
                let place = format!("{}, {depth} steps, {memory}", case.name);
                assert_eq!(meter.read().peak, predicted, "{place}");
                let on_disk = memory.disk_bytes(depth, case.step.dim_state(), size_of::<T>());
                assert_eq!(meter.read().disk, on_disk, "{place}");
            }
        }
    }
}

#[test]
fn peaks_are_predicted_exactly() {
    peaks_are_predicted::<f64>();
    peaks_are_predicted::<f32>();
}

#[test]
fn a_policy_lets_go_what_another_kept() {
    let case = &cases::<f64>()[2];
    let meter = Meter::new();
    let mut unrolled = Unrolled::new(case.step.clone(), &meter);
    let checkpoints = |memory: Memory, depth| memory.checkpoint_bytes(depth, 2 * DIM, 8);
    run(&mut unrolled, &case.start, 1, Memory::Stored);
    let one_step = meter.read().live() - checkpoints(Memory::Stored, 1);
    for (memory, depth) in [
        (Memory::Taped, 40),
        (Memory::Taped, 10),
        (Memory::Checkpointed { slots: 4 }, 60),
        (Memory::Online { slots: 5 }, 60),
        (Memory::Disk { slots: 7 }, 60),
        (Memory::Disk { slots: 7 }, 5),
        (Memory::Reversible, 60),
        (Memory::Reversible, 6000),
        (Memory::Stored, 60),
        (Memory::Checkpointed { slots: 9 }, 60),
        (Memory::Truncated { steps: 3 }, 60),
        (Memory::Taped, 5),
        (Memory::Stored, 0),
    ] {
        run(&mut unrolled, &case.start, depth, memory);
        let kept: usize = Category::ALL
            .into_iter()
            .map(|c| unrolled.kept_bytes(depth, memory, c))
            .sum();
        let live = meter.read().live();
        assert_eq!(live, one_step + kept, "{memory} at {depth}");
    }
}

#[test]
fn the_tape_sweeps_nothing_on_the_way_back_but_products() {
    let g = log_sum_exp::<f64>();
    let step = Step::new(DIM, DIM, |x, y, _| y - Var::gradient(&g, 1, &[x, y]) * 0.2);
    let mut unrolled = Unrolled::new(step, &Meter::new());
    let start = noise(DIM, 5);
    let mut counts = |memory, depth| {
        let before = unrolled.sweeps_of(&g);
        run(&mut unrolled, &start, depth, memory);
        let spent = unrolled.sweeps_of(&g) - before;
        (spent.gradients, spent.hvps)
    };
    assert_eq!(counts(Memory::Taped, 10), (10, 10));
    assert_eq!(counts(Memory::Taped, 4), (4, 4));
    assert_eq!(counts(Memory::Stored, 10), (20, 10));
    let checkpointed = Memory::Checkpointed { slots: 3 };
    let again = checkpointed.recomputed_steps(10);
    assert_eq!(counts(checkpointed, 10), (20 + again, 10));
    assert_eq!(counts(Memory::Disk { slots: 4 }, 10), (20 + 6, 10));
    assert_eq!(counts(Memory::Forward, 10), (10, 10 * DIM));
}

#[test]
fn many_steps_fit_in_a_few_states() {
    let step = Step::<f64>::new(1, 1, |x, y, _| y * 0.5 + x);
    let meter = Meter::new();
    let mut unrolled = Unrolled::new(step, &meter);
    let (depth, memory) = (100_000, Memory::Checkpointed { slots: 16 });
    unrolled.forward(&[0.25], &[0.0], depth, memory);
    let (by_x, by_start) = unrolled.reverse(&[1.0]);
    assert_eq!((by_x, by_start), (&[2.0][..], &[0.0][..]));
    assert_eq!(unrolled.recomputed_steps(), memory.recomputed_steps(depth));
    assert_eq!(meter.read().live_in(Category::Checkpoints), 16 * 8);
}

/// Without an x there is no derivative by it to take along.
#[test]
fn forward_mode_without_x_has_the_predicted_peak() {
    let step = Step::<f64>::new(0, 2, |_, y, _| y * 0.5);
    for depth in [0, 1, 10] {
        let meter = Meter::new();
        let mut unrolled = Unrolled::new(step.clone(), &meter);
        unrolled.forward(&[], &[1.0, 2.0], depth, Memory::Forward);
        unrolled.reverse(&[1.0, 1.0]);
        assert_eq!(meter.read().peak, step.peak_bytes(depth, Memory::Forward));
    }
    assert!(format!("{step:?}").starts_with("Step("));
}

/// A shallower pass lets go of the tape's steps that it does not use.
#[test]
fn a_shallower_tape_holds_less() {
    let step = Step::<f64>::new(1, 2, |x, y, _| y * x.at(0));
    let held = |depths: &[usize]| {
        let meter = Meter::new();
        let mut unrolled = Unrolled::new(step.clone(), &meter);
        for depth in depths {
            unrolled.forward(&[0.9], &[1.0, 2.0], *depth, Memory::Taped);
        }
        meter.read().live()
    };
    assert_eq!(held(&[50, 3]), held(&[3]));
    assert_eq!(held(&[3, 50]), held(&[50]));
    assert!(held(&[50]) > held(&[3]));
}
