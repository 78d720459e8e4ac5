//! An unrolled loop against the same steps recorded as one long program.

use std::sync::Arc;

use autodiff::sweep::{primal, reverse};
use autodiff::unroll::{Memory, Step, Unrolled};
use autodiff::{Inputs, Meter, Need, Program, Shape, Var};
use bilevel_tests::campaign::for_all;
use bilevel_tests::numbers::{bits, dot};
use bilevel_tests::programs::case;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

const SAMPLE: u32 = 500;

/// A damped gradient step on `f` by its last input, the others being the slices of `x`.
fn descend<'r>(f: &Arc<Program<f64>>, x: Var<'r>, state: Var<'r>) -> Var<'r> {
    let last = f.inputs() - 1;
    let mut start = 0;
    let mut arguments: Vec<Var> = Vec::new();
    for k in 0..last {
        let len = f.input_shape(k).len();
        arguments.push(x.slice(start, len));
        start += len;
    }
    arguments.push(state);
    state.cos() - 0.25 * Var::gradient(f, last, &arguments).tanh()
}

/// The last state and the two cotangents of `depth` steps as one program.
fn taped(
    f: &Arc<Program<f64>>,
    (x, start): (&[f64], &[f64]),
    depth: usize,
    cotangent: &[f64],
) -> [Vec<f64>; 3] {
    let shapes = [Shape::vector(x.len()), Shape::vector(start.len())];
    let program = Program::record(&shapes, |v| {
        (0..depth).fold(v[1], |state, _| descend(f, v[0], state))
    });
    let mut work = program.workspace(&Meter::new());
    work.set_input(&program, 0, x);
    work.set_input(&program, 1, start);
    primal(&program, &mut work, Inputs::ALL, Need::Gradient);
    reverse(&program, &mut work, cotangent, Inputs::ALL);
    let by = |k: usize| work.adjoint(&program, k).to_vec();
    [work.output(&program).to_vec(), by(0), by(1)]
}

fn close(got: &[f64], want: &[f64]) -> TestCaseResult {
    let size = dot(want, want).0.sqrt();
    for (got, want) in got.iter().zip(want) {
        let bound = 1e-11 * (1.0 + size);
        prop_assert!((got - want).abs() <= bound, "{got:e}, not {want:e}");
    }
    Ok(())
}

#[test]
fn every_policy_agrees_with_one_long_program() {
    for_all(file!(), SAMPLE, (case(), 0usize..6), |(case, depth)| {
        let f = case.program.record::<f64>();
        let last = f.inputs() - 1;
        let x = case.at()[..last].concat();
        let (start, cotangent) = (&case.at()[last], &case.w()[last]);
        let other = case.v()[..last].concat();
        let new = || {
            let step = Step::new(x.len(), start.len(), |x, s, _| descend(&f, x, s));
            Unrolled::new(step, &Meter::new())
        };

        let mut used = new();
        // Another x, another depth and policy: none may leave a trace.
        used.forward(&other, cotangent, 3, Memory::Truncated { steps: 1 });
        used.reverse(start);
        let mut fresh = new();
        let [state, by_x, by_start] = taped(&f, (&x, start), depth, cotangent);
        for memory in [
            Memory::Taped,
            Memory::Stored,
            Memory::Checkpointed { slots: 2 },
            Memory::Online { slots: 2 },
            Memory::Truncated { steps: depth + 1 },
        ] {
            prop_assert_eq!(used.forward(&x, start, depth, memory), &state[..]);
            let got = used.reverse(cotangent);
            close(got.0, &by_x)?;
            close(got.1, &by_start)?;
            fresh.forward(&x, start, depth, Memory::Stored);
            let want = fresh.reverse(cotangent);
            prop_assert_eq!(bits(got.0), bits(want.0));
            prop_assert_eq!(bits(got.1), bits(want.1));
        }

        // A truncated loop is one that starts late.
        for steps in 0..depth {
            let late = fresh
                .forward(&x, start, depth - steps, Memory::Stored)
                .to_vec();
            let [_, by_x, by_late] = taped(&f, (&x, &late), steps, cotangent);
            used.forward(&x, start, depth, Memory::Truncated { steps });
            let got = used.reverse(cotangent);
            close(got.0, &by_x)?;
            close(got.1, &by_late)?;
        }
        Ok(())
    });
}
