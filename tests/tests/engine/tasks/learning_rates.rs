//! `learning-rates`: a problem with steps of its own.

use std::sync::Arc;

use autodiff::unroll::Memory;
use autodiff::{Inputs, Program};
use models::{Stages, Task, learning_rates};
use nalgebra::DVector;
use solvers::{Aid, AidStep, Bda, Bilevel, Exact, Gda, Hoag, InnerStep, Isgd, Itd, Maid, Method};
use solvers::{Optimiser, Strategy};

use super::{around, assert_derivatives, estimate, few};

const STAGES: Stages = Stages { count: 2, steps: 3 };

fn problem() -> Task<f64> {
    let task = learning_rates::<f64>(&few(12, 6, 3), &[2], STAGES, 1).expect("classes");
    assert_derivatives(&task);
    task
}

/// One step in closed form: dF/dx_l = −e^{x_l} ⟨∂F/∂y_l(y₁), ∂g/∂y_l(y₀)⟩, and nothing for stages
/// that are not reached.
#[test]
fn one_step_has_its_closed_form() {
    let problem = problem();
    let x = around(&problem.x);
    let found = estimate(&Itd::reverse(1), &problem, &x);
    let (upper, lower) = (problem.bilevel.upper(), problem.bilevel.lower());
    let gradient = |of: &Arc<Program<f64>>, y: &DVector<f64>| {
        let mut point = of.point();
        point.differentiate(&[x.as_slice(), y.as_slice()], Inputs::one(1));
        point.gradient(1).to_vec()
    };
    let (down, up) = (
        gradient(lower, problem.bilevel.start()),
        gradient(upper, &found.y),
    );
    let net = models::Mlp::new(&[6, 2, 3], models::Activation::Tanh);
    for layer in 0..2 {
        let dot: f64 = net.range(layer).map(|i| down[i] * up[i]).sum();
        let expected = -x[layer].exp() * dot;
        assert!((found.hypergradient[layer] - expected).abs() < 1e-14);
    }
    assert_eq!(found.hypergradient.as_slice()[2..], [0.0, 0.0]);
}

/// Equal rates make plain gradient descent; every memory policy gives the same derivative.
#[test]
fn equal_rates_are_gradient_descent() {
    let problem = problem();
    let x = DVector::from_element(4, 0.2f64.ln());
    let own = estimate(&Itd::reverse(9), &problem, &x);
    let own_steps = &problem.bilevel;
    let (upper, lower) = (own_steps.upper().clone(), own_steps.lower().clone());
    let plain = Bilevel::new(upper, lower, 4, own_steps.dim_y());
    let plain = plain
        .expect("valid")
        .starting_from(own_steps.start().clone());
    let descent = Itd::reverse(9).step(0.2);
    let descent = descent
        .hypergradient(&plain, &x, &mut plain.workspace())
        .expect("valid");
    assert!((own.y - descent.y).amax() < 1e-14);
    for memory in [
        Memory::Taped,
        Memory::Forward,
        Memory::Checkpointed { slots: 2 },
    ] {
        let other = estimate(&Itd::reverse(9).memory(memory), &problem, &x);
        assert!((&other.hypergradient - &own.hypergradient).amax() < 1e-13);
        let predicted = Itd::reverse(9)
            .memory(memory)
            .predicted_peak_bytes(&problem.bilevel);
        assert_eq!(other.bytes.peak, predicted);
    }
    assert!(own.oracles.gradients() >= 18 && own.oracles.hvps() == 9);
}

#[test]
fn what_looks_for_a_solution_refuses_in_one_line() {
    let problem = problem();
    let strategies: [&dyn Strategy<f64>; 6] = [
        &Aid::cg(),
        &Exact,
        &Bda::new(3),
        &Bda::new(3).one_stage(),
        &AidStep::new(InnerStep::GradientDescent),
        &Itd::reverse(3).step(0.1),
    ];
    for strategy in strategies {
        let x = &problem.x;
        let refused = strategy.hypergradient(&problem.bilevel, x, &mut problem.bilevel.workspace());
        let line = refused.expect_err("it has steps of its own").to_string();
        assert!(
            line.contains("steps of its own") && !line.contains('\n'),
            "{line}"
        );
    }
    let rate = Optimiser::GradientDescent { rate: 0.1 };
    let descent = solvers::Descent::new(Aid::cg(), rate, 1);
    let methods: [&dyn Method<f64>; 5] = [
        &descent,
        &Gda::new(1, rate),
        &Hoag::new(1),
        &Maid::new(1),
        &Isgd::new(1, 0.1),
    ];
    for method in methods {
        let refused = method.begin(&problem.bilevel, problem.x.clone());
        let line = refused.err().expect("it has steps of its own").to_string();
        assert!(line.contains("steps of its own"), "{line}");
    }
}
