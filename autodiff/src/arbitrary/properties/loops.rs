//! Unrolled loops against the same steps recorded as one long program, and against themselves
//! under other memory policies.

use std::sync::Arc;

use crate::arbitrary::{Loop, StepKind};
use crate::bytes::Meter;
use crate::inputs::Inputs;
use crate::program::Program;
use crate::shape::Shape;
use crate::unroll::{Memory, Unrolled};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::arbitrary::numbers::{bits, dot};

fn fresh(drawn: &Loop) -> Unrolled<f64> {
    Unrolled::new(drawn.step(&drawn.program()), &Meter::new())
}

/// The last state and the two cotangents.
type Ends = [Vec<f64>; 3];

fn run(unrolled: &mut Unrolled<f64>, drawn: &Loop, memory: Memory) -> Ends {
    let state = unrolled.forward(&drawn.x(), &drawn.start(), drawn.depth, memory);
    let state = state.to_vec();
    let (by_x, by_start) = unrolled.reverse(&drawn.cotangent());
    [state, by_x.to_vec(), by_start.to_vec()]
}

fn all_bits(ends: &Ends) -> Vec<u64> {
    bits(&ends.concat())
}

/// The bits of every policy are those of all states stored, in a loop that was used at another x,
/// depth and policy as in a fresh one; so are those of a truncation to as many steps or more.
pub fn every_policy_gives_the_same_bits(drawn: Loop) -> TestCaseResult {
    let want = run(&mut fresh(&drawn), &drawn, Memory::Stored);
    let mut used = fresh(&drawn);
    let other: Vec<f64> = drawn.x().iter().map(|v| 0.5 - v).collect();
    used.forward(
        &other,
        &drawn.cotangent(),
        3,
        Memory::Truncated { steps: 1 },
    );
    used.reverse(&drawn.start());
    for memory in drawn.policies() {
        let got = run(&mut used, &drawn, memory);
        prop_assert_eq!(all_bits(&got), all_bits(&want), "{}", memory);
    }
    Ok(())
}

/// All steps as one program: its ends, and its number of operations with those of the gradients.
fn taped(
    f: &Arc<Program<f64>>,
    drawn: &Loop,
    start: &[f64],
    steps: std::ops::Range<usize>,
) -> (Ends, usize) {
    let x = drawn.x();
    let shapes = [Shape::vector(x.len()), Shape::vector(start.len())];
    let program = Program::record(&shapes, |v| {
        steps.clone().fold(v[1], |state, k| {
            let c = (drawn.kind == StepKind::Scheduled).then(|| state.scalar(Loop::coefficient(k)));
            drawn.record(f, v[0], state, c)
        })
    });
    let mut point = program.point();
    let end = point.linearise_vector(&[&x, start]).to_vec();
    point.pull_back(&drawn.cotangent(), Inputs::ALL);
    let ends = [end, point.gradient(0).to_vec(), point.gradient(1).to_vec()];
    (ends, program.len() + steps.len() * f.len())
}

/// Rounding that the steps may amplify by their own derivatives, which are of order one.
fn close(got: &[f64], want: &[f64], operations: usize) -> TestCaseResult {
    let size = dot(want, want).0.sqrt();
    let bound = 64.0 * f64::EPSILON * operations as f64 * (1.0 + size);
    for (got, want) in got.iter().zip(want) {
        prop_assert!(
            (got - want).abs() <= bound,
            "{got:e}, not {want:e}: bound {bound:e}"
        );
    }
    Ok(())
}

/// A loop is its steps one after the other, and a truncated one is a loop that starts late.
pub fn a_loop_is_one_long_program(drawn: Loop) -> TestCaseResult {
    let f = drawn.program();
    let mut unrolled = fresh(&drawn);
    let depth = drawn.depth;
    let (want, operations) = taped(&f, &drawn, &drawn.start(), 0..depth);
    let got = run(&mut unrolled, &drawn, Memory::Stored);
    for (got, want) in got.iter().zip(&want) {
        close(got, want, operations)?;
    }
    for steps in 0..depth {
        let x = drawn.x();
        let late = unrolled.forward(&x, &drawn.start(), depth - steps, Memory::Stored);
        let late = late.to_vec();
        let (want, operations) = taped(&f, &drawn, &late, depth - steps..depth);
        let got = run(&mut unrolled, &drawn, Memory::Truncated { steps });
        for (got, want) in got[1..].iter().zip(&want[1..]) {
            close(got, want, operations)?;
        }
    }
    Ok(())
}

/// The derivative by x carried forward, times the cotangent, is the reverse pass's.
pub fn forward_mode_agrees_with_reverse_mode(drawn: Loop) -> TestCaseResult {
    let mut unrolled = fresh(&drawn);
    let want = run(&mut unrolled, &drawn, Memory::Stored);
    let got = run(&mut unrolled, &drawn, Memory::Forward);
    prop_assert_eq!(bits(&got[0]), bits(&want[0]));
    let operations = drawn.depth * (unrolled.program().len() + drawn.program::<f64>().len());
    // The columns may be larger than what the cotangent makes of them.
    let (_, columns) = unrolled.forward_mode(&drawn.x(), &drawn.start(), drawn.depth);
    let size = dot(columns, columns).0.sqrt() + dot(&want[2], &want[2]).0.sqrt();
    let bound = 64.0 * f64::EPSILON * operations as f64 * (1.0 + size);
    for (got, want) in got[1].iter().zip(&want[1]) {
        prop_assert!(
            (got - want).abs() <= bound,
            "{got:e}, not {want:e}: bound {bound:e}"
        );
    }
    Ok(())
}

/// Momentum run backwards: the same bits at every pass, and the derivatives of the stored loop up
/// to the grid that its iterates lie on.
pub fn momentum_undone_is_momentum_stored(drawn: Loop) -> TestCaseResult {
    let drawn = Loop {
        kind: StepKind::Momentum,
        ..drawn
    };
    let mut unrolled = fresh(&drawn);
    let got = run(&mut unrolled, &drawn, Memory::Reversible);
    prop_assert_eq!(unrolled.irreversible(), None);
    let (by_x, by_start) = unrolled.reverse(&drawn.cotangent());
    prop_assert_eq!(bits(&[by_x, by_start].concat()), bits(&got[1..].concat()));
    let want = run(&mut unrolled, &drawn, Memory::Stored);
    for (got, want) in got.iter().zip(&want) {
        let size = dot(want, want).0.sqrt();
        // Iterates differ by a few units of 2⁻⁴⁷ a step, times the curvature of the steps.
        let bound = 1e-8 * (1.0 + size) * (1.0 + size);
        for (got, want) in got.iter().zip(want) {
            prop_assert!((got - want).abs() <= bound, "{got:e}, not {want:e}");
        }
    }
    Ok(())
}
