//! A start of the lower level that depends on x.

use autodiff::unroll::Memory;
use autodiff::{Var, objective};
use nalgebra::{DVector, dvector};
use solvers::{
    Aid, AidStep, At, Bda, Bilevel, Estimate, InnerStep, Itd, Part, Strategy, solve_lower,
};

use super::{close, run};

const START: fn(&DVector<f64>) -> DVector<f64> =
    |x| DVector::from_fn(3, |i, _| (x[i % 2] * (1.0 + i as f64)).sin());

/// g = Σ cosh(y − 0.3 x) by entries, from y₀ = sin of multiples of x.
fn problem(learned: bool) -> Bilevel<f64> {
    let lower = objective(|x: Var, y: Var| {
        let d = y - 0.3 * x.gather(&[0, 1, 0]);
        (d.exp() + (-d).exp()).sum() * 0.5
    });
    let upper = objective(|x: Var, y: Var| (y.dot(y.sin()) + 0.1 * x.norm_squared()) * 1.0);
    let problem = Bilevel::new(upper, lower, 2, 3).expect("a valid problem");
    match learned {
        true => problem.starting_at(|x: Var| {
            let factors = x.vector(&[1.0, 2.0, 3.0]);
            (x.gather(&[0, 1, 0]) * factors).sin()
        }),
        false => problem,
    }
}

#[track_caller]
fn from(problem: &Bilevel<f64>, strategy: &dyn Strategy<f64>, x: &DVector<f64>) -> Estimate<f64> {
    let start = START(x);
    let at = At::new(x).start(&start);
    let estimate = strategy.hypergradient_at(problem, at, &mut problem.workspace());
    estimate.expect("valid settings")
}

#[test]
fn what_unrolls_the_lower_level_differentiates_its_start() {
    let (learned, plain) = (problem(true), problem(false));
    let x = dvector![0.4, -0.7];
    let fista: InnerStep = "fista".parse().expect("a step");
    let strategies: [Box<dyn Strategy<f64>>; 6] = [
        Box::new(Itd::reverse(3).step(0.2)),
        Box::new(Itd::reverse(3).step(0.2).memory(Memory::Taped)),
        Box::new(Itd::reverse(4).step(0.2).inner(fista)),
        Box::new(Itd::reverse(4).step(0.2).inner(InnerStep::Momentum(0.5))),
        Box::new(Itd::reverse(1).step(1e-3)),
        Box::new(Bda::new(3).steps(0.1, 0.2)),
    ];
    for strategy in strategies {
        let estimate = run(&learned, &*strategy, &x);
        let name = &estimate.strategy;
        assert!(estimate.status.is_success(), "{estimate}");
        let want = DVector::from_fn(2, |i, _| {
            let value = |by: f64| {
                let mut moved = x.clone();
                moved[i] += by;
                from(&plain, &*strategy, &moved).upper
            };
            (value(1e-5) - value(-1e-5)) / 2e-5
        });
        close(&estimate.hypergradient, &want, 1e-8, name);
        // Started elsewhere, or from the same numbers, it is the derivative of the steps alone.
        let given = from(&learned, &*strategy, &x);
        let alone = from(&plain, &*strategy, &x);
        assert_eq!(given.hypergradient, alone.hypergradient, "{name}");
        assert!((&given.hypergradient - &want).amax() > 1e-3, "{name}");
    }
}

#[test]
fn to_a_solution_the_start_is_nothing_but_a_start() {
    let (learned, plain) = (problem(true), problem(false));
    let x = dvector![0.4, -0.7];
    for strategy in [
        &Aid::cg() as &dyn Strategy<f64>,
        &AidStep::new(InnerStep::GradientDescent),
    ] {
        let (a, b) = (run(&learned, strategy, &x), run(&plain, strategy, &x));
        assert!(a.status.is_success() && b.status.is_success(), "{a} {b}");
        close(&a.hypergradient, &b.hypergradient, 1e-7, &a.strategy);
    }
    let (a, b) = (
        solve_lower(&learned, &x, 1e-10),
        solve_lower(&plain, &x, 1e-10),
    );
    close(&a.y, &b.y, 1e-9, "solve_lower");
    // At a start that solves the level nothing is to be done.
    let there = problem(false).starting_at(|x: Var| 0.3 * x.gather(&[0, 1, 0]));
    assert_eq!(run(&there, &Aid::cg(), &x).lower_iterations, 0);
}

#[test]
fn what_carries_no_derivative_of_the_start_is_refused() {
    let problem = problem(true);
    let x = dvector![0.4, -0.7];
    for strategy in [
        &Itd::reverse(3).memory(Memory::Forward) as &dyn Strategy<f64>,
        &Bda::new(3).memory(Memory::Forward),
        &Bda::new(3).one_stage(),
    ] {
        let error = strategy.hypergradient(&problem, &x, &mut problem.workspace());
        let error = error.expect_err("refused").to_string();
        assert!(error.contains("starts from a function of x"), "{error}");
    }
}

#[test]
fn a_start_of_x_and_a_part_go_together() {
    let lower = || objective(|_: Var, y: Var| 0.5 * (y - 1.0).norm_squared());
    let upper = || objective(|_: Var, y: Var| 0.5 * (y - 0.2).norm_squared());
    let problem = Bilevel::new(upper(), lower(), 1, 1)
        .and_then(|problem| problem.with_part(Part::l1(|x: Var| x.exp())))
        .expect("a valid problem")
        .starting_at(|x: Var| -x);
    // y₀ = −x = 1, y₁ = max(½ + ½ − ½eˣ, 0): both the start and the weight move it.
    let x = dvector![-1.0f64];
    let estimate = run(&problem, &Itd::reverse(1).step(0.5), &x);
    let (weight, slope) = (0.5 * x[0].exp(), -0.5 - 0.5 * x[0].exp());
    let y = 1.0 - weight;
    assert!((estimate.y[0] - y).abs() < 1e-15, "{estimate}");
    close(
        &estimate.hypergradient,
        &dvector![(y - 0.2) * slope],
        1e-14,
        "both",
    );
}
