//! A recording that is made step by step is the one that a closure makes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use autodiff::{Builder, Program, Shape, Var};

const SHAPES: [Shape; 2] = [Shape::vector(3), Shape::vector(2)];

/// g(x, y) = ‖A y + x‖² + ln Σ eˣ, whose norm is squared only after it was recorded.
fn at_once() -> std::sync::Arc<Program<f64>> {
    Program::record(&SHAPES, |v| {
        let rows = v[0].vector(&[1.0, -0.5, 0.25, 2.0, 0.0, 1.5]).reshape(3, 2);
        let norm = (rows.matmul(v[1]) + v[0]).norm();
        norm.square() + v[0].log_sum_exp()
    })
}

fn step_by_step() -> (Builder<f64>, autodiff::Value) {
    let (builder, inputs) = Builder::<f64>::new(&SHAPES);
    let (x, y) = (inputs[0], inputs[1]);
    let rows = builder.extend(&[x], |v| {
        v[0].vector(&[1.0, -0.5, 0.25, 2.0, 0.0, 1.5]).reshape(3, 2)
    });
    let product = builder.extend(&[rows, y], |v| v[0].matmul(v[1]));
    let sum = builder.extend(&[product, x], |v| v[0] + v[1]);
    let norm = builder.extend(&[sum], |v| v[0].norm());
    let square = builder.extend(&[norm], |v| v[0].square());
    let rest = builder.extend(&[x], |v| v[0].log_sum_exp());
    let output = builder.extend(&[square, rest], |v| v[0] + v[1]);
    (builder, output)
}

/// The value, both gradients and both products, along a direction in each input.
fn numbers(program: &std::sync::Arc<Program<f64>>) -> Vec<u64> {
    let mut point = program.point();
    let mut all = vec![point.linearise(&[&[0.3, -0.2, 0.9], &[1.0, 2.0]])];
    all.extend_from_slice(point.gradient(0));
    all.extend_from_slice(point.gradient(1));
    point.second(&[Some(&[1.0, 0.5, -1.0]), Some(&[0.25, 1.0])]);
    all.extend_from_slice(point.product(0));
    all.extend_from_slice(point.product(1));
    all.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn steps_record_what_a_closure_records_to_the_bit() {
    let (builder, output) = step_by_step();
    let (steps, closure) = (builder.finish(output), at_once());
    assert!(steps.operations().eq(closure.operations()));
    assert_eq!(numbers(&steps), numbers(&closure));
}

#[test]
fn a_recording_goes_from_one_thread_to_another() {
    let (builder, output) = thread::spawn(step_by_step).join().expect("a recording");
    assert_eq!(numbers(&builder.finish(output)), numbers(&at_once()));
}

#[test]
fn a_value_of_another_recording_is_refused_at_the_callers_line() {
    let (here, inputs) = Builder::<f64>::new(&SHAPES);
    let (_, others) = Builder::<f64>::new(&SHAPES);
    for both in [[inputs[0], others[1]], [others[0], inputs[1]]] {
        let mixed = catch_unwind(AssertUnwindSafe(|| here.extend(&both, |v| v[0].dot(v[0]))));
        let text = *mixed
            .expect_err("two recordings")
            .downcast::<String>()
            .expect("a text");
        assert!(text.contains("of another recording"), "{text}");
    }
    let ended = catch_unwind(AssertUnwindSafe(|| here.finish(others[0])));
    assert!(ended.is_err());
}

#[test]
fn a_shape_mistake_leaves_the_recording_fit_to_go_on() {
    let (builder, inputs) = Builder::<f64>::new(&SHAPES);
    let wrong = catch_unwind(AssertUnwindSafe(|| {
        builder.extend(&inputs, |v| v[0] + v[1])
    }));
    let text = *wrong
        .expect_err("3 and 2 entries")
        .downcast::<String>()
        .expect("a text");
    assert!(text.contains("vector(3) with vector(2)"), "{text}");
    let right = builder.extend(&inputs, |v| v[0].sum() + v[1].sum());
    let program = builder.finish(right);
    assert_eq!(
        program.point().value(&[&[1.0, 2.0, 3.0], &[4.0, 5.0]]),
        15.0
    );
}

#[test]
fn a_value_says_its_shape() {
    let (builder, inputs) = Builder::<f32>::new(&SHAPES);
    let outer = builder.extend(&inputs, |v: &[Var<'_, f32>]| v[0].outer(v[1]));
    assert_eq!(
        (inputs[1].shape(), outer.shape()),
        (SHAPES[1], Shape::matrix(3, 2))
    );
}
