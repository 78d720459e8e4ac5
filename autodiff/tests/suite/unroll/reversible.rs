//! Momentum run backwards: what it differentiates, how far it is from floating point, and what it
//! refuses.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use autodiff::bytes::Category;
use autodiff::unroll::{Decay, Grid, Irreversible, Memory, Step, Unrolled};
use autodiff::{Meter, Real};

use crate::unroll::cases::*;

fn reversible<T: Real>() -> Vec<Case<T>> {
    let cases = cases::<T>().into_iter();
    let cases: Vec<_> = cases.filter(|c| suits(c, Memory::Reversible)).collect();
    assert_eq!(cases.len(), 3, "heavy balls");
    cases
}

/// The pullback, step by step, at the states that the loop went through: the same bits.
fn differentiates_the_step_at_its_states<T: Real>() {
    // A step alone has iteration number 0: no schedule.
    for case in reversible::<T>().into_iter().take(2) {
        let (x, depth) = (noise(DIM, 1), 60);
        let mut unrolled = fresh(&case);
        let mut states = Vec::new();
        let memory = Memory::Reversible;
        unrolled.forward_until(&x, &case.start, depth, memory, |_, state| {
            states.push(state.to_vec());
            false
        });
        let cotangent = noise::<T>(2 * DIM, 2);
        let (by_x, by_start) = unrolled.reverse(&cotangent);

        let mut single = fresh(&case);
        let (mut want_x, mut want) = (vec![T::zero(); DIM], cotangent);
        for state in states.iter().rev() {
            single.forward(&x, state, 1, Memory::Stored);
            let (by_x, by_state) = single.reverse(&want);
            want_x
                .iter_mut()
                .zip(by_x)
                .for_each(|(sum, part)| *sum += *part);
            want = by_state.to_vec();
        }
        assert_eq!((by_x, by_start), (&want_x[..], &want[..]), "{}", case.name);
    }
}

#[test]
fn the_derivative_is_that_of_the_step_at_its_states() {
    differentiates_the_step_at_its_states::<f64>();
    differentiates_the_step_at_its_states::<f32>();
}

/// In f64 the grid is as fine as rounding near 1; the product with the decay is right to n units.
#[test]
fn it_is_near_the_loop_in_floating_point() {
    for case in reversible::<f64>() {
        for depth in DEPTHS {
            let want = run(&mut fresh(&case), &case.start, depth, Memory::Stored);
            let got = run(&mut fresh(&case), &case.start, depth, Memory::Reversible);
            let parts = [(&got.0, &want.0), (&got.1, &want.1), (&got.2, &want.2)];
            for (got, want) in parts {
                for (got, want) in got.iter().zip(want) {
                    assert!((got - want).abs() < 1e-12, "{}, {depth} steps", case.name);
                }
            }
        }
    }
    for case in reversible::<f32>() {
        let want = run(&mut fresh(&case), &case.start, 50, Memory::Stored);
        let got = run(&mut fresh(&case), &case.start, 50, Memory::Reversible);
        for (got, want) in got.1.iter().zip(&want.1) {
            assert!((got - want).abs() < 1e-5, "{}", case.name);
        }
    }
}

/// g = ½h(y − x)²: dy_K/dx by its own recurrence, at a depth no other policy would be asked for.
#[test]
fn ten_thousand_steps_have_their_closed_form() {
    let (h, length, depth) = (0.01, 0.003, 10_000);
    for decay in [0.5, 0.9, 0.99, 0.999, 1.0 / 3.0, 1.0] {
        let step = Step::momentum(1, 1, decay, |x, y, _| (x - y) * (h * length));
        let meter = Meter::new();
        let mut ball = Unrolled::new(step.clone(), &meter);
        ball.forward(&[2.0], &[1.0, 0.0], depth, Memory::Reversible);
        let got = ball.reverse(&[1.0, 0.0]).0[0];
        let (mut y, mut v) = (0.0, 0.0);
        for _ in 0..depth {
            v = decay * v + (1.0 - y) * (h * length);
            y += v;
        }
        assert!(
            (got - y).abs() < 1e-12 * y.abs().max(1.0),
            "{decay}: {got}, not {y}"
        );
        assert_eq!(
            meter.read().peak,
            step.peak_bytes(depth, Memory::Reversible)
        );
        // Against 16 bytes for each stored state.
        let bits = 8 * meter.read().live_in(Category::Checkpoints);
        let want = depth as f64 * Decay::of::<f64>(decay).expect("a ratio").bits();
        assert!((bits as f64 - want).abs() < 140.0, "{decay}: {bits} bits");
    }
}

