//! The policies against each other, to the bit.

use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Meter, Objective, Real, Var, objective};
use proptest::prelude::*;

use crate::unroll::cases::*;

/// Every policy that keeps all derivatives gives the bits of `Stored`.
fn all_policies_agree<T: Real>() {
    for case in cases::<T>() {
        // One loop for all, so that depths and policies follow upon one another.
        let mut shared = fresh(&case);
        for depth in DEPTHS.into_iter().chain(DEPTHS.into_iter().rev()) {
            let want = run(&mut fresh(&case), &case.start, depth, Memory::Stored);
            assert_eq!(want.3, 0);
            let mut policies = vec![
                Memory::Taped,
                Memory::Stored,
                Memory::Truncated { steps: depth },
                Memory::Truncated { steps: depth + 9 },
            ];
            for slots in [1, 2, 3, 5, 8, 49, 199, 200, 1000] {
                policies.push(Memory::Checkpointed { slots });
                policies.push(Memory::Online { slots });
                policies.push(Memory::Disk { slots });
            }
            for memory in policies {
                let place = format!("{}, {depth} steps, {memory}", case.name);
                let got = run(&mut shared, &case.start, depth, memory);
                assert_eq!(bits(&got), bits(&want), "{place}");
                assert_eq!(got.3, memory.recomputed_steps(depth), "{place}");
            }
        }
    }
}

#[test]
fn all_policies_agree_to_the_bit() {
    all_policies_agree::<f64>();
    all_policies_agree::<f32>();
}

#[test]
fn truncation_leaves_out_the_first_steps() {
    for case in cases::<f64>() {
        let (depth, steps) = (20, 6);
        let mut unrolled = fresh(&case);
        let got = run(
            &mut unrolled,
            &case.start,
            depth,
            Memory::Truncated { steps },
        );
        // The last steps alone, from the state they start from; not where coefficients change.
        if !case.name.starts_with("scheduled") {
            let x = noise(DIM, 1);
            let middle = unrolled
                .forward(&x, &case.start, depth - steps, Memory::Stored)
                .to_vec();
            let want = run(&mut unrolled, &middle, steps, Memory::Stored);
            assert_eq!(
                (got.0, got.1, got.2),
                (want.0, want.1, want.2),
                "{}",
                case.name
            );
        }
        let (_, by_x, by_start, _) = run(
            &mut unrolled,
            &case.start,
            depth,
            Memory::Truncated { steps: 0 },
        );
        assert_eq!(by_x, [0.0; DIM]);
        assert_eq!(by_start, noise::<f64>(case.start.len(), 2));
    }
}

#[test]
fn a_second_reverse_pass_gives_the_same_bits() {
    for case in cases::<f64>() {
        let mut unrolled = fresh(&case);
        for memory in [
            Memory::Taped,
            Memory::Stored,
            Memory::Checkpointed { slots: 3 },
            Memory::Online { slots: 3 },
            Memory::Disk { slots: 4 },
            Memory::Truncated { steps: 4 },
            Memory::Reversible,
            Memory::Forward,
        ] {
            if !suits(&case, memory) {
                continue;
            }
            let depth = 30;
            let (state, by_x, by_start, again) = run(&mut unrolled, &case.start, depth, memory);
            for _ in 0..2 {
                let (x, start) = unrolled.reverse(&noise(case.start.len(), 2));
                assert_eq!(
                    (x, start),
                    (&by_x[..], &by_start[..]),
                    "{}, {memory}",
                    case.name
                );
                let first_traverse = match memory {
                    Memory::Checkpointed { .. } | Memory::Online { .. } => depth - 1,
                    Memory::Reversible => depth,
                    // Thirty steps end with two beyond seven segments of four.
                    Memory::Disk { .. } => 1,
                    _ => 0,
                };
                assert_eq!(unrolled.recomputed_steps(), again + first_traverse);
                assert_eq!(unrolled.state(), state);
            }
        }
    }
}

#[test]
fn a_loop_that_stops_gives_what_its_depth_gives() {
    for case in cases::<f64>() {
        let mut unrolled = fresh(&case);
        let (x, cotangent, limit) = (noise(DIM, 1), noise(case.start.len(), 2), 90);
        for depth in [0, 1, 2, 9, 41, 89, 90] {
            for memory in [
                Memory::Taped,
                Memory::Stored,
                Memory::Checkpointed { slots: 5 },
                Memory::Online { slots: 5 },
                Memory::Disk { slots: 5 },
                Memory::Truncated { steps: 7 },
                Memory::Reversible,
                Memory::Forward,
            ] {
                if !suits(&case, memory) {
                    continue;
                }
                let place = format!("{}, {depth} of {limit} steps, {memory}", case.name);
                let want = run(&mut fresh(&case), &case.start, depth, memory);
                let mut seen = 0;
                let state = unrolled.forward_until(&x, &case.start, limit, memory, |k, _| {
                    seen = k;
                    k == depth
                });
                assert_eq!(state, want.0, "{place}");
                assert_eq!(
                    (unrolled.depth(), seen),
                    (depth, depth.min(limit - 1)),
                    "{place}"
                );
                let (by_x, by_start) = unrolled.reverse(&cotangent);
                assert_eq!((by_x, by_start), (&want.1[..], &want.2[..]), "{place}");
                if matches!(memory, Memory::Online { .. }) {
                    assert_eq!(unrolled.recomputed_steps(), want.3, "{place}");
                }
            }
        }
    }
}

