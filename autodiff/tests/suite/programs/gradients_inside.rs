//! Gradients as operations: a program that takes the gradient of another.

use autodiff::arbitrary::case;
use autodiff::arbitrary::for_all;
use autodiff::arbitrary::numbers::{bits, directions, dot, joint_dot};
use autodiff::arbitrary::properties::replays as property;
use autodiff::arbitrary::properties::replays::gradient_of;
use autodiff::sweep::{primal, reverse, tangent};
use autodiff::{Inputs, Meter, Need, Program, Var};
use proptest::prelude::*;

const SAMPLE: u32 = 1000;

#[test]
fn both_derivatives_of_a_gradient_are_products_of_the_function() {
    for_all(
        file!(),
        SAMPLE,
        case(),
        property::both_derivatives_of_a_gradient_are_products_of_the_function,
    );
}

#[test]
fn a_step_with_gradients_inside_has_transposed_sweeps() {
    for_all(file!(), SAMPLE, case(), |case| {
        let f = case.graph.record::<f64>();
        let last = f.inputs() - 1;
        // Two gradients, one at arguments that are computed from the other.
        let program = Program::<f64>::record(&case.graph.shapes(), |v| {
            let y = v[last] - 0.25 * Var::gradient(&f, last, v).tanh();
            let mut arguments: Vec<Var> = v.iter().map(|v| v.sin()).collect();
            arguments[last] = y;
            y - 0.25 * Var::gradient(&f, last, &arguments).tanh()
        });
        let mut work = program.workspace(&Meter::new());
        for (k, a) in case.at().iter().enumerate() {
            work.set_input(&program, k, a);
        }
        primal(&program, &mut work, Inputs::ALL, Need::Curvature);
        let (v, u) = (case.v(), &case.w()[last]);
        reverse(&program, &mut work, u, Inputs::ALL);
        let pulled: Vec<Vec<f64>> = (0..v.len())
            .map(|k| work.adjoint(&program, k).to_vec())
            .collect();
        let (left, size) = joint_dot(&pulled, &v);
        let pushed = tangent(&program, &mut work, &directions(&v)).expect("it moves");
        let (right, other) = dot(u, pushed);
        let operations = (2 * f.len() + program.len()) as f64;
        let bound = 64.0 * f64::EPSILON * operations * (1.0 + size + other);
        prop_assert!(
            (left - right).abs() <= bound,
            "{left:e} and {right:e}: bound {bound:e}\n{f:?}"
        );
        Ok(())
    });
}

#[test]
fn a_replayed_step_has_the_bits_of_a_fresh_one() {
    for_all(file!(), SAMPLE / 2, case(), |case| {
        let f = case.graph.record::<f64>();
        let program = gradient_of(&f, &case);
        let mut used = program.workspace(&Meter::new());
        let u = &case.w()[f.inputs() - 1];
        for inputs in [case.v(), case.at(), case.w(), case.at()] {
            let mut fresh = program.workspace(&Meter::new());
            for work in [&mut used, &mut fresh] {
                for (k, a) in inputs.iter().enumerate() {
                    work.set_input(&program, k, a);
                }
                primal(&program, work, Inputs::ALL, Need::Value);
                primal(&program, work, Inputs::ALL, Need::Gradient);
                reverse(&program, work, u, Inputs::ALL);
            }
            for k in 0..f.inputs() {
                let of = |work: &autodiff::Workspace<f64>| bits(work.adjoint(&program, k));
                prop_assert_eq!(of(&used), of(&fresh));
            }
        }
        Ok(())
    });
}
