//! Gradients as operations: a program that takes the gradient of another.

use std::sync::Arc;

use autodiff::sweep::{primal, reverse, tangent};
use autodiff::{Inputs, Meter, Need, Program, Var};
use bilevel_tests::campaign::for_all;
use bilevel_tests::numbers::{bits, directions, dot, joint_dot, products, slices};
use bilevel_tests::programs::{Case, case};
use proptest::prelude::*;

const SAMPLE: u32 = 1000;

/// `∇ₖ f`, for the last input `k`.
fn gradient_of(f: &Arc<Program<f64>>, case: &Case) -> Arc<Program<f64>> {
    let last = f.inputs() - 1;
    Program::record(&case.program.shapes(), |v| Var::gradient(f, last, v))
}

#[test]
fn both_derivatives_of_a_gradient_are_products_of_the_function() {
    for_all(file!(), SAMPLE, case(), |case| {
        let f = case.program.record::<f64>();
        let last = f.inputs() - 1;
        let mut point = f.point();
        point.linearise(&slices(&case.at()));

        let program = gradient_of(&f, &case);
        let mut work = program.workspace(&Meter::new());
        for (k, a) in case.at().iter().enumerate() {
            work.set_input(&program, k, a);
        }
        // First as a mere value, as a loop on its way forward does.
        primal(&program, &mut work, Inputs::ALL, Need::Value);
        prop_assert_eq!(work.output(&program), point.gradient(last));
        primal(&program, &mut work, Inputs::NONE, Need::Gradient);
        prop_assert_eq!(work.output(&program), point.gradient(last));

        let w = case.w();
        let mut along: Vec<Option<&[f64]>> = vec![None; w.len()];
        along[last] = Some(&w[last]);
        point.second(&along);
        reverse(&program, &mut work, &w[last], Inputs::ALL);
        for (k, product) in products(&point).iter().enumerate() {
            prop_assert_eq!(work.adjoint(&program, k), &product[..]);
        }

        let v = case.v();
        point.second(&directions(&v));
        primal(&program, &mut work, Inputs::NONE, Need::Curvature);
        match tangent(&program, &mut work, &directions(&v)) {
            Some(tangent) => prop_assert_eq!(tangent, point.product(last)),
            None => prop_assert!(point.product(last).iter().all(|p| *p == 0.0)),
        }
        Ok(())
    });
}

#[test]
fn a_step_with_gradients_inside_has_transposed_sweeps() {
    for_all(file!(), SAMPLE, case(), |case| {
        let f = case.program.record::<f64>();
        let last = f.inputs() - 1;
        // Two gradients, one at arguments that are computed from the other.
        let program = Program::<f64>::record(&case.program.shapes(), |v| {
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
        let f = case.program.record::<f64>();
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