#[test]
fn a_loop_may_stop_on_a_tolerance() {
    let step = Step::<f64>::new(1, 1, |x, y, _| y * 0.5 + x);
    let mut unrolled = Unrolled::new(step, &Meter::new());
    let mut last = f64::INFINITY;
    let memory = Memory::Online { slots: 4 };
    let state = unrolled.forward_until(&[0.5], &[0.0], usize::MAX, memory, |_, y| {
        let change = (y[0] - last).abs();
        last = y[0];
        change < 1e-9
    });
    assert!((state[0] - 1.0).abs() < 1e-8);
    assert_eq!(unrolled.depth(), 30);
    assert!((unrolled.reverse(&[1.0]).0[0] - 2.0).abs() < 1e-8);
}

#[test]
fn x_may_stay_or_change_between_calls() {
    for case in cases::<f64>() {
        let mut shared = fresh(&case);
        let cotangent = noise(case.start.len(), 2);
        for (seed, memory) in [
            (1, Memory::Taped),
            (1, Memory::Taped),
            (4, Memory::Taped),
            (4, Memory::Checkpointed { slots: 2 }),
            (4, Memory::Online { slots: 2 }),
            (6, Memory::Forward),
            (4, Memory::Reversible),
            (6, Memory::Reversible),
            (6, Memory::Stored),
            (1, Memory::Taped),
            (6, Memory::Checkpointed { slots: 2 }),
        ] {
            if !suits(&case, memory) {
                continue;
            }
            let (x, depth) = (noise(DIM, seed), 9);
            let mut alone = fresh(&case);
            assert_eq!(
                shared.forward(&x, &case.start, depth, memory),
                alone.forward(&x, &case.start, depth, memory)
            );
            assert_eq!(
                shared.reverse(&cotangent),
                alone.reverse(&cotangent),
                "{}, {memory}",
                case.name
            );
        }
    }
}

#[test]
#[should_panic(expected = "checkpointed:0: 0 slots: expected at least 1")]
fn no_slots_are_a_mistake() {
    let case = &cases::<f64>()[0];
    fresh(case).forward(
        &noise(DIM, 1),
        &case.start,
        3,
        Memory::Checkpointed { slots: 0 },
    );
}

proptest! {
    #[test]
    fn any_slots_at_any_depth(
        case in 0..7_usize,
        depth in 0..120_usize,
        slots in 1..30_usize,
        later in 0..120_usize,
    ) {
        let case = &cases::<f64>()[case];
        let mut unrolled = fresh(case);
        for depth in [depth, later] {
            let want = run(&mut fresh(case), &case.start, depth, Memory::Stored);
            for memory in [
                Memory::Checkpointed { slots },
                Memory::Online { slots },
                Memory::Disk { slots },
            ] {
                let got = run(&mut unrolled, &case.start, depth, memory);
            prop_assert_eq!(bits(&got), bits(&want));
                prop_assert_eq!(got.3, memory.recomputed_steps(depth));
            }
        }
    }
}

#[test]
fn how_far_the_last_step_moved_is_the_same_under_every_policy() {
    let g =
        objective(|x: Var, y: Var| 0.5 * (y - x).square().dot(y.vector(&[1.0, 0.1]))).record(2, 2);
    let step = Step::momentum(2, 2, 0.5, |x, y, _| -0.5 * Var::gradient(&g, 1, &[x, y]));
    let (x, start) = ([1.0, 2.0], [0.0; 4]);
    let mut descent = Unrolled::new(step, &Meter::new());
    let before = descent.forward(&x, &start, 6, Memory::Stored).to_vec();
    let last = descent.forward(&x, &start, 7, Memory::Stored).to_vec();
    let want = (last[0] - before[0]).hypot(last[1] - before[1]);
    let mut halving = None;
    for memory in [
        Memory::Stored,
        Memory::Taped,
        Memory::Checkpointed { slots: 2 },
        Memory::Online { slots: 2 },
        Memory::Disk { slots: 2 },
        Memory::Truncated { steps: 7 },
        Memory::Forward,
        Memory::Reversible,
    ] {
        descent.forward(&x, &start, 7, memory);
        let moved = descent.moved();
        assert!(
            (moved / want - 1.0).abs() < 1e-12,
            "{memory}: {moved} {want}"
        );
        let is_forward = memory == Memory::Forward;
        assert_eq!(descent.derivative_moved().is_some(), is_forward);
        descent.reverse(&[1.0, 1.0, 0.0, 0.0]);
        assert_eq!(descent.moved(), moved);
        if !is_forward {
            let first = *halving.get_or_insert(descent.halving());
            assert!((descent.halving() / first - 1.0).abs() < 1e-9, "{memory}");
        }
    }
    assert!(descent.forward(&x, &start, 0, Memory::Stored) == start && descent.moved() == 0.0);
}

#[test]
fn forward_mode_says_how_far_its_derivative_moved() {
    // Ẏ_k = 1 − 0.9ᵏ
    let g = objective(|x: Var, y: Var| 0.5 * (y - x).norm_squared()).record(1, 1);
    let step = Step::new(1, 1, |x, y, _| y - 0.1 * Var::gradient(&g, 1, &[x, y]));
    let mut descent = Unrolled::new(step, &Meter::new());
    descent.forward(&[1.0], &[0.0], 20, Memory::Forward);
    let want = 0.1 * 0.9f64.powi(19) / (1.0 - 0.9f64.powi(20));
    assert!((descent.derivative_moved().unwrap() / want - 1.0).abs() < 1e-12);
    descent.forward_until(&[1.0], &[0.0], 20, Memory::Forward, |made, _| made == 5);
    assert_eq!(descent.derivative_moved(), None);
}