/// Dyadic numbers and γ = ½: nothing is rounded on either way, so nothing differs.
#[test]
fn where_nothing_is_rounded_it_is_the_stored_loop() {
    let step = Step::<f64>::momentum(1, 1, 0.5, |x, y, _| (x - y) * 0.25);
    let run = |memory| {
        let mut ball = Unrolled::new(step.clone(), &Meter::new());
        let state = ball.forward(&[1.0], &[-3.0, 0.5], 15, memory).to_vec();
        let (by_x, by_start) = ball.reverse(&[1.0, 2.0]);
        (state, by_x.to_vec(), by_start.to_vec())
    };
    assert_eq!(run(Memory::Reversible), run(Memory::Stored));
}

/// Run backwards, such a loop does not come to where it started.
#[test]
fn a_force_that_is_another_one_on_the_way_back_is_said() {
    let depth = 20;
    for spared in [depth, 100] {
        let calls = AtomicUsize::new(0);
        let coefficients = move |_: usize, c: &mut [f64]| {
            let late = calls.fetch_add(1, Relaxed) >= spared;
            c[0] = if late { 0.101 } else { 0.1 };
        };
        let step =
            Step::momentum_scheduled(1, 1, 0.9, 1, coefficients, |x, y, c| (x - y) * c.at(0));
        let mut ball = Unrolled::new(step, &Meter::new());
        ball.forward(&[1.0], &[0.0, 0.0], depth, Memory::Reversible);
        let by_x = ball.reverse(&[1.0, 0.0]).0[0];
        let strayed = ball.irreversible() == Some(Irreversible::Strayed);
        assert_eq!((strayed, by_x.is_nan()), (spared == depth, spared == depth));
    }
}

#[test]
fn what_leaves_the_grid_is_said() {
    let growing = Step::<f64>::momentum(1, 1, 0.9, |x, y, _| y * x);
    let mut ball = Unrolled::new(growing, &Meter::new());
    let limit = Grid::of::<f64>().limit;
    let state = ball.forward(&[1.0], &[1.0, 0.0], 100, Memory::Reversible);
    assert!(state.iter().all(|v| v.is_nan()));
    let Some(Irreversible::OutOfRange { step, limit: said }) = ball.irreversible() else {
        panic!("{:?}", ball.irreversible());
    };
    assert_eq!((said, ball.depth()), (limit, step));
    assert!((5..20).contains(&step));
    let (by_x, by_start) = ball.reverse(&[1.0, 0.0]);
    assert!(by_x[0].is_nan() && by_start[1].is_nan());

    // Up to there it is within range, and the next pass is not spoilt.
    let state = ball.forward(&[1.0], &[1.0, 0.0], step, Memory::Reversible);
    assert!(state[0].abs() <= limit && ball.reverse(&[1.0, 0.0]).0[0].is_finite());
    assert_eq!(ball.irreversible(), None);

    for (x, start) in [
        (f64::NAN, 1.0),
        (f64::INFINITY, 1.0),
        (0.0, 2.0 * limit),
        (0.0, f64::NAN),
    ] {
        ball.forward(&[x], &[start, 0.0], 10, Memory::Reversible);
        let trouble = ball.irreversible().expect("not on the grid");
        assert_eq!(trouble, Irreversible::OutOfRange { step: 0, limit });
        assert!(trouble.to_string().contains("16384"), "{trouble}");
        assert!(ball.reverse(&[1.0, 0.0]).0[0].is_nan());
    }
}

#[test]
fn steps_that_cannot_be_undone_are_refused() {
    let descent = Step::<f64>::new(1, 1, |x, y, _| y * 0.5 + x);
    let message = descent.complaint(Memory::Reversible).expect("no momentum");
    assert!(
        message.contains("Step::momentum") && message.contains("checkpointed"),
        "{message}"
    );
    let odd = Step::<f64>::momentum(1, 1, 0.123_456_789, |x, y, _| x - y);
    let message = odd.complaint(Memory::Reversible).expect("no ratio");
    assert!(
        message.contains("0.123456789") && message.contains("such as"),
        "{message}"
    );
    assert_eq!(odd.complaint(Memory::Stored), None);
}

#[test]
#[should_panic(expected = "reversible: the step cannot be undone")]
fn a_step_that_cannot_be_undone_is_a_mistake() {
    let step = Step::<f64>::new(1, 1, |x, y, _| y * 0.5 + x);
    Unrolled::new(step, &Meter::new()).forward(&[0.0], &[0.0], 1, Memory::Reversible);
}

#[test]
#[should_panic(expected = "reversible: decay 0")]
fn no_decay_cannot_be_undone() {
    let step = Step::<f64>::momentum(1, 1, 0.0, |x, y, _| x - y);
    _ = step.peak_bytes(3, Memory::Reversible);
}
