//! Gradients as operations: a program that takes the gradient of another.

use autodiff::arbitrary::case;
use autodiff::arbitrary::for_all;
use autodiff::arbitrary::numbers::{bits, directions, dot, gradients, joint_dot, slices};
use autodiff::arbitrary::properties::replays as property;
use autodiff::arbitrary::properties::replays::gradient_of;
use autodiff::{Inputs, Program, Var};
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
        let mut point = program.point();
        point.linearise_vector(&slices(&case.at()));
        let (v, u) = (case.v(), &case.w()[last]);
        point.pull_back(u, Inputs::ALL);
        let (left, size) = joint_dot(&gradients(&point), &v);
        let pushed = point.push_forward(&directions(&v)).expect("it moves");
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
        let mut used = program.point();
        let u = &case.w()[f.inputs() - 1];
        for inputs in [case.v(), case.at(), case.w(), case.at()] {
            let mut fresh = program.point();
            for point in [&mut used, &mut fresh] {
                point.evaluate(&slices(&inputs));
                point.linearise_vector(&slices(&inputs));
                point.pull_back(u, Inputs::ALL);
            }
            let all = |point: &_| gradients(point).concat();
            prop_assert_eq!(bits(&all(&used)), bits(&all(&fresh)));
        }
        Ok(())
    });
}
